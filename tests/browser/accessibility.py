"""What every page must be for everybody: readable by machines, and as wide as its window."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

GRAVE = ("serious", "critical")
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def check_accessible(page: Page) -> None:
    """axe finds nothing serious, neither on a light nor on a dark ground."""
    for ground in ("light", "dark"):
        page.emulate_media(color_scheme=ground)
        assert findings(page) == [], ground
    page.emulate_media(color_scheme="light")


def findings(page: Page) -> list[str]:
    """Each grave finding of axe with the elements that it is about."""
    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {rule['help']}: {[node['target'] for node in rule['nodes']]}"
        for rule in found
        if rule["impact"] in GRAVE
    ]


def check_no_sideways_scroll(page: Page) -> None:
    assert page.evaluate(TOO_WIDE) <= 0
