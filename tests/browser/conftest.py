"""A browser at a TOM: the system's Chromium, and sixty simulated objects that brokers have answered."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, StorageState, expect, sync_playwright

from localservers import debian
from tests.conftest import create_database, drop_database
from tests.localtom import LocalTom, database_name
from tom_desc.snana.simulate import simulate_survey

LAST_MJD = 61000.45
# The end of a night in which an object is detected for the first time.
ANSWERED_MJD = 60991.5
SIZES = {"wide": (1280, 800), "narrow": (360, 740)}
# Far more than a busy machine needs: what is waited for in vain fails in the end.
PATIENCE_MS = 120_000
# Chromium's sandbox refuses to be root's.
AS_ROOT = ["--no-sandbox"]

# An object with detections in many bands, so that its page has something to show.
SHOWN = """
    SELECT diaobject_id FROM elasticc2_diasource
    GROUP BY diaobject_id ORDER BY count(DISTINCT filtername) DESC, count(*) DESC, diaobject_id LIMIT 1"""


@pytest.fixture(scope="session")
def chromium() -> str:
    if missing := debian.missing_for_browser():
        pytest.skip(f"needs apt-get install {' '.join(missing)} (./tom test does it for root on Debian)")
    return str(debian.chromium())


@pytest.fixture(scope="session")
def shown_tom(
    chromium: str, migrated_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalTom]:
    """A TOM that all browser tests look at; none changes it."""
    directory = tmp_path_factory.mktemp("shown")
    name = database_name("shown")
    survey = simulate_survey(directory / "survey", objects=60, seed=3, last_mjd=LAST_MJD)
    create_database(name, template=migrated_database)
    try:
        with LocalTom(name, directory) as tom:
            tom.manage("load_snana_fits", "--ppdb", "--do", "-d", *survey)
            tom.manage("campaign", "elasticc2", "--clock", "sent")
            answer = ("fakebroker", "--rest", tom.url, "--through-day", ANSWERED_MJD)
            tom.manage(*answer)
            tom.manage(*answer, "--classifiers", "api")
            tom.manage("update_elasticc2_sources")
            yield tom
    finally:
        drop_database(name)


@pytest.fixture(scope="session")
def objectid(shown_tom: LocalTom) -> int:
    """An object worth looking at."""
    found: int = shown_tom.one(SHOWN)
    return found


# While Playwright runs, so does its event loop, and in its thread Django refuses the database to other tests.
@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    arguments = AS_ROOT if os.geteuid() == 0 else []
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def logged_in(browser: Browser, shown_tom: LocalTom) -> StorageState:
    """Cookies of root, who sees all that a page can show."""
    context = browser.new_context(base_url=shown_tom.url)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill("testing")
    page.get_by_role("main").get_by_role("button", name="Log in").click()
    page.get_by_role("button", name="Log out").wait_for()
    state = context.storage_state()
    context.close()
    return state


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, shown_tom: LocalTom) -> Iterator[Open]:
    """Makes pages from ``Browser.new_context``'s arguments; what they complain of fails the test."""
    complaints: list[str] = []

    def make(**options: Any) -> Page:
        context = browser.new_context(base_url=shown_tom.url, **options)
        context.set_default_timeout(PATIENCE_MS)
        opened.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.extend(complaint(page, message)))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    opened: list[Any] = []
    yield make
    for context in opened:
        context.close()
    assert complaints == []


def complaint(page: Page, message: ConsoleMessage) -> list[str]:
    """An error on the console; that the page itself was refused is for the test to judge."""
    refused = message.text.startswith("Failed to load resource") and message.location["url"] == page.url
    return [message.text] if message.type in ("error", "warning") and not refused else []


@pytest.fixture(params=SIZES)
def page(request: pytest.FixtureRequest, open_page: Open, logged_in: StorageState) -> Page:
    """A page of somebody who is logged in, on a desk and in the hand."""
    return open_page(viewport=viewport(request.param), storage_state=logged_in)


@pytest.fixture
def wide_page(open_page: Open, logged_in: StorageState) -> Page:
    return open_page(viewport=viewport("wide"), storage_state=logged_in)


@pytest.fixture
def narrow_page(open_page: Open, logged_in: StorageState) -> Page:
    return open_page(viewport=viewport("narrow"), storage_state=logged_in)


@pytest.fixture(params=SIZES)
def strangers_page(request: pytest.FixtureRequest, open_page: Open) -> Page:
    """A page of somebody who is not logged in."""
    return open_page(viewport=viewport(request.param))


@pytest.fixture
def page_without_scripts(open_page: Open, logged_in: StorageState) -> Page:
    return open_page(viewport=viewport("wide"), storage_state=logged_in, java_script_enabled=False)


def viewport(size: str) -> dict[str, int]:
    width, height = SIZES[size]
    return {"width": width, "height": height}
