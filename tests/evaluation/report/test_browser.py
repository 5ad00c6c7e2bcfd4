"""The page in a real browser: it plays, switches at the same bar, seeks, and complains of nothing."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rearrange.evaluation.report.axis import BarAxis
from rearrange.evaluation.report.page import page_html
from tests.evaluation.report.chromium import Page, browser_path, open_page
from tests.evaluation.report.pages import content

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browser_path() is None, reason="there is no Chromium"),
]

CONTENT = content()
AXIS = BarAxis(
    CONTENT.score.timeline,
    CONTENT.arrangement.timeline,
    CONTENT.arrangement.beat_ratio,
    CONTENT.source.duration_s,
    CONTENT.result.duration_s,
)
SOUND = "document.querySelector('[data-sound=\"{}\"]')"
NOW = SOUND + ".currentTime"
STACK = "document.querySelector('#stack')"
PAUSED = "[...document.querySelectorAll('audio')].every((sound) => sound.paused)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with open_page(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(browser: Page, tmp_path: Path) -> Iterator[Page]:
    path = tmp_path / "Größe 1.html"
    path.write_text(page_html(CONTENT), encoding="utf-8")
    browser.errors.clear()
    browser.requests.clear()
    browser.look(width=1280, height=900)
    browser.open(path)
    yield browser
    assert browser.errors == []
    assert browser.requests == [path.as_uri()]  # nothing is asked of the network


def shown(page: Page) -> str:
    return str(page.run("document.querySelector('#bar').textContent"))


def plays(page: Page, sound: str) -> None:
    element = SOUND.format(sound)
    page.wait(f"{element} && !{element}.paused")
    before = page.run(NOW.format(sound))
    page.wait(f"{NOW.format(sound)} > {before} + 0.15")


def test_both_sides_play_and_stop(page: Page) -> None:
    page.click("#play")
    plays(page, "b")
    page.press("a")
    plays(page, "a")
    assert page.run(f"{SOUND.format('b')}.paused")
    page.press(" ", "Space")
    page.wait(PAUSED)
    page.press(" ", "Space")
    plays(page, "a")


@pytest.mark.parametrize("bar", [1, 3, 8])
def test_a_switch_lands_at_the_same_place(page: Page, bar: int) -> None:
    beat = AXIS.bars[bar - 1].onset_beat + 1.25
    share = AXIS.share(beat)
    page.run(
        f"(() => {{ const stack = {STACK}, box = stack.getBoundingClientRect();"
        f"const place = {{ bubbles: true, clientX: box.left + {share} * box.width, clientY: box.top + 99 }};"
        "stack.dispatchEvent(new MouseEvent('click', place)); })()"
    )
    page.wait(f"Math.abs({NOW.format('b')} - {float(AXIS.seconds(beat, side='result'))}) < 0.05")
    assert shown(page) == f"Bar {bar} of {len(AXIS.bars)}"
    page.press("a")
    page.wait(f"{SOUND.format('a')} && !{SOUND.format('a')}.seeking")
    assert abs(page.run(NOW.format("a")) - float(AXIS.seconds(beat, side="source"))) < 0.05
    assert shown(page) == f"Bar {bar} of {len(AXIS.bars)}"


def test_a_switch_while_playing_goes_on_from_there(page: Page) -> None:
    page.click("#play")
    plays(page, "b")
    page.wait(f"{NOW.format('b')} > 2.2")
    before_s, _, asked = page.run(
        f"[{NOW.format('b')}, document.querySelector('[data-side=a]').click(), performance.now()]"
    )
    page.wait(f"{SOUND.format('a')} && {NOW.format('a')} > 0 && !{SOUND.format('a')}.paused")
    after_s, then = page.run(f"[{NOW.format('a')}, performance.now()]")
    beat = float(AXIS.beats(before_s, side="result"))
    expected_s = float(AXIS.seconds(beat, side="source"))
    # Somewhere between where it was asked for and where it would be had the switch taken no time.
    assert expected_s - 0.05 <= after_s <= expected_s + (then - asked) / 1000 + 0.05
    onsets = [bar.onset_beat for bar in AXIS.bars]
    bar_before = np.searchsorted(onsets, beat, side="right")
    bar_after = np.searchsorted(onsets, float(AXIS.beats(after_s, side="source")), side="right")
    assert bar_after - bar_before in (0, 1 if beat % 4 > 3.5 else 0)


def test_weak_bars_and_changes_are_heard_by_a_click(page: Page) -> None:
    page.click(".weak-list button")
    plays(page, "b")
    start_s = float(AXIS.seconds(AXIS.bars[2].onset_beat, side="result"))
    assert start_s <= page.run(NOW.format("b")) < start_s + 3
    assert shown(page).startswith("Bar 3 ")
    assert page.run("document.querySelector('#spoken').textContent") == f"Bar 3 of {len(AXIS.bars)}, Other"
    page.click(".changes button")
    page.wait("document.querySelector('#bar').textContent.startsWith('Bar 1 ')")


def test_tracks_play_together_and_alone(page: Page) -> None:
    page.click("[data-side='t']")
    page.click("#play")
    plays(page, "0")
    plays(page, "1")
    page.wait(f"Math.abs({NOW.format('0')} - {NOW.format('1')}) < 0.06")
    page.click("[data-track='1'] [data-alone]")
    page.wait("document.querySelector('[data-track=\"0\"]').classList.contains('silenced')")
    plays(page, "1")
    page.click("[data-track='1'] [data-alone]")
    page.wait(PAUSED)
    page.click("[data-track='0'] [data-mute]")
    assert (
        page.run("document.querySelector('[data-track=\"0\"] [data-mute]').getAttribute('aria-pressed')") == "true"
    )


def test_it_fits_a_phone_and_the_dark(page: Page) -> None:
    for dark in (False, True):
        page.look(width=390, height=844, dark=dark, phone=True)
        time.sleep(0.2)
        assert page.run("document.documentElement.scrollWidth") <= 390
        ink, paper = page.run("['color', 'backgroundColor'].map((name) => getComputedStyle(document.body)[name])")
        assert ink != paper
    page.click("[data-bars='8']")
    assert page.run(
        "document.querySelector('#stack').offsetWidth >= document.querySelector('#scroller').clientWidth"
    )
