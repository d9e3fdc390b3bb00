"""The hot list in a browser: sorted by its heads on a desk, by a choice in the hand."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.accessibility import check_accessible, check_no_sideways_scroll
from tests.crashes.clients import wait_until

pytestmark = pytest.mark.full

HOT = "/elasticc2/hot?days=60"


def rows(page: Page) -> Locator:
    return page.get_by_role("region", name="Hot transients").locator("tbody tr")


def column(page: Page, label: str) -> list[str]:
    """A column's cells, by the label that a narrow screen shows before each."""
    return [text.strip() for text in rows(page).locator(f"[data-label='{label}']").all_inner_texts()]


def numbers(page: Page, label: str) -> list[float]:
    return [float(text.split()[-1]) for text in column(page, label) if "—" not in text]


def press_head(page: Page, label: str) -> None:
    page.get_by_role("columnheader").get_by_role("link", name=label, exact=True).press("Enter")
    page.wait_for_load_state()


def test_a_head_sorts_by_keyboard_and_once_more_turns_the_list_round(wide_page: Page) -> None:
    wide_page.goto(HOT)
    press_head(wide_page, "Peak")
    magnitudes = numbers(wide_page, "Peak (mag)")
    assert len(magnitudes) > 10
    assert magnitudes == sorted(magnitudes)
    press_head(wide_page, "Peak")
    assert numbers(wide_page, "Peak (mag)") == magnitudes[::-1]


def test_the_sorted_head_announces_its_order(wide_page: Page) -> None:
    wide_page.goto(HOT)
    sorted_heads = wide_page.locator("th[aria-sort]")
    expect(sorted_heads).to_have_count(1)
    expect(sorted_heads).to_have_attribute("aria-sort", "descending")
    expect(sorted_heads).to_contain_text("Latest detection")


def test_each_classifier_is_a_column_to_sort_by(wide_page: Page) -> None:
    wide_page.goto(HOT)
    press_head(wide_page, "p(Ia) RandomSNType")
    probabilities = numbers(wide_page, "p(Ia) RandomSNType")
    assert probabilities == sorted(probabilities, reverse=True)
    assert probabilities[0] > probabilities[-1]


def test_the_hand_sorts_by_choosing(narrow_page: Page) -> None:
    narrow_page.goto(HOT)
    narrow_page.get_by_label("Sorted by").select_option(label="Peak, brightest first")
    narrow_page.get_by_role("button", name="Show").click()
    narrow_page.wait_for_url("**sort=peak**")
    magnitudes = numbers(narrow_page, "Peak (mag)")
    assert magnitudes == sorted(magnitudes)
    expect(narrow_page.get_by_label("Sorted by").locator("option:checked")).to_have_text(
        "Peak, brightest first"
    )


def test_in_the_hand_each_row_is_a_block_of_labelled_lines(narrow_page: Page) -> None:
    narrow_page.goto(HOT)
    row = rows(narrow_page).first.bounding_box()
    assert row is not None
    assert row["width"] <= 360
    tops = (
        rows(narrow_page)
        .first.locator("th, td")
        .evaluate_all("cells => cells.map(cell => cell.getBoundingClientRect().top)")
    )
    assert len(set(tops)) == len(tops) > 8


def test_the_window_is_kept_when_the_list_is_sorted(wide_page: Page) -> None:
    wide_page.goto(HOT)
    listed = rows(wide_page).count()
    press_head(wide_page, "Object")
    assert rows(wide_page).count() == listed
    assert "days=60" in wide_page.url


def test_sorting_needs_no_scripts(page_without_scripts: Page) -> None:
    page_without_scripts.goto(HOT)
    press_head(page_without_scripts, "Detections")
    detections = numbers(page_without_scripts, "Detections")
    assert detections == sorted(detections, reverse=True)


def test_a_row_leads_to_its_object(page: Page) -> None:
    page.goto(HOT)
    link = rows(page).first.get_by_role("link")
    objectid = link.inner_text()
    link.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(objectid)


def test_many_classifiers_scroll_in_their_own_region(wide_page: Page) -> None:
    wide_page.goto(HOT)
    # As if forty more classifiers had a column.
    wide_page.evaluate("""() => {
        for (const row of document.querySelectorAll("table.sortable tr")) {
            for (let i = 0; i < 40; i++) row.append(row.lastElementChild.cloneNode(true));
        }
    }""")
    check_no_sideways_scroll(wide_page)
    region = wide_page.get_by_role("region", name="Hot transients")
    region.focus()
    wide_page.keyboard.press("ArrowRight")
    # Not wait_for_function: the page's policy forbids what it does while it waits.
    wait_until(lambda: wide_page.evaluate("document.querySelector('.scroll').scrollLeft") > 0)
    first = rows(wide_page).first.locator("th").bounding_box()
    assert first is not None
    # The object stays in sight.
    assert first["x"] >= 0


def test_a_sorted_list_is_accessible(page: Page) -> None:
    page.goto(f"{HOT}&sort=-peak")
    check_accessible(page)


def test_an_order_that_there_is_not_is_refused_in_words(wide_page: Page) -> None:
    response = wide_page.goto("/elasticc2/hot?sort=flux")
    assert response is not None
    assert response.status == 400
    expect(wide_page.get_by_role("main")).to_contain_text("sort must be one of object, ra, dec")
