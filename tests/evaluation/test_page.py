"""The page of tables: whole, escaped, with every figure's interval."""

import re
from xml.etree import ElementTree

from rearrange.evaluation.measure import Measure
from rearrange.evaluation.page import page
from rearrange.evaluation.rows import Row
from rearrange.evaluation.tables import Spec, tables_of

SPEC = Spec("s", "songs", "oracle", "Systems <here>", "system", ("content", "genre", "micro_timing_ms", "melody"))


def rows() -> list[Row]:
    return [
        Row("songs", "oracle", song, system, "jazz", measures={
            "content": Measure(content), "genre": Measure(0.5 * content), "micro_timing_ms": Measure(12.0),
            "melody": Measure(None, "no <melody>"),
        })
        for system, contents in (("copy", (1.0, 0.9)), ("patterns", (0.6, 0.8)))
        for song, content in zip("ab", contents, strict=True)
    ]  # fmt: skip


def test_the_page_is_whole_and_needs_no_network() -> None:
    html = page(tables_of(rows(), [SPEC]), {"made": "today & here"})
    assert "today &amp; here" in html
    assert "Systems &lt;here&gt;" in html
    assert "no &lt;melody&gt;" in html
    assert not re.search(r"https?://|<script|src=|@import", html)


def test_every_figure_has_its_bar_and_interval() -> None:
    html = page(tables_of(rows(), [SPEC]), {})
    body = re.search(r"<tbody>.*</tbody>", html, re.S)
    assert body is not None
    lines = ElementTree.fromstring(body[0]).findall("tr")
    assert [line.findtext("th") for line in lines] == ["copy", "patterns"]
    content, genre, timing, melody = lines[1].findall("td")
    assert (content.text or "").strip() == "0.700"
    assert content.attrib["title"] == "95 % interval 0.600 to 0.800, 2 songs"
    assert float(content.find("svg/rect").attrib["width"]) == 63.0  # type: ignore[union-attr]
    assert float(genre.find("svg/rect").attrib["width"]) == 31.5  # type: ignore[union-attr]
    assert float(timing.find("svg/rect").attrib["width"]) == 90.0  # type: ignore[union-attr]
    assert melody.find("svg") is None
    assert melody.attrib["title"] == "no <melody>"


def test_song_is_plotted_against_genre() -> None:
    html = page(tables_of(rows(), [SPEC]), {})
    marks = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', html)
    (copy_x, copy_y), (ours_x, ours_y) = [(float(x), float(y)) for x, y in marks]
    assert copy_x > ours_x  # more of the song to the right
    assert copy_y < ours_y  # more of the genre further up, where y is smaller


def test_no_tables_make_a_page_too() -> None:
    assert "<h1>" in page((), {})
