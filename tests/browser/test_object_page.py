"""The object page in a browser: its plots by keyboard and mouse, copying, and the choice of a class."""

import re
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.accessibility import check_accessible, check_no_sideways_scroll
from tom_desc.mjd import utc

pytestmark = pytest.mark.full


@pytest.fixture(autouse=True)
def at_the_object(request: pytest.FixtureRequest, objectid: int) -> None:
    """Every page of a test starts at the object."""
    for name in ("page", "wide_page", "page_without_scripts"):
        if name in request.fixturenames:
            request.getfixturevalue(name).goto(f"/elasticc2/object/{objectid}")


def light_curve(page: Page) -> Locator:
    return page.get_by_role("group", name="Light curve")


def probabilities(page: Page) -> Locator:
    return page.get_by_role("group", name="Probability of")


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def readout(plot: Locator) -> Locator:
    """Where the plot says which of its points is selected."""
    return plot.locator("xpath=following-sibling::output")


def readouts(page: Page, plot: Locator) -> list[str]:
    """What the plot says of each point, stepping from the first to the last by keyboard."""
    plot.focus()
    page.keyboard.press("Home")
    found = [readout(plot).inner_text()]
    while True:
        page.keyboard.press("ArrowRight")
        text = readout(plot).inner_text()
        if text == found[-1]:
            return found
        found.append(text)


def shown_range(plot: Locator) -> tuple[float, float]:
    """MJD of the ends of the time axis."""
    first, last = re.findall(r"MJD (\d+\.\d+)", plot.get_attribute("aria-label") or "")
    return float(first), float(last)


def length(plot: Locator) -> float:
    first, last = shown_range(plot)
    return last - first


# ---- the light curve


def test_arrow_keys_read_off_every_point_in_order_of_time(wide_page: Page) -> None:
    texts = readouts(wide_page, light_curve(wide_page))
    times = [float(re.findall(r"MJD (\d+\.\d+)", text)[0]) for text in texts]
    assert times == sorted(times)
    assert wide_page.get_by_text(f"All {len(texts)} points").is_visible()
    assert all(re.search(r"MJD [\d.]+ \(20\d\d-\d\d-\d\d \d\d:\d\d UTC\) · \w · ", text) for text in texts)


def test_pointing_at_a_mark_reads_it_off(wide_page: Page) -> None:
    plot = light_curve(wide_page)
    hint = readout(plot).inner_text()
    box = plot.locator(".u-over").bounding_box()
    assert box is not None
    for step in range(100):
        wide_page.mouse.move(box["x"] + box["width"] * step / 100, box["y"] + box["height"] / 2)
        if readout(plot).inner_text() != hint:
            break
    expect(readout(plot)).to_contain_text("nJy")
    wide_page.mouse.move(0, 0)
    expect(readout(plot)).to_have_text(hint)


def test_a_band_is_switched_off_and_on_by_keyboard(page: Page) -> None:
    band = button(page, "Band r")
    band.focus()
    page.keyboard.press("Space")
    expect(band).to_have_attribute("aria-pressed", "false")
    assert {text.split(" · ")[1] for text in readouts(page, light_curve(page))}.isdisjoint("r")
    band.focus()
    page.keyboard.press("Enter")
    expect(band).to_have_attribute("aria-pressed", "true")
    assert any(" · r · " in text for text in readouts(page, light_curve(page)))


@pytest.mark.parametrize(("kind", "left"), [("Forced", "detection"), ("Detections", "forced")])
def test_detections_and_forced_points_are_switched_off_apart(wide_page: Page, kind: str, left: str) -> None:
    button(wide_page, kind).click()
    assert {text.split(" · ")[2] for text in readouts(wide_page, light_curve(wide_page))} == {left}


def test_limits_are_points_of_their_own_among_magnitudes(wide_page: Page) -> None:
    limits = button(wide_page, "3σ limits")
    expect(limits).to_be_hidden()
    button(wide_page, "Magnitude").click()
    assert any("fainter than" in text for text in readouts(wide_page, light_curve(wide_page)))
    limits.click()
    assert not any("fainter than" in text for text in readouts(wide_page, light_curve(wide_page)))


def test_with_nothing_shown_there_is_nothing_to_step_through(wide_page: Page) -> None:
    button(wide_page, "Forced").click()
    button(wide_page, "Detections").click()
    [text] = readouts(wide_page, light_curve(wide_page))
    assert text.startswith("Point at a mark")


def test_keys_zoom_in_and_out_and_back(page: Page) -> None:
    plot = light_curve(page)
    whole = shown_range(plot)
    plot.focus()
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert length(plot) == pytest.approx((whole[1] - whole[0]) / 4, abs=0.03)
    page.keyboard.press("-")
    assert length(plot) == pytest.approx((whole[1] - whole[0]) / 2, abs=0.03)
    before = shown_range(plot)
    page.keyboard.press("Shift+ArrowLeft")
    assert shown_range(plot)[0] < before[0]
    assert length(plot) == pytest.approx(before[1] - before[0], abs=0.03)
    page.keyboard.press("0")
    assert shown_range(plot) == whole


def test_the_range_never_leaves_the_points(wide_page: Page) -> None:
    plot = light_curve(wide_page)
    whole = shown_range(plot)
    plot.focus()
    for key in ("-", "-", "Shift+ArrowRight", "Shift+ArrowLeft"):
        wide_page.keyboard.press(key)
        assert shown_range(plot) == whole


def test_buttons_zoom_for_who_has_neither_mouse_nor_keys(page: Page) -> None:
    plot = light_curve(page)
    whole = shown_range(plot)
    button(page, "Zoom in").click()
    assert length(plot) == pytest.approx((whole[1] - whole[0]) / 2, abs=0.03)
    button(page, "Zoom out").click()
    button(page, "Zoom in").click()
    button(page, "Whole range").click()
    assert shown_range(plot) == whole


def test_dragging_zooms_and_a_double_click_shows_all(wide_page: Page) -> None:
    plot = light_curve(wide_page)
    whole = shown_range(plot)
    over = plot.locator(".u-over")
    box = over.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    wide_page.mouse.move(box["x"] + box["width"] / 4, middle)
    wide_page.mouse.down()
    wide_page.mouse.move(box["x"] + box["width"] / 2, middle, steps=5)
    wide_page.mouse.up()
    first, last = shown_range(plot)
    quarter = (whole[1] - whole[0]) / 4
    assert first == pytest.approx(whole[0] + quarter, abs=quarter / 20)
    assert last == pytest.approx(whole[0] + 2 * quarter, abs=quarter / 20)
    over.dblclick()
    assert shown_range(plot) == whole


def test_stepping_moves_the_range_to_the_point(wide_page: Page) -> None:
    plot = light_curve(wide_page)
    plot.focus()
    wide_page.keyboard.press("Home")
    for _ in range(4):
        wide_page.keyboard.press("+")
    wide_page.keyboard.press("End")
    last = float(re.findall(r"MJD (\d+\.\d+)", readout(plot).inner_text())[0])
    first_shown, last_shown = shown_range(plot)
    assert first_shown <= last <= last_shown


def test_time_is_written_as_mjd_or_as_date(page: Page) -> None:
    for plot in (light_curve(page), probabilities(page)):
        expect(plot).to_have_attribute("aria-label", re.compile(r", MJD [\d.]+ to MJD [\d.]+\."))
    button(page, "Date").click()
    expect(button(page, "Date")).to_have_attribute("aria-pressed", "true")
    expect(button(page, "MJD")).to_have_attribute("aria-pressed", "false")
    date = r"20\d\d-\d\d-\d\d \d\d:\d\d UTC"
    for plot in (light_curve(page), probabilities(page)):
        expect(plot).to_have_attribute("aria-label", re.compile(f", {date} to {date}\\."))


# The ends of a time range and what is written on its axis: MJD (TAI) and label of each tick.
TICKS = """async (days) => {
    const { Timeline } = await import("/static/timeplot.js");
    const time = new Timeline([60900, 60900 + days], 37);
    const [min, max] = [60900, 60900 + days];
    const ticks = time.dates(min, max, (max - min) / 8);
    return { min, max, ticks, labels: time.dateLabels(ticks) };
}"""


@pytest.mark.parametrize("days", [0.01, 0.1, 1, 5, 20, 100, 400, 1000, 4000])
def test_dates_on_the_axis_are_round_in_utc(wide_page: Page, days: float) -> None:
    axis = wide_page.evaluate(TICKS, days)
    assert 2 <= len(axis["ticks"]) <= 9
    assert axis["min"] <= axis["ticks"][0]
    assert axis["ticks"][-1] <= axis["max"]
    for mjd, label in zip(axis["ticks"], axis["labels"], strict=True):
        time, _, date = label.rpartition("\n")
        written = datetime.fromisoformat(f"{date}T{time or '00:00'}Z")
        assert abs(utc(mjd) - written) < timedelta(milliseconds=1)


def test_the_page_is_accessible_and_fits_with_all_of_it_open(page: Page) -> None:
    button(page, "Magnitude").click()
    button(page, "Date").click()
    button(page, "Band r").click()
    for summary in page.locator("summary").all():
        summary.click()
    check_no_sideways_scroll(page)
    check_accessible(page)


# ---- each classifier's opinion over time


def test_the_probabilities_show_the_time_of_the_light_curve(wide_page: Page) -> None:
    assert shown_range(probabilities(wide_page)) == shown_range(light_curve(wide_page))
    light_curve(wide_page).focus()
    wide_page.keyboard.press("+")
    assert shown_range(probabilities(wide_page)) == shown_range(light_curve(wide_page))
    probabilities(wide_page).focus()
    wide_page.keyboard.press("+")
    assert shown_range(probabilities(wide_page)) == shown_range(light_curve(wide_page))


def test_a_classifier_is_switched_off(wide_page: Page) -> None:
    plot = probabilities(wide_page)
    nugent = "FakeBroker v1.0 · NugentClassifier 100%"
    assert any(nugent in text and text.endswith("Ia (2222) 1.000") for text in readouts(wide_page, plot))
    button(wide_page, nugent).click()
    left = readouts(wide_page, plot)
    assert left
    assert not any(nugent in text for text in left)


def choose(page: Page, label: str) -> None:
    page.get_by_label("Probability of class").select_option(label=label)


def test_another_class_is_shown_without_loading_the_page_anew(page: Page) -> None:
    page.evaluate("window.same = true")
    light_curve(page).focus()
    page.keyboard.press("+")
    zoomed = shown_range(light_curve(page))
    choose(page, "II (2224)")
    expect(page.get_by_role("group", name="Probability of II (2224) over time")).to_be_visible()
    expect(page.locator("#choose-class output")).to_contain_text("1 classifier said of II (2224)")
    assert shown_range(probabilities(page)) == zoomed
    assert page.evaluate("window.same")
    assert page.url.endswith("?class=2224")


def test_the_chosen_class_is_the_one_that_the_page_loads_with(page: Page) -> None:
    choose(page, "II (2224)")
    expect(page.get_by_role("group", name="Probability of II (2224) over time")).to_be_visible()
    page.reload()
    expect(page.get_by_role("group", name="Probability of II (2224) over time")).to_be_visible()
    assert page.get_by_label("Probability of class").input_value() == "2224"


def test_the_last_of_quick_choices_is_shown(wide_page: Page) -> None:
    for label in ("II (2224)", "Ib/c (2223)", "Ia (2222)", "KN (2232)"):
        choose(wide_page, label)
    expect(wide_page.get_by_role("group", name="Probability of KN (2232) over time")).to_be_visible()
    wide_page.wait_for_load_state("networkidle")
    expect(wide_page.get_by_role("group", name="Probability of")).to_have_count(1)
    expect(probabilities(wide_page)).to_have_attribute("aria-label", re.compile("KN"))


def test_numbers_that_were_open_stay_open(wide_page: Page) -> None:
    wide_page.get_by_text("The same in numbers").click()
    choose(wide_page, "II (2224)")
    expect(wide_page.get_by_role("region", name="Probabilities in numbers")).to_contain_text("II (2224)")


def test_the_numbers_are_those_of_the_plot(wide_page: Page) -> None:
    wide_page.get_by_text("The same in numbers").click()
    numbers = [
        value
        for row in wide_page.get_by_role("region", name="Probabilities in numbers").locator("tbody tr").all()
        for value in row.locator("td").all_inner_texts()[1:]
        if value != "—"
    ]
    read = [text.split()[-1] for text in readouts(wide_page, probabilities(wide_page))]
    assert sorted(numbers) == sorted(read)


def test_whose_session_has_ended_is_asked_to_log_in(wide_page: Page) -> None:
    wide_page.context.clear_cookies()
    choose(wide_page, "II (2224)")
    wide_page.wait_for_url("**/accounts/login/?next=**class%3D2224*")


def test_a_class_is_chosen_without_scripts(page_without_scripts: Page) -> None:
    choose(page_without_scripts, "II (2224)")
    button(page_without_scripts, "Show").click()
    page_without_scripts.get_by_text("The same in numbers").click()
    expect(page_without_scripts.get_by_role("table", name="Probability of II (2224)")).to_be_visible()


# ---- copying

COPIED = {
    "the object’s id": r"\d+",
    "the position in degrees": r"\d+\.\d{6} -?\d+\.\d{6}",
    "the sexagesimal position": r"\d\d:\d\d:\d\d\.\d{3} [+-]\d\d:\d\d:\d\d\.\d\d",
    "the name by position": r"J\d{6}\.\d\d[+-]\d{6}\.\d",
    "the call": r"(?s)from tom_client import TomClient.*",
}


def copy(page: Page, what: str) -> None:
    button(page, f"Copy {what}").focus()
    page.keyboard.press("Enter")
    expect(button(page, f"Copied {what}")).to_be_visible()


@pytest.mark.parametrize("what", COPIED)
def test_it_is_copied_by_keyboard_and_said_aloud(page: Page, what: str) -> None:
    page.context.grant_permissions(["clipboard-read"])
    copy(page, what)
    expect(page.get_by_role("status").get_by_text(f"Copied {what}", exact=True)).to_have_count(1)
    assert re.fullmatch(COPIED[what], page.evaluate("navigator.clipboard.readText()"))
    expect(button(page, f"Copy {what}")).to_be_visible()


def test_it_is_copied_where_a_browser_withholds_the_clipboard(wide_page: Page, objectid: int) -> None:
    """As from a plain http address."""
    wide_page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    copy(wide_page, "the object’s id")
    assert wide_page.evaluate("document.activeElement.textContent") == "Copied"
    wide_page.evaluate("document.querySelector('main').append(document.createElement('textarea'))")
    wide_page.locator("main > textarea").focus()
    wide_page.keyboard.press("Control+V")
    assert wide_page.locator("main > textarea").input_value() == str(objectid)


def test_without_scripts_there_is_nothing_to_press_and_everything_to_read(page_without_scripts: Page) -> None:
    expect(page_without_scripts.get_by_role("button", name="Copy")).to_have_count(0)
    page_without_scripts.get_by_text(re.compile(r"^All \d+ points$")).click()
    expect(page_without_scripts.get_by_role("region", name="All points")).to_be_visible()
