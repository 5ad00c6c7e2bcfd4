"""Write the figures of an evaluation into the README and docs/figures.md.

    python scripts/readme_figures.py out/evaluate/tables.json [MORE/tables.json ...] [--only NAME]

The README has its tables between comments such as `<!-- systems -->` and `<!-- /systems -->`; docs/figures.md
is the evaluation's tables.md as it is. Groups that were evaluated apart may be given one after the other. With
`--only` one table of the README is written, and nothing else.
"""

import argparse
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VOID = "—"
SYSTEMS = {
    "patterns": "**rearrange**",
    "copy": "copy",
    "instrument-swap": "instrument swap",
    "random-song": "random song",
}
STEMS = ("drums", "bass", "other", "vocals")
VOICES = ("kick", "snare", "hat")
NOTES = ("all notes", "melody", "bass", "chords")
HEARD = {"bands": "rendered bands", "recordings": "recordings"}
Row = list[str]


class Figures:
    """The tables of an evaluation, to be asked cell by cell."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._cells: dict[tuple[str, str, str], dict[str, float]] = {}
        self._labels: dict[str, list[str]] = {}
        tables = [table for path in paths for table in json.loads(path.read_text(encoding="utf-8"))["tables"]]
        for table in tables:
            self._labels[table["name"]] = [row["label"] for row in table["rows"]]
            for row in table["rows"]:
                for column, cell in zip(table["columns"], row["cells"], strict=True):
                    label = row["label"].removesuffix(" *")
                    self._cells[table["name"], label, column["heading"]] = cell

    def labels(self, table: str) -> list[str]:
        return self._labels[table]

    def text(self, table: str, row: str, heading: str, *, digits: int = 2, interval: bool = False) -> str:
        cell = self._cells.get((table, row.removesuffix(" *"), heading), {})
        if "mean" not in cell:
            return VOID
        text = f"{cell['mean']:.{digits}f}"
        if not interval or cell["songs"] < 2 or cell["low"] is None:
            return text
        return f"{text} ±{(cell['high'] - cell['low']) / 2:.{digits}f}".replace("±0.", "±.")

    def several(self, table: str, row: str, headings: Iterable[str], *, digits: int = 2) -> str:
        texts = [self.text(table, row, heading, digits=digits) for heading in headings]
        return VOID if texts[0] == VOID else " / ".join(texts)


def table(heads: Row, rows: Iterable[Row], *, text_columns: int = 1) -> str:
    rule = ["---"] * text_columns + ["---:"] * (len(heads) - text_columns)
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, rule, *rows))


def systems(figures: Figures) -> str:
    of_song = ("content", "melody F1", "chords", "genre")
    places = [(f"systems-{name}", heading) for name in ("oracle", "bands") for heading in of_song]
    places += [("systems-recordings", "content (sound)"), ("systems-recordings", "genre")]
    heads = [
        *("", "from MIDI: content", "melody F1", "chords", "genre"),
        *("from sound: content", "melody F1", "chords", "genre", "recordings: content", "genre"),
    ]
    return table(
        heads,
        (
            [title, *(figures.text(name, system, heading, interval=True) for name, heading in places)]
            for system, title in SYSTEMS.items()
        ),
    )


def genres(figures: Figures, name: str) -> str:
    def three(genre: str, what: str) -> str:
        headings = [f"{what}: {system}" for system in ("patterns", "copy", "random-song")]
        return figures.several(f"against-{name}", genre, headings)

    is_midi = name == "oracle"
    last = ("genres-oracle", "people", "distinct bars")
    if not is_midi:
        last = ("genres-recordings", "content (sound)", "genre")
    heads = [
        "from MIDI" if is_midi else "from sound",
        *("content: ours / copy / random", "melody F1"),
        *("chords: ours / copy / random", "genre: ours / copy / random"),
        *(("people", "distinct bars") if is_midi else ("recordings: content", "genre")),
    ]
    return table(
        heads,
        (
            [
                genre,
                three(genre, "content"),
                figures.text(f"genres-{name}", genre, "melody F1"),
                three(genre, "chords"),
                three(genre, "genre"),
                *(figures.text(last[0], genre, heading) for heading in last[1:]),
            ]
            for genre in figures.labels(f"genres-{name}")
        ),
    )


def arrangers(figures: Figures) -> str:
    """Who may write the rhythm section, side by side, from MIDI."""
    places = [("systems-oracle", each) for each in ("content", "melody F1", "chords", "genre", "rhythm alone")]
    places += [("variety-oracle", each) for each in ("distinct bars", "groove sim.", "micro-timing", "velocity")]
    return table(
        ["", *(heading for _, heading in places)],
        (
            [name, *(figures.text(table_name, name, heading, interval=True) for table_name, heading in places)]
            for name in ("patterns", "transformer")
        ),
    )


def ears(figures: Figures) -> str:
    def of(what: str, name: str, system: str, headings: Iterable[str], digits: int = 2) -> str:
        return figures.several(f"{what}-{name}", system, headings, digits=digits)

    rows: list[Row] = []
    for name, title in HEARD.items():
        ours, first, masks = (
            of("separation", name, system, STEMS, 1) for system in ("rearrange", "spectral", "harmonic-percussive")
        )
        rows.append([f"SI-SDR in dB, {' / '.join(STEMS)}, {title}", ours, f"`spectral` {first}; masks {masks}"])
    rows.append(
        [
            "notes, F1 of onsets: all / melody / bass / chords, rendered bands",
            of("notes", "bands", "rearrange", NOTES),
            f"Basic Pitch on the mix {figures.text('notes-bands', 'basic-pitch', 'all notes')}, "
            f"on the same stems {of('notes', 'bands', 'basic-pitch, same stems', NOTES)}",
        ]
    )
    for name, title in HEARD.items():
        clean = of("drums", name, "rearrange, clean drums", VOICES)
        ours = of("drums", name, "rearrange", VOICES)
        first = of("drums", name, "first drums", VOICES)
        rows.append(
            [f"drums, F1: {' / '.join(VOICES)}, {title}", f"{ours} (clean stem: {clean})", f"first {first}"]
        )
    for name, title in HEARD.items():
        ours = of("beats", name, "rearrange", ("beats", "downbeats", "tempo"))
        theirs = of("beats", name, "librosa", ("beats", "downbeats", "tempo"))
        rows.append([f"beats, downbeats (F1), tempo (Acc1), {title}", ours, f"librosa {theirs}"])
    harmony = of("harmony", "bands", "rearrange", ("chords", "sevenths", "key"))
    rows.append(["chords majmin / sevenths / key, rendered bands", harmony, ""])
    return table(["", "ours", "to be beaten"], rows, text_columns=3)


def sound(figures: Figures) -> str:
    played = {
        "patterns": "**rearrange**",
        "copy": "copy, played",
        "instrument-swap": "instrument swap, played",
        "spectrogram-transfer": "spectrogram style transfer",
    }
    headings = ("sound to source", "melody heard", "genre heard")
    return table(
        ["what comes out, heard again", *headings],
        (
            [title, *(figures.text("sound", system, heading, interval=True) for heading in headings)]
            for system, title in played.items()
        ),
    )


BLOCKS: dict[str, Callable[[Figures], str]] = {
    "systems": systems,
    "arrangers": arrangers,
    "genres-midi": lambda figures: genres(figures, "oracle"),
    "genres-sound": lambda figures: genres(figures, "bands"),
    "ears": ears,
    "sound": sound,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--only", choices=tuple(BLOCKS))
    args = parser.parse_args()
    figures, paths = Figures(args.paths), args.paths
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    for name, make in BLOCKS.items():
        if args.only not in (None, name):
            continue
        block = f"<!-- {name} -->\n{make(figures)}\n<!-- /{name} -->"
        text, found = re.subn(f"<!-- {name} -->.*?<!-- /{name} -->", lambda _, b=block: b, text, flags=re.DOTALL)
        if found != 1:
            raise SystemExit(f"{readme}: there is no place for the table {name}")
    readme.write_text(text, encoding="utf-8")
    if args.only:
        return
    whole = "# Figures\n\nAll tables of one evaluation, as it wrote them; [what they mean](evaluation.md).\n\n"
    parts = [path.with_suffix(".md").read_text(encoding="utf-8") for path in paths]
    (ROOT / "docs" / "figures.md").write_text(whole + "\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
