"""The page as a text: whole, offline, and safe against whatever a song is called."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from rearrange.evaluation.report.axis import BarAxis
from rearrange.evaluation.report.facts import ReportFacts
from rearrange.evaluation.report.page import Content, page_html
from rearrange.score import Role
from tests.evaluation.report.pages import content

NASTY = "</script><script>alert('1')</script> & Größe"


class Elements(HTMLParser):
    """Tags with their attributes, and the text of scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self._script = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._script = (dict(attrs).get("id") or "code") if tag == "script" else ""

    def handle_data(self, data: str) -> None:
        if self._script:
            self.scripts[self._script] = self.scripts.get(self._script, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._script = ""


@pytest.fixture(scope="module")
def made() -> Content:
    return content(title=NASTY)


@pytest.fixture(scope="module")
def html(made: Content) -> str:
    return page_html(made)


def test_it_needs_nothing_from_outside(html: str) -> None:
    elements = Elements(html)
    for tag, attributes in elements.tags:
        for name in ("src", "href", "srcset", "action"):
            assert (attributes.get(name) or "data:").startswith("data:"), f"{tag} {name}"
    assert not re.search(r"@import|url\(", html)
    assert "default-src 'none'" in html


def test_a_title_is_only_a_text(html: str) -> None:
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html
    assert set(Elements(html).scripts) == {"sound-a", "sound-b", "sound-0", "sound-1", "players", "code"}


def test_the_players_know_where_every_beat_is_on_both_sides(html: str, made: Content) -> None:
    players = json.loads(Elements(html).scripts["players"])
    axis = BarAxis(
        made.score.timeline, made.arrangement.timeline, 2.0, made.source.duration_s, made.result.duration_s
    )
    assert players["bars"] == [bar.onset_beat for bar in axis.bars]
    for side, name in (("a", "source"), ("b", "result")):
        expected = axis.seconds(players["beats"], side=name)
        np.testing.assert_allclose(players[side], expected, atol=1e-3)
    assert max(players["gains"].values()) <= 1.0
    assert len(players["tracks"]) == 2


def test_everything_that_was_found_out_stands_there(html: str) -> None:
    for text in (
        "The tune is the song&#39;s own.",
        "straight → swing 62 %",
        "bars 1–8",
        "brushes instead of rock kit",
        "How much of the harmony is left.",
        "Not measured: no judge is installed.",
        "few notes in common; a gap",
        "seed",
    ):
        assert text in html
    gauges = [attributes for _, attributes in Elements(html).tags if attributes.get("role") == "meter"]
    assert [gauge["aria-valuenow"] for gauge in gauges] == ["84"]


def test_weak_bars_and_changes_lead_to_their_bars(html: str, made: Content) -> None:
    tags = Elements(html).tags
    beats = [attributes["data-beat"] for tag, attributes in tags if tag == "button" and "data-to" in attributes]
    assert [float(beat or "nan") for beat in beats] == [0.0, 8.0, 8.0, 20.0]
    weak = [attributes["style"] or "" for _, attributes in tags if attributes.get("class") == "weak"]
    assert len(weak) == 2


def test_buttons_and_pictures_have_names(html: str) -> None:
    assert 'aria-live="polite"' in html
    assert 'lang="en"' in html
    for tag, attributes in Elements(html).tags:
        if tag == "img":
            assert attributes.get("alt")
        if tag == "input":
            assert attributes.get("aria-label")


def test_there_is_one_path_per_role_and_roll(html: str) -> None:
    melody = [
        attributes
        for tag, attributes in Elements(html).tags
        if tag == "path" and attributes.get("class") == f"role-{Role.MELODY}"
    ]
    assert len(melody) == 3  # before, after, and on its own track


def test_a_song_without_anything_to_say_still_has_a_page(made: Content) -> None:
    bare = replace(
        made,
        facts=ReportFacts((), (), (), (), ()),
        score=replace(made.score, tracks=(), chords=(), sections=()),
        arrangement=replace(made.arrangement, chords=(), sections=()),
        tracks=(),
    )
    html = page_html(bare)
    assert "no notes" in html
    assert "Nothing that could be put in words." in html
    assert "No bar stands out." in html
