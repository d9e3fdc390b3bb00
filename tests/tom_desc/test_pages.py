"""The shared pages, and what every page has."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.views.defaults import permission_denied

from tom_desc.campaigns.registry import CampaignInfo, campaigns
from tom_desc.campaigns.templatetags import navigation
from tom_desc.pages import server_error

pytestmark = pytest.mark.django_db


@pytest.fixture
def user():
    return get_user_model().objects.create_user("astronomer <b>", password="testing")


def text(response) -> str:
    return response.content.decode()


def test_the_front_page_is_open_to_all_and_leads_to_login_documentation_and_health(client):
    response = client.get("/")
    assert response.status_code == 200
    for link in ("/accounts/login/", "/api/docs/", "/healthz"):
        assert f'href="{link}"' in text(response)


def test_the_front_page_shows_the_campaigns_to_who_is_logged_in(client, user):
    assert "<h2>Campaigns</h2>" not in text(client.get("/"))
    client.force_login(user)
    page = text(client.get("/"))
    assert "<h2>Campaigns</h2>" in page
    assert 'href="/elasticc2/">ELAsTiCC2</a>' in page
    assert re.search(r"Now: MJD 6\d{4}\.\d{4}", page)


def test_the_documented_login_ends_on_the_front_page(user):
    client = Client(enforce_csrf_checks=True)
    assert client.get("/accounts/login/").status_code == 200
    form = {
        "username": user.username,
        "password": "testing",
        "csrfmiddlewaretoken": client.cookies["csrftoken"].value,
    }
    response = client.post("/accounts/login/", form, follow=True)
    assert response.redirect_chain == [("/", 302)]
    assert response.status_code == 200
    assert "Please enter a correct" not in text(response)


def test_a_wrong_password_is_told_in_the_words_that_scripts_look_for(client, user):
    response = client.post("/accounts/login/", {"username": user.username, "password": "wrong"})
    assert response.status_code == 200
    assert "Please enter a correct" in text(response)


def test_login_leads_back_to_where_one_came_from(client, user):
    page = text(client.get("/accounts/login/?next=/elasticc2/hot"))
    assert '<input type="hidden" name="next" value="/elasticc2/hot">' in page


def test_logging_out_is_a_post_with_the_token(user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    page = text(client.get("/"))
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    assert client.post("/accounts/logout/").status_code == 403
    assert client.post("/accounts/logout/", {"csrfmiddlewaretoken": token[1]}).status_code == 302
    assert 'href="/accounts/login/"' in text(client.get("/"))


def test_a_user_name_is_escaped(client, user):
    client.force_login(user)
    page = text(client.get("/"))
    assert "astronomer &lt;b&gt;" in page
    assert "astronomer <b>" not in page


def test_a_page_that_there_is_not_is_a_404_with_the_way_home(client):
    response = client.get("/no/such/<page>")
    assert response.status_code == 404
    assert "This server has no page /no/such/" in text(response)
    assert "<page>" not in text(response)
    assert '<a class="brand" href="/">' in text(response)


def test_a_refused_permission_is_a_403_with_its_sentence(rf: RequestFactory, user):
    request = rf.get("/elasticc2/adminsummary")
    request.user = user
    response = permission_denied(request, PermissionDenied("for elasticc_admin only"))
    assert response.status_code == 403
    assert "for elasticc_admin only" in text(response)


def test_who_is_refused_without_being_logged_in_is_led_to_login(rf: RequestFactory):
    request = rf.get("/elasticc2/adminsummary")
    request.user = AnonymousUser()
    assert 'href="/accounts/login/?next=/elasticc2/adminsummary"' in text(
        permission_denied(request, PermissionDenied())
    )


def test_our_own_error_is_plain_text_without_internals(rf: RequestFactory):
    response = server_error(rf.get("/"))
    assert response.status_code == 500
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert "It was logged as request" in text(response)


def test_pages_take_nothing_from_other_servers_and_have_no_inline_script(client, user):
    client.force_login(user)
    page = text(client.get("/"))
    assert "default-src 'self'" in page
    assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", page)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page)


def test_every_static_file_that_the_base_page_names_is_there(client):
    names = re.findall(r'"(/static/[^"]+)"', text(client.get("/")))
    assert len(names) == 2
    for name in names:
        assert client.get(name).status_code == 200, name


def test_error_pages_can_be_made_without_a_request():
    assert "The request cannot be understood." in render_to_string("400.html")


def test_the_menu_has_every_campaign_that_has_pages(monkeypatch):
    without_pages = CampaignInfo(name="nowhere", title="Nowhere", clock_view="v", latest_sent="")
    all_campaigns = [*campaigns(), without_pages]
    monkeypatch.setattr(navigation, "campaigns", lambda: all_campaigns)
    assert [link.title for link in navigation.campaign_links()] == ["ELAsTiCC2"]
