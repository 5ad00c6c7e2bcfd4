"""Rows of figures drawn together into tables: means over songs, with intervals.

Conventions: a cell is the mean over songs of each song's own mean, so that a song counts once however many seeds
and genres it was measured with; its interval is a bootstrap over songs. A cell without any figure carries the
reason that was given most often.
"""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from rearrange.evaluation.baselines.symbolic import OURS
from rearrange.evaluation.columns import Column, column
from rearrange.evaluation.rows import SEEN_RECORDING, Row
from rearrange.evaluation.statistics import bootstrap_interval

__all__ = ["SPECS", "WEAK", "Cell", "Spec", "Table", "TableRow", "tables_of"]

_SEED = 0  # of the bootstrap: the same rows give the same intervals
ALL = "all"
WEAK = " *"


@dataclass(frozen=True)
class Cell:
    """A mean with its 95 % interval; None where nothing could be measured, and then `reason` says why.

    songs : over how many songs the mean is taken
    void : of how many more rows there was no figure
    """

    mean: float | None
    low: float | None = None
    high: float | None = None
    songs: int = 0
    void: int = 0
    reason: str = ""


@dataclass(frozen=True)
class TableRow:
    """A row under its label."""

    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A table; `headings` are of its cells, `columns` what the figures are (the same one may stand twice)."""

    name: str
    group: str
    title: str
    label: str
    headings: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]


@dataclass(frozen=True)
class Spec:
    """Which rows make which table.

    by : what a row of the table stands for: system, genre, song, condition or corpus
    systems : only these; all where empty
    across : a column for each system under each figure, in place of one
    with_all : whether a last row draws all together
    """

    name: str
    group: str
    set: str
    title: str
    by: str
    columns: tuple[str, ...]
    systems: tuple[str, ...] = ()
    across: bool = False
    with_all: bool = False
    keep: Callable[[Row], bool] = field(default=lambda _row: True)


_SONG = ("content", "melody", "chords", "sevenths", "key")
_GENRE = ("genre", "genre_hit", "rhythm", "style_fit")
_OF_GENRE = ("genre", "people", "genre_hit", "rhythm", "style_fit")
_VARIETY = ("distinct", "groove", "micro_timing_ms", "velocity_spread")
_SEPARATION = ("sdr_drums", "sdr_bass", "sdr_other", "sdr_vocals")
_NOTES = ("notes_all", "notes_all_offset", "notes_vocals", "notes_bass", "notes_other")
_DRUMS = ("drums_mean", "drums_kick", "drums_snare", "drums_hat", "drums_tom", "drums_crash", "drums_ride")
_BEATS = ("beats", "cmlt", "amlt", "downbeats", "tempo", "tempo_octave")
_HARMONY = ("chords", "sevenths", "key", "boundaries")
_SOUND = ("loudness_lufs", "true_peak_dbtp", "silence", "clipping", "spectral_distance", "chroma_midi")
_HEARD = ("chroma_source", "melody_heard", "genre_heard", "loudness_lufs", "true_peak_dbtp", "spectral_distance")
_COST = (
    "rtf",
    "rtf_separate",
    "rtf_transcribe",
    "rtf_analyse",
    "rtf_arrange",
    "rtf_render",
    "rtf_mix",
    "memory_gib",
)
_AGAINST = ("patterns", "transformer", "copy", "instrument-swap", "random-song")
_SETS = (("oracle", "from MIDI"), ("bands", "from sound (rendered bands)"))
_HEARD_SETS = (("bands", "rendered bands"), ("recordings", "real recordings"))


def _is_unseen(row: Row) -> bool:
    """Whether it is of a sound that no network of ours was trained on; rendered songs are test songs always."""
    return row.set != "recordings" or row.met != SEEN_RECORDING


def _is_of_systems(row: Row) -> bool:
    """Whether a row is of the few songs and genres that every system was heard with."""
    return row.condition == "systems"


SPECS: tuple[Spec, ...] = (
    *(
        spec
        for name, title in _SETS
        for spec in (
            Spec(f"systems-{name}", "songs", name, f"Systems, {title}", "system", _SONG + _GENRE),
            Spec(f"variety-{name}", "songs", name, f"Variety and groove, {title}", "system", _VARIETY),
            Spec(
                f"genres-{name}", "songs", name, f"Every genre, {title}", "genre", _SONG + _OF_GENRE + _VARIETY,
                (OURS,), with_all=True,
            ),
            Spec(
                f"against-{name}", "songs", name, f"Song and genre against the baselines, {title}", "genre",
                ("content", "chords", "genre"), _AGAINST, across=True, with_all=True,
            ),
        )
    ),
    Spec(
        "systems-recordings", "songs", "recordings", "Systems, from real recordings", "system",
        ("content_audio", *_GENRE, *_VARIETY),
    ),
    Spec(
        "genres-recordings", "songs", "recordings", "Every genre, from real recordings", "genre",
        ("content_audio", *_OF_GENRE, *_VARIETY), (OURS,), with_all=True,
    ),
    Spec(
        "songs-recordings", "songs", "recordings", "Every recording", "song",
        ("content_audio", *_GENRE, "distinct"), (OURS,), with_all=True,
    ),
    Spec(
        "conditions", "songs", "bands", "From sound, by what was done to it", "condition",
        ("content", "melody", "chords"), (OURS,), with_all=True,
    ),
    *(
        Spec(f"{kind}-{name}", "ears", name, f"{heading}, {title}", "system", columns, keep=_is_unseen)
        for name, title in _HEARD_SETS
        for kind, heading, columns in (
            ("separation", "Separation", _SEPARATION),
            ("notes", "Notes", _NOTES),
            ("drums", "Drums", _DRUMS),
            ("beats", "Beats and tempo", _BEATS),
            ("harmony", "Harmony and form", _HARMONY),
        )
    ),
    Spec(
        "ears-conditions", "ears", "bands", "Our ears, by what was done to the sound", "condition",
        ("notes_all", "drums_mean", "beats", "downbeats", "tempo", "chords", "key"), ("rearrange",),
    ),
    *(
        Spec(
            f"ears-met-{name}", "ears", name, f"Our ears, by what they were trained on, {title}", "met",
            (*_SEPARATION, "notes_vocals", "notes_bass", "drums_mean", "beats", "downbeats", "chords", "key"),
            ("rearrange",),
        )
        for name, title in _HEARD_SETS
    ),
    Spec("sound", "sound", "recordings", "Sound of the result", "system", _HEARD, keep=_is_of_systems),
    Spec("sound-genres", "sound", "recordings", "Sound by genre", "genre", _SOUND, (OURS,), with_all=True,
         keep=lambda row: not _is_of_systems(row)),
    Spec("cost", "cost", "recordings", "Cost, seconds per second of song", "song", _COST, with_all=True),
)  # fmt: skip


def tables_of(
    rows: Sequence[Row], specs: Sequence[Spec] = SPECS, *, weak: Collection[str] = ()
) -> tuple[Table, ...]:
    """The tables for which there are rows with a figure, or with a reason why there is none.

    Parameters
    ----------
    weak : genres that the judge can hardly tell, which get a mark
    """
    made = (_table([row for row in rows if _belongs(row, spec)], spec, weak) for spec in specs)
    return tuple(table for table in made if table is not None)


def _belongs(row: Row, spec: Spec) -> bool:
    of_set = row.group == spec.group and row.set == spec.set
    return of_set and (not spec.systems or row.system in spec.systems) and spec.keep(row)


def _table(rows: Sequence[Row], spec: Spec, weak: Collection[str]) -> Table | None:
    columns = [name for name in spec.columns if any(name in row.measures for row in rows)]
    rows = [row for row in rows if any(name in row.measures for name in columns)]
    if not rows:
        return None
    systems = [name for name in spec.systems if any(row.system == name for row in rows)] if spec.across else [""]
    places = [(name, system) for name in columns for system in systems]
    labels = list(dict.fromkeys(getattr(row, spec.by) for row in rows))
    if spec.by == "genre":
        labels.sort()
    marked = weak if spec.by == "genre" and "genre" in columns else ()
    lines = [
        (
            (label or "none") + (WEAK if label in marked else ""),
            [row for row in rows if getattr(row, spec.by) == label],
        )
        for label in labels
    ]
    if spec.with_all and len(labels) > 1:
        lines.append((ALL, list(rows)))
    return Table(
        name=spec.name,
        group=spec.group,
        title=spec.title,
        label=spec.by,
        headings=tuple(f"{column(name).heading}{f': {system}' if system else ''}" for name, system in places),
        columns=tuple(column(name) for name, _ in places),
        rows=tuple(
            TableRow(
                label,
                tuple(_cell([r for r in chosen if system in ("", r.system)], name) for name, system in places),
            )
            for label, chosen in lines
        ),
    )


def _cell(rows: Sequence[Row], name: str) -> Cell:
    by_song: dict[str, list[float]] = {}
    reasons: Counter[str] = Counter()
    for row in rows:
        measure = row.measures.get(name)
        if measure is None:
            continue
        if measure.value is None:
            reasons[measure.reason] += 1
        else:
            by_song.setdefault(f"{row.corpus}/{row.song}", []).append(measure.value)
    void = sum(reasons.values())
    if not by_song:
        return Cell(None, void=void, reason=reasons.most_common(1)[0][0] if reasons else "not measured")
    interval = bootstrap_interval(by_song, rng=np.random.default_rng(_SEED))
    return Cell(interval.mean, interval.low, interval.high, len(by_song), void)
