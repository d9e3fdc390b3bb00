"""The pages about the stream in a browser: for everybody, on any screen, with and without scripts."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accessibility import check_accessible, check_no_sideways_scroll
from tests.localtom import LocalTom

pytestmark = pytest.mark.full

PAGES = (
    *("/elasticc2/stream", "/elasticc2/stream/classifiers", "/elasticc2/stream/classifiers/1"),
    *("/elasticc2/stream/coverage", "/elasticc2/alertstreamhists"),
    *("/streams/", "/streams/rejects", "/streams/deadletters"),
)
# Names without a blank in which a narrow window could break a line.
TOPIC = "a_broker_with_a_long_name_elasticc2_classifications_20261121"
REASON = "its 3 classes and 4 probabilities do not belong together " + 60 * "x"

# What was answered over REST counts as sent, a night every nine hours.
SENDING = """
DELETE FROM elasticc2_sendbatch;
INSERT INTO elasticc2_sendbatch (night, sent, alerts, messages, bytes, first_mjd, last_mjd)
SELECT night, now() - interval '9 hours' * row_number() OVER (ORDER BY night DESC),
       alerts, alerts, 6000 * alerts, first_mjd, last_mjd
FROM (SELECT ceil(midpointtai - 0.5)::int AS night, count(*) AS alerts,
             min(midpointtai) AS first_mjd, max(midpointtai) AS last_mjd
      FROM elasticc2_ppdbalert JOIN elasticc2_ppdbdiasource USING (diasource_id)
      WHERE alertsenttimestamp IS NOT NULL GROUP BY 1) nights;
INSERT INTO elasticc2_sendrun (through_mjd, updated, server, wfd_topic, ddf_full_topic, ddf_limited_topic,
                               alerts_to_send, alerts_sent, failure)
VALUES (60000.5, now(), 's', 'w', 'f', 'l', 1000, 31, 'Kafka refused the alerts'),
       (61000.5, now(), 's', 'elasticc2-wfd', 'elasticc2-full', 'elasticc2-limited', 1000, 310, NULL)"""
READING = f"""
INSERT INTO streams_position (source, cluster_id, consumer_group, topic, topic_id, partition,
                              next_offset, end_offset, message_time)
SELECT 'fink', 'c', 'elasticc-lbnl', '{TOPIC}', '1', p, 1000000 * p, 1000000 * p + 12345 * p, now()
FROM generate_series(0, 3) p;
INSERT INTO streams_ledger (source, cluster_id, topic, topic_id, partition,
                            night, seen, stored, duplicate, dead)
SELECT 'fink', 'c', '{TOPIC}', '1', p, date '2026-11-01' + n, 1000000, 999900, 93, 7
FROM generate_series(0, 3) p, generate_series(0, 8) n;
INSERT INTO streams_gap (source, cluster_id, topic, topic_id, partition, first_offset, end_offset, reason)
VALUES ('fink', 'c', '{TOPIC}', '1', 0, 5, 1000005, 'retention took them');
INSERT INTO streams_deadletter (source, cluster_id, topic, topic_id, partition, "offset",
                                reason, value, brokername)
SELECT 'fink', 'c', '{TOPIC}', '1', 0, n, '{REASON}', '\\xff', 'FakeBroker' FROM generate_series(1, 60) n"""


@pytest.fixture(scope="module", autouse=True)
def streaming(shown_tom: LocalTom) -> None:
    """What sending and polling leave behind; no other page shows it."""
    for statement in (*SENDING.split(";"), *READING.split(";")):
        shown_tom.sql(statement)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible_and_fits_its_window(page: Page, path: str) -> None:
    page.goto(path)
    check_no_sideways_scroll(page)
    check_accessible(page)


@pytest.mark.parametrize("path", PAGES)
def test_whatever_has_the_focus_can_be_seen(narrow_page: Page, path: str) -> None:
    narrow_page.goto(path)
    for _ in range(40):
        narrow_page.keyboard.press("Tab")
        assert narrow_page.evaluate(FOCUS_IS_SEEN), narrow_page.evaluate("document.activeElement.outerHTML")


FOCUS_IS_SEEN = """() => {
    const focused = document.activeElement;
    if (focused === document.body) return true;
    const box = focused.getBoundingClientRect();
    const inWindow = box.right > 0 && box.left < innerWidth && box.bottom > 0 && box.top < innerHeight;
    return inWindow && getComputedStyle(focused).outlineStyle !== "none";
}"""


def test_the_menu_leads_through_the_pages(page: Page) -> None:
    page.goto("/")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Stream").press("Enter")
    menu = page.get_by_role("navigation", name="The stream")
    for label in ("Classifiers", "Coverage", "Sending", "Rejects", "Consumers", "Dead letters"):
        menu.get_by_role("link", name=label).press("Enter")
        expect(menu.locator("[aria-current=page]")).to_have_text(label)


@pytest.mark.parametrize("path", ["/elasticc2/alertstreamhists", "/elasticc2/stream/coverage"])
def test_a_page_says_the_same_without_scripts(page_without_scripts: Page, wide_page: Page, path: str) -> None:
    page_without_scripts.goto(path)
    wide_page.goto(path)
    said = [page.get_by_role("main").inner_text() for page in (page_without_scripts, wide_page)]
    assert said[0] == said[1]


def test_a_week_is_opened_by_a_key(page: Page) -> None:
    page.goto("/elasticc2/alertstreamhists")
    weeks = page.locator("details")
    expect(weeks.nth(0).get_by_role("img").first).to_be_visible()
    expect(weeks.nth(1).locator("figure").first).to_be_hidden()
    weeks.nth(1).locator("summary").press("Enter")
    expect(weeks.nth(1).get_by_role("img", name="Alerts an hour on").first).to_be_visible()


def test_a_letter_is_downloaded_as_it_came(page: Page) -> None:
    page.goto("/streams/rejects")
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("Download message")).first.press("Enter")
    assert Path(download.value.path()).read_bytes() == b"\xff"


def test_one_box_chooses_all_letters_of_the_page(page: Page) -> None:
    page.goto("/streams/deadletters")
    everything = page.get_by_label("All of this page")
    letters = page.locator("input[name=letter]")
    everything.check()
    assert letters.evaluate_all("boxes => boxes.every((box) => box.checked)")
    letters.first.uncheck()
    assert everything.evaluate("box => box.indeterminate && !box.checked")


def test_letters_are_replayed_without_a_script(page_without_scripts: Page) -> None:
    page_without_scripts.goto("/streams/deadletters")
    page_without_scripts.get_by_label(re.compile("Choose letter")).first.check()
    page_without_scripts.get_by_role("button", name="Replay the chosen").press("Enter")
    expect(page_without_scripts.get_by_role("status")).to_have_text(
        "Looked at 1 again: 0 stored, 0 stored before, 1 still dead."
    )


def test_letters_are_found_by_their_reason(page: Page) -> None:
    page.goto("/streams/deadletters")
    page.get_by_label("Reason has").fill("no such reason")
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_contain_text("0 letters")


def test_a_program_is_copied_whole(wide_page: Page) -> None:
    wide_page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    wide_page.goto("/elasticc2/stream")
    wide_page.get_by_role("button", name="Copy the program that reads alerts").press("Enter")
    expect(wide_page.get_by_role("button", name="Copied the program that reads alerts")).to_be_visible()
    copied = wide_page.evaluate("navigator.clipboard.readText()")
    assert copied == wide_page.locator("#read").inner_text()
    compile(copied, "copied", "exec")
