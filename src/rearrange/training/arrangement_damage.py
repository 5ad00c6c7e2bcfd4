"""Charts as our ears mishear them: wrong chords, a tune with holes, sections that begin elsewhere, another energy.

The song's own notes stay: only what a chart is made from is damaged. Rates are those of `arrangements.toml`.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rearrange.score import Chord, Note, Role, Score, Section
from rearrange.training.arrangement_tables import Heard

__all__ = ["heard_badly"]

_PHRASE_BEATS = 8.0  # a tune is lost for a phrase more often than for a note
_MINOR = frozenset({"min", "min7", "minadd9", "min9", "min11", "min6", "dim", "min7b5"})
_STEPS = (-2, -1, 1, 2)
_BASSES = (3, 4, 7)


def heard_badly(score: Score, heard: Heard, rng: np.random.Generator) -> Score:
    """A score with the chords, tune, sections and energy that poorer ears would have heard."""
    energy = [float(np.clip(each + rng.normal(0.0, heard.energy_off), 0.0, 1.0)) for each in score.bar_energy]
    return replace(
        score,
        chords=_chords(score.chords, heard, rng),
        tracks=tuple(
            replace(track, notes=_tune(track.notes, heard, rng)) if track.role is Role.MELODY else track
            for track in score.tracks
        ),
        sections=_sections(score, heard, rng),
        bar_energy=tuple(energy),
    )


def _chords(chords: Sequence[Chord], heard: Heard, rng: np.random.Generator) -> tuple[Chord, ...]:
    out: list[Chord] = []
    kinds = (heard.relative, heard.fifth, heard.mode, heard.bass, heard.none)
    edges = np.cumsum(kinds)
    for chord in chords:
        if rng.random() >= heard.chord_wrong:
            out.append(chord)
            continue
        kind = int(np.searchsorted(edges, rng.random(), side="right"))
        is_minor = chord.quality in _MINOR
        if kind == 0:
            root = (chord.root + (3 if is_minor else -3)) % 12
            out.append(replace(chord, root=root, bass=root, quality="maj" if is_minor else "min"))
        elif kind == 1:
            root = (chord.root + int(rng.choice((5, 7)))) % 12
            out.append(replace(chord, root=root, bass=root))
        elif kind == 2:
            out.append(replace(chord, bass=chord.root, quality="maj" if is_minor else "min"))
        elif kind == 3:
            out.append(replace(chord, bass=(chord.root + int(rng.choice(_BASSES))) % 12))
        elif kind > len(kinds) - 1 and out and out[-1].end_beat > chord.onset_beat - 1e-6:
            out[-1] = replace(out[-1], duration_beat=chord.end_beat - out[-1].onset_beat)
    return tuple(out)


def _tune(notes: Sequence[Note], heard: Heard, rng: np.random.Generator) -> tuple[Note, ...]:
    if rng.random() < heard.tune_all_missed:
        return ()
    lost: dict[int, bool] = {}
    out = []
    for note in notes:
        phrase = int(note.onset_beat // _PHRASE_BEATS)
        if phrase not in lost:
            lost[phrase] = bool(rng.random() < heard.tune_missed / 2)
        if lost[phrase] or rng.random() < heard.tune_missed / 2:
            continue
        is_wrong = rng.random() < heard.tune_wrong
        out.append(replace(note, pitch=note.pitch + int(rng.choice(_STEPS))) if is_wrong else note)
    return tuple(out)


def _sections(score: Score, heard: Heard, rng: np.random.Generator) -> tuple[Section, ...]:
    """Sections whose inner boundaries may lie some bars off, each at least two bars long."""
    starts = np.array([bar.onset_beat for bar in score.timeline.bars])
    sections = score.sections
    if len(sections) < 2 or len(starts) < 4:
        return sections
    first = [int(np.searchsorted(starts, section.onset_beat - 1e-6)) for section in sections]
    farthest = int(heard.section_shift_bars)
    for i in range(1, len(first)):
        if rng.random() < heard.section_shifted:
            moved = first[i] + int(rng.integers(-farthest, farthest + 1))
            before, after = first[i - 1], first[i + 1] if i + 1 < len(first) else len(starts)
            if before + 2 <= moved <= after - 2:
                first[i] = moved
    onsets = [float(starts[i]) for i in first]
    ends = [*onsets[1:], sections[-1].end_beat]
    return tuple(
        replace(section, onset_beat=onset, duration_beat=end - onset)
        for section, onset, end in zip(sections, onsets, ends, strict=True)
    )
