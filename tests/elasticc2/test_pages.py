"""The pages of ELAsTiCC2: who may see them, and what they say of a small sky."""

import html
import json
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from elasticc2 import hotlist
from elasticc2.lightcurves import hot_objects
from elasticc2.models import DiaObjectTruth, PPDBDiaObject, SpectrumInfo
from elasticc2.reveal import reveal
from tests.elasticc2.sky import add_object, add_points, hear, message
from tom_desc.campaigns.models import Campaign

pytestmark = pytest.mark.django_db

# The greatest id whose points' ids, a hundred thousand times as great, are bigints still.
OBJECT = 92_233_720_368_547
POINTS = [
    (60000.0, "g", 30.0, False),
    (60001.0, "g", 90.0, True),
    (60002.0, "r", 880.0, True),
    (60002.5, "i", -40.0, False),
    (60003.0, "r", 480.0, True),
]
OBJECT_PAGES = tuple(f"/elasticc2/object/{OBJECT}{part}" for part in ("", ".json", "/opinions"))
PAGES = ("/elasticc2/", "/elasticc2/hot", *OBJECT_PAGES)


@pytest.fixture
def campaign():
    Campaign.objects.filter(name="elasticc2").update(
        zeropoint=31.4, flux_unit="nJy", clock="sent", sent_mjd=60010.0
    )
    return Campaign.objects.filter(name="elasticc2")


@pytest.fixture
def known(campaign):
    """One object of five points and three detections, of which a broker has answered all."""
    tell(OBJECT, POINTS)


def tell(objectid, points, **where):
    sources = add_object(objectid, points, **where)
    hear(*(message(source, classes=((2222, 0.7), (2224, 0.2), (111, 0.1))) for source in sources))
    reveal()


@pytest.fixture
def user(astronomer):
    client = Client()
    client.force_login(astronomer)
    return client


@pytest.fixture
def admin(root):
    client = Client()
    client.force_login(root)
    return client


def page(client, path, status=200) -> str:
    """The page's text without its tags, blanks run together."""
    response = client.get(path)
    assert response.status_code == status, response.content[:500]
    body = re.sub(r"<script.*?</script>", "", response.content.decode(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def object_page(client) -> str:
    return page(client, f"/elasticc2/object/{OBJECT}")


def plot_data(client):
    content = client.get(f"/elasticc2/object/{OBJECT}").content.decode()
    script = re.search(r'<script id="plot-points" type="application/json">(.*?)</script>', content, re.DOTALL)
    assert script
    return json.loads(script[1])


@pytest.mark.parametrize("path", [*PAGES, "/elasticc2/object", "/elasticc2/object/1"])
def test_pages_are_for_who_is_logged_in(client, path):
    response = client.get(path)
    assert response.status_code == 302
    assert response["Location"] == f"/accounts/login/?next={path}"


@pytest.mark.parametrize("path", PAGES)
def test_pages_only_read(user, known, path):
    assert user.post(path).status_code == 405


@pytest.mark.parametrize("path", ["/elasticc2/hot/", f"/elasticc2/object/{OBJECT}/"])
def test_a_final_slash_does_not_matter(user, known, path):
    assert page(user, path) == page(user, path.rstrip("/"))


# ---- front page


def test_the_front_page_counts_what_the_tom_knows(user, known):
    text = page(user, "/elasticc2/")
    assert "Objects 1 Sources (detections) 3 Forced sources 5 Broker messages 3 Classifiers 1" in text


def test_the_front_page_shows_the_survey_to_admins_only(user, admin, known):
    assert "PPDB objects" not in page(user, "/elasticc2/")
    assert "PPDB objects 1 PPDB sources 3 PPDB forced sources 5 Alerts 3 Alerts sent 0" in page(
        admin, "/elasticc2/"
    )


def test_the_front_page_shows_clock_and_zeropoint(user, known):
    text = page(user, "/elasticc2/")
    assert "MJD 60010.0000 (2023-03-06 23:59 UTC)" in text
    assert "the latest source whose alert was sent" in text
    assert "Fluxes in nJy of AB zeropoint 31.4" in text


def test_the_front_page_says_what_changed_last_night(user, known):
    text = page(user, "/elasticc2/")
    assert "that of 27 February 2023 (MJD 60002.5 to 60003.5000; a night lasts from noon to noon UTC)" in text
    assert "New objects 0 of them likely Ia 0 Objects detected 1 Detections 1 Hot now 1" in text
    assert "FakeBroker 1 3" in text


def test_the_front_page_names_new_objects(user, campaign):
    tell(7, [(60009.9, "r", 100.0, True)])
    text = page(user, "/elasticc2/")
    assert "New objects 1 of them likely Ia 1 Objects detected 1" in text
    assert "7 r 26.40 10.00000 -5.00000 1 0.70" in text
    assert hot_ids(user, "?detected_since_mjd=60009.5&sort=peak") == [7]
    content = user.get("/elasticc2/").content.decode()
    assert 'href="/elasticc2/hot?detected_since_mjd=60009.5&amp;sort=peak"' in content


def test_before_anything_is_loaded_the_pages_say_so(user, campaign):
    campaign.update(zeropoint=None, flux_unit=None, sent_mjd=None)
    assert "not yet , nothing is loaded" in page(user, "/elasticc2/")
    assert "There is no detection yet." in page(user, "/elasticc2/")
    assert "0 objects" in page(user, "/elasticc2/hot")
    assert "Nothing is loaded yet." in page(user, "/")


def test_the_form_leads_to_the_object(user):
    response = user.get("/elasticc2/object", {"id": f" {OBJECT} "})
    assert response["Location"] == f"/elasticc2/object/{OBJECT}"


@pytest.mark.parametrize("text", ["x", "-1", "0", "1.5", "9223372036854775808", "²", "9" * 5000])
def test_what_is_no_object_id_is_refused(user, text):
    assert "id must be a whole number from 1 to 9223372036854775807" in page(
        user, f"/elasticc2/object?id={text}", 400
    )


# ---- object page


@pytest.mark.parametrize("objectid", [7, 2**63 - 1, 2**63, 10**30])
def test_an_object_that_the_tom_does_not_have_is_a_404(user, known, objectid):
    assert f"The TOM has no object {objectid} (yet)" in page(user, f"/elasticc2/object/{objectid}", 404)
    assert user.get(f"/elasticc2/object/{objectid}.json").status_code == 404


def test_an_object_of_the_survey_alone_is_a_404_for_admins_too(admin, campaign):
    add_object(OBJECT, POINTS)
    page(admin, f"/elasticc2/object/{OBJECT}", 404)


def test_the_position_is_in_degrees_and_sexagesimal(user, known):
    text = object_page(user)
    assert "Position J2000, degrees 10.000000 -5.000000 Sexagesimal 00:40:00.000 -05:00:00.00" in text
    assert "By position J004000.00-050000.0" in text


def test_ids_and_positions_can_be_copied(user, known):
    content = user.get(f"/elasticc2/object/{OBJECT}").content.decode()
    copied = re.findall(r'data-copies="([^"]+)" data-what="[^"]+"', content)
    assert copied == ["object-id", "degrees", "sexagesimal", "designation", "api-call"]
    assert [content.count(f' id="{name}"') for name in copied] == [1] * 5


def test_an_object_without_a_position_is_shown(user, known):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE elasticc2_diaobject SET decl = 'NaN'")
    assert "Position" not in object_page(user)


@pytest.mark.parametrize("value", ["filtername = 'é'", "midpointtai = 'NaN'", "midpointtai = 1e9"])
def test_a_point_that_makes_no_sense_does_not_hide_the_others(user, known, value):
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE elasticc2_diaforcedsource SET {value} WHERE midpointtai = 60002")
        assert cursor.rowcount == 1
    assert "60001.0000" in page(user, f"/elasticc2/object/{OBJECT}")


def test_each_band_has_its_brightness_age_and_slope(user, known):
    text = object_page(user)
    # 31.4 - 2.5 log10 of 90, 480, 880; errors are 1.086 * 10 / flux; the slope is the difference a day.
    assert "g 2 1 60001.0000 26.51 ± 0.12 detection 9.0 -1.193 ± 0.381 26.51 60001.0000" in text
    assert "r 2 2 60002.0000 24.70 ± 0.02 detection 7.0 +0.658 ± 0.026 24.04 60002.0000" in text
    assert "i 1 0 — — — — — —" in text


def test_the_latest_point_may_be_forced(user, campaign):
    tell(OBJECT, [(60001.0, "g", 90.0, True), (60002.0, "g", 40.0, False), (60003.0, "i", 40.0, True)])
    assert "g 2 1 60001.0000 27.39 ± 0.27 forced 8.0" in object_page(user)


def test_all_points_are_in_a_table(user, known):
    text = object_page(user)
    assert "All 5 points" in text
    assert "60002.0000 2023-02-26 23:59 r 880 ± 10 24.039 ± 0.012 yes" in text
    assert "60002.5000 2023-02-27 11:59 i -40 ± 10 > 27.71 (3σ) forced" in text


def test_without_a_zeropoint_there_are_fluxes_only(user, known, campaign):
    campaign.update(zeropoint=None)
    text = object_page(user)
    assert "60002.0000 2023-02-26 23:59 r 880 ± 10 — yes" in text
    assert "r 2 2 60002.0000 — — — — —" in text


def test_the_plot_tells_detections_from_forced_points(user, known):
    plot = plot_data(user)
    assert plot["mjd"] == [60000.0, 60001.0, 60002.0, 60002.5, 60003.0]
    assert plot["band"] == ["g", "g", "r", "i", "r"]
    assert plot["flux"] == [30.0, 90.0, 880.0, -40.0, 480.0]
    assert plot["detected"] == [False, True, True, False, True]
    assert plot["mag"][3] is None
    assert plot["significant"] == [True, True, True, False, True]


def test_ids_in_the_plots_data_are_texts(user, known):
    assert plot_data(user)["objectid"] == str(OBJECT)


def test_a_detection_without_forced_photometry_is_shown_too(user, known):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM elasticc2_diaforcedsource WHERE midpointtai = 60002")
    plot = plot_data(user)
    assert plot["mjd"] == [60000.0, 60001.0, 60002.0, 60002.5, 60003.0]
    assert plot["detected"][2]


def test_fluxes_that_are_no_numbers_are_null_in_the_plots_data(user, known):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE elasticc2_diaforcedsource SET psflux = 'NaN' WHERE midpointtai = 60000")
    assert plot_data(user)["flux"][0] is None
    assert "All 5 points" in object_page(user)


def test_each_classifiers_latest_view_is_in_words(user, known):
    assert (
        "NugentClassifier 100% FakeBroker v1.0 Ia 2222 0.700 II 2224 0.200 not in the taxonomy 111 0.100"
        in object_page(user)
    )


def classes_offered(client, query="") -> tuple[list[str], list[str]]:
    """Class ids that the page offers, and which of them is chosen."""
    content = client.get(f"/elasticc2/object/{OBJECT}{query}").content.decode()
    options = re.findall(r'<option value="(-?\d+)"( selected)?>', content)
    return [classid for classid, _ in options], [classid for classid, chosen in options if chosen]


def test_the_probability_of_ia_is_shown_source_by_source(user, known):
    assert classes_offered(user) == (["111", "2222", "2224"], ["2222"])
    text = object_page(user)
    assert "What 1 classifier said of Ia (2222)" in text
    assert "60001.0000 g 0.700 60002.0000 r 0.700 60003.0000 r 0.700" in text


def test_another_class_can_be_chosen_without_a_script(user, known):
    assert classes_offered(user, "?class=2224")[1] == ["2224"]
    assert "60001.0000 g 0.200" in page(user, f"/elasticc2/object/{OBJECT}?class=2224")


def test_the_choice_of_class_alone_is_what_a_script_asks_for(user, known):
    part = page(user, f"/elasticc2/object/{OBJECT}/opinions?class=2224")
    assert part.startswith("What 1 classifier said of II (2224)")
    assert part in page(user, f"/elasticc2/object/{OBJECT}?class=2224")


def test_a_class_that_nobody_named_says_so(user, known):
    assert "No classifier has named CART (2245)" in page(user, f"/elasticc2/object/{OBJECT}?class=2245")


@pytest.mark.parametrize("path", [f"/elasticc2/object/{OBJECT}", f"/elasticc2/object/{OBJECT}/opinions"])
@pytest.mark.parametrize("classid", ["x", "1.5", "²", "100000", "9" * 5000])
def test_what_is_no_class_is_refused(user, known, path, classid):
    assert "class must be the number of a class" in page(user, f"{path}?class={classid}", 400)


@pytest.mark.parametrize("query", ["", "?class=2222"])
def test_an_object_that_nobody_classified_has_no_choice_of_class(user, known, query):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM elasticc2_brokermessage")
        cursor.execute("DELETE FROM elasticc2_diaobjectclassification")
    text = page(user, f"/elasticc2/object/{OBJECT}{query}")
    assert "Classifications No classifier’s answer has been taken in yet. Host" in text
    assert page(user, f"/elasticc2/object/{OBJECT}/opinions{query}") == (
        "No classifier’s answer has been taken in yet."
    )


def test_the_objects_page_takes_a_constant_number_of_statements(user, known):
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            object_page(user)
        return len(captured)

    before = statements()
    points = [(60004.0 + day, band, 90.0, True) for day in range(20) for band in "ugrizY"]
    for source in add_points(OBJECT, points, first=100):
        names = [{"classifierName": f"Deep {number}"} for number in range(3)]
        hear(*(message(source, classes=((2222, 0.5), (2332, 0.1)), **name) for name in names))
    reveal()
    assert "All 125 points" in object_page(user)
    assert statements() == before


def test_a_host_that_is_not_there_is_none(user, known):
    assert "Host None is known." in object_page(user)


def test_hosts_show_a_dash_for_what_snana_marks_as_missing(user, known):
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE elasticc2_diaobject SET hostgal_ra = 10.5, hostgal_dec = -9, hostgal_zspec = -9,"
            " hostgal_zphot = 0.25, hostgal_zphot_err = -9, hostgal_snsep = 1.5, hostgal_mag_g = 21.5,"
            " hostgal_magerr_g = 999, hostgal_mag_r = 999, hostgal2_ra = -999, hostgal2_dec = -999"
        )
    text = object_page(user)
    assert "Host 1 Position 10.50000° -9.00000° 00:42:00.000 -09:00:00.00 Separation 1.50″" in text
    assert "Redshift (spectrum) — Redshift (photometric) 0.2500 AB magnitudes g 21.50 Spectra" in text
    assert "Host 2" not in text


def test_reported_spectra_give_redshift_and_class(user, known):
    SpectrumInfo.objects.create(diaobject_id=OBJECT, facility="Keck", mjd=60005, z=0.123, classid=2222)
    text = object_page(user)
    assert "0.1230 reported spectrum" in text
    assert "60005.000 Keck 0.1230 Ia (2222)" in text


def test_spectra_of_the_future_are_not_shown(user, known):
    SpectrumInfo.objects.create(diaobject_id=OBJECT, facility="Keck", mjd=60011, z=0.123, classid=2222)
    assert "None was reported." in object_page(user)


def tell_the_truth():
    numbers = {
        field.attname: 0 for field in DiaObjectTruth._meta.concrete_fields if field.attname != "diaobject_id"
    }
    values = numbers | {"gentype": 10, "zcmb": 0.5, "peakmjd": 60002, "peakmag_r": 24.5, "peakmag_u": 99}
    DiaObjectTruth.objects.create(diaobject=PPDBDiaObject.objects.get(pk=OBJECT), **values)


def test_truth_is_for_admins(user, admin, known):
    tell_the_truth()
    assert "Truth" not in object_page(user)
    text = object_page(admin)
    assert "Type Ia gentype 10 Redshift (CMB frame) 0.5000 Peak MJD 60002.00" in text
    assert "r 24.50" in text
    assert "u 99.00" not in text


def test_truth_is_open_once_the_campaign_has_ended(user, known, campaign):
    tell_the_truth()
    campaign.update(ended=True)
    assert "Type Ia gentype 10" in object_page(user)


def test_the_api_call_names_this_server_user_and_object(user, known):
    text = object_page(user)
    assert 'TomClient(url="http://testserver", username="astronomer"' in text
    assert f'{{"objectids": [{OBJECT}], "include_hostinfo": True}}' in text


def test_the_json_is_what_the_api_call_answers(user, known):
    asked = {"objectids": [OBJECT], "include_hostinfo": True}
    answer = user.post("/elasticc2/ltcv", asked, content_type="application/json").json()
    assert user.get(f"/elasticc2/object/{OBJECT}.json").json() == answer
    assert answer["diaobject"][0]["objectid"] == OBJECT


def test_the_object_page_takes_nothing_from_elsewhere_and_has_no_inline_script(user, known):
    content = user.get(f"/elasticc2/object/{OBJECT}").content.decode()
    assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", content)
    assert not re.search(
        r'<script(?![^>]*(?:\bsrc=|type="application/json"))|<style|\sstyle=|\son\w+=', content
    )


def static_text(client, name: str) -> str:
    response = client.get(name)
    assert response.status_code == 200, name
    return b"".join(response).decode()


def test_every_static_file_of_the_object_page_is_there(user, known):
    names = re.findall(r'"(/static/[^"]+)"', user.get(f"/elasticc2/object/{OBJECT}").content.decode())
    assert len(names) == 6
    for name in names:
        assert static_text(user, name)


def test_every_module_that_the_object_page_imports_is_there(user, known):
    waiting, seen = ["object.js"], set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        imported = re.findall(r'from "\./([^"]+)"', static_text(user, f"/static/{name}"))
        waiting += set(imported) - seen
    assert seen == {"object.js", "lightcurve.js", "opinions.js", "timeplot.js"}


# ---- hot list


def hot_ids(client, query="") -> list[int]:
    content = client.get(f"/elasticc2/hot{query}").content.decode()
    return [int(objectid) for objectid in re.findall(r'href="/elasticc2/object/(\d+)"', content)]


@pytest.fixture
def three(campaign):
    """Objects last detected 1, 5 and 40 days before the clock."""
    tell(1, [(60005.0, "g", 100.0, True), (60004.0, "g", 200.0, True)])
    tell(2, [(60009.0, "r", 100.0, True)])
    tell(3, [(59970.0, "r", 100.0, True)])


def test_the_latest_detection_comes_first(user, three):
    assert hot_ids(user) == [2, 1]


def test_the_window_is_that_of_the_query(user, three):
    assert hot_ids(user, "?days=2") == [2]
    assert hot_ids(user, "?days=40") == [2, 1, 3]
    assert hot_ids(user, "?detected_since_mjd=59970") == [2, 1, 3]
    assert hot_ids(user, "?mjd_now=60005&days=1") == [1]


def test_the_hot_list_has_the_objects_that_the_api_has(user, three):
    for since, until in ((59970, 60010), (60005, 60009), (59970.5, 60008.9)):
        listed = hot_ids(user, f"?detected_since_mjd={since}&mjd_now={until}")
        assert sorted(listed) == hot_objects(since_mjd=since, until_mjd=until)


def test_a_row_says_what_was_seen(user, three):
    text = page(user, "/elasticc2/hot?days=5")
    assert "1 10.00000 -5.00000 2 60005.0000 5.0 d ago g 26.40 g 25.65 — 0.70" in text


def test_a_row_of_the_past_knows_nothing_of_what_came_later(user, three):
    text = page(user, "/elasticc2/hot?mjd_now=60004.5")
    assert "1 10.00000 -5.00000 1 60004.0000 0.5 d ago g 25.65 g 25.65" in text


def test_the_list_prints_definition_window_and_clock(user, three):
    text = page(user, "/elasticc2/hot?days=2")
    assert "Objects of which the TOM has a detection (an alert was sent and a broker answered)" in text
    assert "from MJD 60008.0000" in text
    assert "to MJD 60010.0000" in text
    assert "clock shows MJD 60010.0000" in text


def test_an_empty_form_is_the_default_window(user, three):
    assert hot_ids(user, "?days=&mjd_now=") == hot_ids(user)


def test_redshift_is_that_of_the_spectrum_before_the_hosts(user, three):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE elasticc2_diaobject SET hostgal_zspec = -9, hostgal_zphot = 0.25")
        cursor.execute("UPDATE elasticc2_diaobject SET hostgal_zspec = 0.5 WHERE diaobject_id = 1")
    assert "0.250 host phot" in page(user, "/elasticc2/hot?days=2")
    assert "0.500 host spec" in page(user, "/elasticc2/hot")
    SpectrumInfo.objects.create(diaobject_id=2, mjd=60009.5, z=0.75)
    assert "0.750 spectrum" in page(user, "/elasticc2/hot?days=2")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("days=x", "days must be a number from 0 to 100000, not 'x'"),
        ("days=-1", "days must be a number"),
        ("days=nan", "days must be a number"),
        ("mjd_now=1e300", "mjd_now must be a number"),
        ("detected_since_mjd=inf", "detected_since_mjd must be a number"),
        ("days=3&detected_since_mjd=60000", "only give one of detected_since_mjd and days"),
        ("page=0", "page must be a whole number from 1"),
        ("page=2.5", "page must be a whole number from 1"),
        ("sort=flux", "sort must be one of object, ra, dec, detections, latest, mag, peak, z, with or"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused_with_a_sentence(user, campaign, query, sentence):
    assert sentence in page(user, f"/elasticc2/hot?{query}", 400)


def test_a_long_list_comes_in_pages(user, three, monkeypatch):
    monkeypatch.setattr(hotlist, "PAGE_ROWS", 2)
    assert hot_ids(user, "?days=40") == [2, 1]
    assert hot_ids(user, "?days=40&page=2") == [3]
    content = user.get("/elasticc2/hot?days=40").content.decode()
    assert 'href="?days=40&amp;page=2"' in content
    assert 'rel="prev"' not in content


def test_a_page_beyond_the_last_is_a_404(user, three):
    assert "has no page 2" in page(user, "/elasticc2/hot?page=2", 404)


def test_the_hot_list_is_sorted_by_what_the_query_names(user, three):
    assert hot_ids(user, "?days=40&sort=object") == [1, 2, 3]
    assert hot_ids(user, "?days=40&sort=-object") == [3, 2, 1]
    assert hot_ids(user, "?days=40&sort=") == [2, 1, 3]


def column_heads(client, query="") -> dict[str, tuple[str, str]]:
    """By label, each head's link and the direction that it announces."""
    content = html.unescape(client.get(f"/elasticc2/hot{query}").content.decode())
    head = r'<th scope="col"(?: aria-sort="(\w+)")?><a href="([^"]+)">([^<]+)</a>'
    return {label: (href, aria) for aria, href, label in re.findall(head, content)}


def test_the_head_that_the_list_is_sorted_by_says_so_and_turns_it_round(user, three):
    heads = column_heads(user, "?days=40&sort=peak&page=1")
    assert heads["Peak"] == ("?days=40&sort=-peak", "ascending")
    assert {aria for label, (_, aria) in heads.items() if label != "Peak"} == {""}
    assert column_heads(user, "?sort=-peak")["Peak"] == ("?sort=peak", "descending")
    assert column_heads(user)["Latest detection"] == ("?sort=latest", "descending")


def test_the_other_heads_sort_by_their_columns(user, three):
    heads = column_heads(user, "?days=40")
    assert heads["Peak"] == ("?days=40&sort=peak", "")
    assert heads["Detections"] == ("?days=40&sort=-detections", "")
    speaker = heads["p(Ia) NugentClassifier"][0]
    assert hot_ids(user, speaker) == [1, 2, 3]


def test_pages_keep_the_order(user, three, monkeypatch):
    monkeypatch.setattr(hotlist, "PAGE_ROWS", 2)
    content = user.get("/elasticc2/hot?days=40&sort=object").content.decode()
    assert 'href="?days=40&amp;sort=object&amp;page=2"' in content


def test_the_hot_page_takes_as_many_statements_for_fifty_objects_as_for_three(
    user, campaign, django_assert_max_num_queries
):
    for objectid in range(1, 4):
        tell(objectid, POINTS)
    with CaptureQueriesContext(connection) as captured:
        user.get("/elasticc2/hot")
    few = len(captured)
    for objectid in range(4, 51):
        tell(objectid, POINTS)
    assert len(hot_ids(user)) == 50
    with django_assert_max_num_queries(few):
        user.get("/elasticc2/hot")
    assert few <= 8
