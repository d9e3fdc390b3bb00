"""What holds for every page: anybody can read it, on any screen, without a mouse."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import check_accessible, check_no_sideways_scroll

pytestmark = pytest.mark.full

PAGES = ("/", "/elasticc2/", "/elasticc2/hot", "/elasticc2/object/{objectid}")
REFUSALS = {"/elasticc2/object/1": 404, "/elasticc2/hot?days=x": 400, "/no/such/page": 404}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible_and_fits_its_window(page: Page, objectid: int, path: str) -> None:
    page.goto(path.format(objectid=objectid))
    check_no_sideways_scroll(page)
    check_accessible(page)


@pytest.mark.parametrize("path", ["/", "/accounts/login/?next=/elasticc2/hot"])
def test_a_strangers_page_is_accessible_and_fits_its_window(strangers_page: Page, path: str) -> None:
    strangers_page.goto(path)
    check_no_sideways_scroll(strangers_page)
    check_accessible(strangers_page)


@pytest.mark.parametrize(("path", "status"), REFUSALS.items())
def test_a_refusal_is_a_page_like_any_other(page: Page, path: str, status: int) -> None:
    response = page.goto(path)
    assert response is not None
    assert response.status == status
    check_no_sideways_scroll(page)
    check_accessible(page)


@pytest.mark.parametrize("path", PAGES)
def test_the_first_key_leads_past_the_menu(page: Page, objectid: int, path: str) -> None:
    page.goto(path.format(objectid=objectid))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


@pytest.mark.parametrize("path", PAGES)
def test_whatever_has_the_focus_can_be_seen(page: Page, objectid: int, path: str) -> None:
    page.goto(path.format(objectid=objectid))
    for _ in range(40):
        page.keyboard.press("Tab")
        assert page.evaluate(FOCUS_IS_SEEN), page.evaluate("document.activeElement.outerHTML")


FOCUS_IS_SEEN = """() => {
    const focused = document.activeElement;
    if (focused === document.body) return true;
    const box = focused.getBoundingClientRect();
    const inWindow = box.right > 0 && box.left < innerWidth && box.bottom > 0 && box.top < innerHeight;
    return inWindow && getComputedStyle(focused).outlineStyle !== "none";
}"""


def test_one_logs_in_by_keyboard_and_ends_where_one_wanted_to_go(strangers_page: Page) -> None:
    strangers_page.goto("/elasticc2/hot")
    strangers_page.get_by_label("Username").focus()
    strangers_page.keyboard.type("root")
    strangers_page.keyboard.press("Tab")
    strangers_page.keyboard.type("testing")
    strangers_page.keyboard.press("Enter")
    expect(strangers_page).to_have_title("Hot transients · ELAsTiCC2")
