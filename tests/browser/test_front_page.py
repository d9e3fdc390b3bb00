"""The campaign's front page in a browser: from what changed last night to an object."""

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.full

FRONT = "/elasticc2/"


def figure(page: Page, label: str) -> int:
    value = page.locator("dl.figures div", has=page.get_by_text(label, exact=True)).locator("dd")
    return int(value.inner_text().replace(",", ""))


def test_last_nights_figures_are_those_of_the_lists_behind_them(page: Page) -> None:
    page.goto(FRONT)
    objects, new = figure(page, "Objects detected"), figure(page, "New objects")
    assert objects >= new > 0
    assert figure(page, "Detections") >= objects
    page.get_by_role("link", name="All objects detected since then").press("Enter")
    expect(page.get_by_role("main")).to_contain_text(f"{objects} objects")


def test_the_number_of_hot_objects_leads_to_them(page: Page) -> None:
    page.goto(FRONT)
    hot = figure(page, "Hot now")
    page.get_by_role("link", name=str(hot), exact=True).press("Enter")
    page.wait_for_url("**/elasticc2/hot")
    expect(page.get_by_role("main")).to_contain_text(f"{hot} objects")


def test_a_new_object_is_one_key_away(page: Page) -> None:
    page.goto(FRONT)
    link = page.get_by_role("region", name="Brightest new objects").get_by_role("link").first
    objectid = link.inner_text()
    link.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(objectid)


def test_the_brokers_heard_of_are_counted(wide_page: Page) -> None:
    wide_page.goto(FRONT)
    for broker in ("FakeBroker", "apiclassifier"):
        expect(wide_page.get_by_role("row", name=broker)).to_be_visible()


def test_an_object_is_found_by_its_id(page: Page, objectid: int) -> None:
    page.goto(FRONT)
    page.get_by_label("Object id").fill(str(objectid))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(str(objectid))
