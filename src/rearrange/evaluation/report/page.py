"""The page of a conversion: one HTML file that holds its pictures, its sound and its code, and opens offline.

`page.html` (Jinja2, everything escaped), `page.css` and `page.js` lie beside this module. What they are given is
made here: positions in per cent of the bar axis, paths, and one JSON object that the players work from.
A content policy in the page forbids it the network.
"""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rearrange.evaluation.report import pictures, svg
from rearrange.evaluation.report.axis import BarAxis
from rearrange.evaluation.report.facts import ReportFacts
from rearrange.evaluation.report.names import instrument_name
from rearrange.evaluation.report.sounds import Heard, SoundPlan, matched_gains
from rearrange.score import PITCH_CLASSES, Arrangement, Chord, Role, Score, Section, Track

__all__ = ["ASSETS", "CodedTrack", "Content", "page_html"]

_FOLDER = Path(__file__).parent
ASSETS: Mapping[str, Path] = {name: _FOLDER / name for name in ("page.html", "page.css", "page.js")}
_PIXELS_PER_PITCH, _ROLL_PX = 3, (130, 250)
_FIFTH = 7  # semitones: neighbours on the circle of fifths get neighbouring hues


@dataclass(frozen=True, eq=False)
class CodedTrack:
    """A single track for the browser; `track` is None for a stem of the song that was kept."""

    name: str
    track: Track | None
    webm: bytes
    gain: float


@dataclass(frozen=True, eq=False)
class Content:
    """What the page is about. `source_label` says what side A is."""

    title: str
    genre_title: str
    score: Score
    arrangement: Arrangement
    facts: ReportFacts
    source: Heard
    result: Heard
    source_label: str
    source_note: str
    tracks: tuple[CodedTrack, ...]
    plan: SoundPlan


def page_html(content: Content) -> str:
    """The whole page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    score, arrangement = content.score, content.arrangement
    axis = BarAxis(
        score.timeline,
        arrangement.timeline,
        arrangement.beat_ratio,
        content.source.duration_s,
        content.result.duration_s,
    )
    return environment.get_template("page.html").render(
        content=content,
        css=ASSETS["page.css"].read_text(encoding="utf-8"),
        js=ASSETS["page.js"].read_text(encoding="utf-8"),
        header=_header(content),
        axis=axis,
        pictures=_pictures(content, axis),
        changes=[
            _stretch(axis, change.first_bar, change.last_bar) | {"change": change}
            for change in content.facts.changes
        ],
        weak=[_stretch(axis, bar.bar, bar.bar) | {"weak": bar} for bar in content.facts.weak_bars],
        card=[{"entry": entry, "percent": _percent(entry.measure.value)} for entry in content.facts.card],
        tracks=[_track(track, axis, arrangement.beat_ratio) for track in content.tracks],
        sounds={"a": _text(content.source.webm), "b": _text(content.result.webm)},
        players=_players(content, axis),
    )


def _header(content: Content) -> list[dict[str, str]]:
    """Label and value of what stands under the title; where both sides differ, `before` too."""
    score, arrangement = content.score, content.arrangement
    before, after = score.timeline.mean_tempo_bpm, arrangement.timeline.mean_tempo_bpm
    rows = [
        ("genre", "", content.genre_title),
        ("style", "", arrangement.style.replace("_", " ")),
        ("tempo", f"{before:.0f}", f"{after:.0f} bpm"),
        ("key", str(score.key), str(arrangement.key)),
        ("metre", "", str(score.timeline.metres[0][1])),
        ("bars", "", str(len(score.timeline.bars))),
        ("length", _clock(content.source.duration_s), _clock(content.result.duration_s)),
    ]
    return [
        {"label": label, "before": was if was != now.removesuffix(" bpm") else "", "value": now}
        for label, was, now in rows
    ]


def _pictures(content: Content, axis: BarAxis) -> dict[str, object]:
    """All that is drawn on the bar axis."""
    score, arrangement, ratio = content.score, content.arrangement, content.arrangement.beat_ratio
    both = [*score.tracks, *arrangement.tracks]
    pitches = svg.pitch_range(both)
    tempos = svg.tempo_range([score.timeline, arrangement.timeline])
    source_is_faster = score.timeline.mean_tempo_bpm > arrangement.timeline.mean_tempo_bpm
    sides = []
    for key, label, heard, tracks, chords, own_ratio in (
        ("a", content.source_label, content.source, score.tracks, score.chords, 1.0),
        ("b", content.genre_title, content.result, arrangement.tracks, arrangement.chords, ratio),
    ):
        name, timeline = ("source", score.timeline) if key == "a" else ("result", arrangement.timeline)
        extent, rms = pictures.waveform_path(heard.picture, axis, side=name)
        sides.append(
            {
                "key": key,
                "label": label,
                "extent": extent,
                "rms": rms,
                "spectrogram": _text(pictures.spectrogram_png(heard.picture, axis, side=name)),
                "roll": svg.pitch_roll(tracks, axis, pitches, beat_ratio=own_ratio),
                "drums": svg.drum_roll(tracks, axis, beat_ratio=own_ratio),
                "chords": [_chord(chord, axis, own_ratio) for chord in chords],
                "tempo": svg.tempo_line(timeline, axis, tempos, beat_ratio=own_ratio),
                "tempo_label": f"{label} {timeline.mean_tempo_bpm:.0f}",
                "tempo_top": f"{100 * (tempos[1] - timeline.mean_tempo_bpm) / (tempos[1] - tempos[0]):.1f}",
                "faster": (key == "a") == source_is_faster,
            }
        )
    return {
        "sides": sides,
        "roles": [role for role in Role if any(track.role is role and track.notes for track in both)],
        "sections": [_section(section, axis) for section in score.sections],
        "ruler": [
            {"number": bar.index + 1, "left": _left(axis, bar.onset_beat), "rank": _rank(bar.index)}
            for bar in axis.bars
        ],
        "lines": [(every, svg.bar_lines(axis, every=every)) for every in (1, 4, 16)],
        "frequencies": pictures.frequency_marks(),
        "tempos": tempos,
        "wave_box": f"0 0 {pictures.N_COLUMNS} {pictures.WAVE_HEIGHT}",
        "roll_px": min(max(_PIXELS_PER_PITCH * (pitches[1] - pitches[0]), _ROLL_PX[0]), _ROLL_PX[1]),
        "width": round(axis.length_beat * svg.TICKS_PER_BEAT),
        "tempo_height": svg.TEMPO_HEIGHT,
    }


def _rank(index: int) -> int:
    """Every 16th and every 4th bar keep their numbers when the picture is small."""
    return next((every for every in (64, 16, 4) if index % every == 0), 1)


def _chord(chord: Chord, axis: BarAxis, ratio: float) -> dict[str, object]:
    onset, end = chord.onset_beat / ratio, chord.end_beat / ratio
    place = _place(axis, onset, end)
    return place | {"name": str(chord), "hue": chord.root * _FIFTH % len(PITCH_CLASSES) * 30}


def _section(section: Section, axis: BarAxis) -> dict[str, object]:
    place = _place(axis, section.onset_beat, section.end_beat)
    return place | {"label": section.label, "energy": f"{section.energy:.2f}"}


def _place(axis: BarAxis, start_beat: float, end_beat: float) -> dict[str, object]:
    left, right = axis.share(start_beat), axis.share(end_beat)
    return {"left": f"{100 * left:.3f}", "width": f"{100 * (right - left):.3f}"}


def _left(axis: BarAxis, beat: float) -> str:
    return f"{100 * axis.share(beat):.3f}"


def _stretch(axis: BarAxis, first_bar: int, last_bar: int) -> dict[str, object]:
    """Where bars, counted from 1, lie; bar 0 is what comes before the first."""
    bars = axis.bars
    if not bars:
        return {"beat": axis.start_beat, **_place(axis, axis.start_beat, axis.end_beat)}
    first, last = (min(max(bar, 0), len(bars)) for bar in (first_bar, last_bar))
    start = bars[first - 1].onset_beat if first > 0 else axis.start_beat
    end = bars[last - 1].end_beat if last > 0 else 0.0
    return {"beat": round(start, 4), **_place(axis, start, end)}


def _track(coded: CodedTrack, axis: BarAxis, ratio: float) -> dict[str, object]:
    track = coded.track
    view: dict[str, object] = {"name": coded.name, "sound": _text(coded.webm)}
    if track is None:
        return view | {"role": "kept", "instrument": "the song's own", "roll": None}
    if track.is_drum:
        roll = svg.drum_roll([track], axis, beat_ratio=ratio)
    else:
        roll = svg.pitch_roll([track], axis, svg.pitch_range([track]), beat_ratio=ratio)
    return view | {"role": track.role, "instrument": instrument_name(track), "roll": roll}


def _players(content: Content, axis: BarAxis) -> str:
    """What the page's code works from, as JSON that may stand in a script element."""
    gains = matched_gains([content.source, content.result])
    beats = axis.table_beats()
    score, arrangement, ratio = content.score, content.arrangement, content.arrangement.beat_ratio
    value = {
        "beats": _rounded(beats),
        "a": _rounded(axis.seconds(beats, side="source")),
        "b": _rounded(axis.seconds(beats, side="result")),
        "bars": _rounded([bar.onset_beat for bar in axis.bars]),
        "end": round(score.timeline.end_beat, 4),
        "sections": [[round(section.onset_beat, 4), section.label] for section in score.sections],
        "chords": {
            "a": _chord_table(score.chords, 1.0),
            "b": _chord_table(arrangement.chords, ratio),
        },
        "lengths": {
            "a": round(content.source.duration_s, 3),
            "b": round(content.result.duration_s, 3),
        },
        "gains": {"a": round(gains[0], 5), "b": round(gains[1], 5)},
        "tracks": [round(track.gain, 5) for track in content.tracks],
        "labels": {"a": content.source_label, "b": content.genre_title, "t": "Tracks"},
    }
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")  # no value can end the script


def _chord_table(chords: Sequence[Chord], ratio: float) -> list[list[object]]:
    return [[round(chord.onset_beat / ratio, 4), round(chord.end_beat / ratio, 4), str(chord)] for chord in chords]


def _rounded(values: Iterable[float]) -> list[float]:
    return [round(float(value), 4) for value in values]


def _percent(value: float | None) -> int | None:
    return None if value is None else round(100 * min(max(value, 0.0), 1.0))


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
