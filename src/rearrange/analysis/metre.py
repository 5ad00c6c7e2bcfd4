"""Which pulse is the beat, and where bars begin: a linear model over hypotheses of metre.

Conventions: a *hypothesis* is a beat sequence, its number of felt beats per bar (4 for 4/4, 3 for 3/4, 2 for 6/8,
whose felt beat is the dotted quarter) and which beat is the first downbeat. Each is scored by how the cues of
`evidence` lie on it: what starts on beats and between them, what is new on downbeats, how bars repeat. The
confidence is the softmax of the scores, summed over the readings that say the same.

Limits: one metre for the song; single bars of another length are found in `bars`. 5/4 and 7/8 come out as 4/4 or
3/4. Of 84 songs in 6/8, one in six is read as 3/4 (bars as long, beats across them), one in four by sound alone; a
waltz faster than about 150 may be read as 6/8, a beat to its bar.

Source: the weights are fitted; `metre_weights` says on what.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.chroma import CHROMA_RATE_HZ
from rearrange.analysis.evidence import Evidence
from rearrange.analysis.metre_weights import SOURCES, WEIGHTS
from rearrange.analysis.onsets import FRAME_RATE_HZ

__all__ = [
    "Hypothesis",
    "MetreChoice",
    "bar_line_feature",
    "choose_metre",
    "cue_samples",
    "half_bar_changes",
    "half_beat_chroma",
    "hypotheses",
    "metre_features",
]

Floats = NDArray[np.float64]

POSITIONS = (0.0, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4)  # of a felt beat
_ON, _THIRD, _HALF, _TWO_THIRDS = 0, 2, 3, 4
_NEAR_FRAMES = 2  # an onset within 20 ms of a position is on it
_CENTRE_BPM = 112.0
_CUES = ("low", "mid", "high", "harmony", "bass")
_LAGS = (1, 2, 3, 4, 6, 8)  # beats, at which patterns may repeat
FEWEST_BEATS = 8
_ALIKE_FRAMES, _ALIKE_SHARE = 7, 0.85  # beats within 70 ms are the same, as MIREX has it


@dataclass(frozen=True)
class Hypothesis:
    """One reading of the metre: `beat_frames` are the beats, `phase` the index of the first downbeat.

    `score` is its log odds, up to a constant of the song.
    """

    beat_frames: Floats
    beats_per_bar: int
    phase: int
    period_s: float
    score: float


@dataclass(frozen=True)
class MetreChoice:
    """The best reading, and how sure it is: of the beats, and of the bars given the beats; in [0, 1]."""

    best: Hypothesis
    beat_confidence: float
    bar_confidence: float


def cue_samples(evidence: Evidence, beat_frames: Floats) -> Floats:
    """Cues at the POSITIONS of each beat but the last, standardised per cue.

    Returns
    -------
    (n_beats - 1, n_positions, n_cues)
    """
    spans = np.diff(beat_frames)
    frames = np.rint(beat_frames[:-1, None] + spans[:, None] * np.asarray(POSITIONS)).astype(int)
    last = len(evidence.cues) - 1
    samples = np.max(
        [evidence.cues[np.clip(frames + shift, 0, last)] for shift in range(-_NEAR_FRAMES, _NEAR_FRAMES + 1)],
        axis=0,
    )
    deviation = samples.std(axis=(0, 1)) + 1e-6
    return np.asarray((samples - samples.mean(axis=(0, 1))) / deviation)


def hypotheses(
    evidence: Sequence[Evidence],
    beat_frames: Floats,
    *,
    beats_per_bar: Sequence[int] = (2, 3, 4),
    trust: Mapping[str, float] | None = None,
) -> list[Hypothesis]:
    """All readings of one beat sequence, scored by all the evidence; none if it is too short to tell.

    Parameters
    ----------
    trust : how much each source counts; 1 each if None
    """
    if len(beat_frames) < FEWEST_BEATS:
        return []
    period_s = float(np.median(np.diff(beat_frames))) / FRAME_RATE_HZ
    scores: dict[tuple[int, int], float] = {}
    for each in evidence:
        for kind, features in metre_features(each, beat_frames, beats_per_bar).items():
            share = 1.0 if trust is None else trust[each.source]
            scores[kind] = scores.get(kind, 0.0) + share * _score(features, each.source)
    return [Hypothesis(beat_frames, *kind, period_s, score) for kind, score in scores.items()]


def _score(features: Mapping[str, float], source: str) -> float:
    column = SOURCES.index(source)
    return sum(WEIGHTS[name][column] * value for name, value in features.items())


def metre_features(
    evidence: Evidence, beat_frames: Floats, beats_per_bar: Sequence[int]
) -> dict[tuple[int, int], dict[str, float]]:
    """What the linear model sees of each (beats per bar, phase) of a beat sequence."""
    samples = cue_samples(evidence, beat_frames)
    period_s = float(np.median(np.diff(beat_frames))) / FRAME_RATE_HZ
    shared = _pulse_features(samples, period_s)
    repetition = _repetition(samples)
    halves = half_beat_chroma(evidence, beat_frames)
    out = {}
    for n_beats in beats_per_bar:
        for phase in range(n_beats):
            features = dict(shared)
            features |= _bar_features(samples, n_beats, phase)
            features |= _kind_features(shared, repetition, n_beats)
            for name, chroma in halves.items():
                features[bar_line_feature(name, n_beats)] = _bar_line_contrast(chroma, n_beats, phase)
            out[n_beats, phase] = features
    return out


def _pulse_features(samples: Floats, period_s: float) -> dict[str, float]:
    """What does not depend on bars: the tempo, and what starts on the beat and on its thirds."""
    octaves = float(np.log2(60.0 / period_s / _CENTRE_BPM))
    mean = samples.mean(axis=0)  # (positions, cues)
    features = {"octaves": octaves, "octaves_squared": octaves**2}
    for i, cue in enumerate(_CUES):
        features[f"on_{cue}"] = float(mean[_ON, i])
        if cue in ("low", "mid", "high"):
            features[f"late_{cue}"] = float(mean[_TWO_THIRDS, i] - mean[_THIRD, i])
            features[f"thirds_{cue}"] = float((mean[_THIRD, i] + mean[_TWO_THIRDS, i]) / 2 - mean[_HALF, i])
    return features


def _repetition(samples: Floats) -> dict[int, float]:
    """Mean cosine between the patterns of beats some beats apart."""
    patterns = samples.reshape(len(samples), -1)
    patterns = patterns / (np.linalg.norm(patterns, axis=1, keepdims=True) + 1e-9)
    return {
        lag: float(np.mean(np.sum(patterns[lag:] * patterns[:-lag], axis=1))) if len(patterns) > lag + 1 else 0.0
        for lag in _LAGS
    }


def _kind_features(shared: Mapping[str, float], repetition: Mapping[int, float], n_beats: int) -> dict[str, float]:
    """What depends on the kind of bar: its prior, its tempo, thirds (wanted in 6/8), repetition at its length."""
    mean = float(np.mean(list(repetition.values())))
    octaves = shared["octaves"]
    features = {
        "two": float(n_beats == 2),
        "three": float(n_beats == 3),
        "two_octaves": octaves if n_beats == 2 else 0.0,
        "two_octaves_squared": octaves**2 if n_beats == 2 else 0.0,
        "three_octaves": octaves if n_beats == 3 else 0.0,
        "repeats_bar": repetition[n_beats] - mean,
        "repeats_two_bars": repetition[2 * n_beats] - mean,
        "repeats_two": repetition[2] - repetition[1] if n_beats != 3 else repetition[3] - repetition[2],
    }
    for cue in ("low", "mid", "high"):
        features[f"compound_thirds_{cue}"] = shared[f"thirds_{cue}"] if n_beats == 2 else 0.0
    return features


def _bar_features(samples: Floats, n_beats: int, phase: int) -> dict[str, float]:
    """What is stronger on the downbeat than on other beats, and on the third of four than on its neighbours."""
    beats = [samples[(phase + k) % n_beats :: n_beats, _ON].mean(axis=0) for k in range(n_beats)]
    downbeat = beats[0] - np.mean(beats[1:], axis=0)
    middle = beats[2] - (beats[1] + beats[3]) / 2 if n_beats == 4 else np.zeros(len(_CUES))
    features = {f"downbeat_{cue}": float(downbeat[i]) for i, cue in enumerate(_CUES)}
    features |= {f"middle_{cue}": float(middle[i]) for i, cue in enumerate(_CUES)}
    return features | _halfway_features(samples, n_beats, phase)


def _halfway_features(samples: Floats, n_beats: int, phase: int) -> dict[str, float]:
    """What tells 6/8 from 3/4, whose bars are equally long: the fourth eighth against the third and the fifth.

    Kick and snare alternate in any rock bar, too: read as 6/8 it counts only as far as its beats fall in three.
    """
    rows = [samples[(phase + k) % n_beats :: n_beats].mean(axis=0) for k in range(n_beats)]
    features = {f"halfway_{kind}_{cue}": 0.0 for kind in ("two", "three") for cue in _CUES}
    if n_beats == 2:
        accent = rows[1][_ON] - (rows[0][_TWO_THIRDS] + rows[1][_THIRD]) / 2
        mean = samples[:, :, :3].mean(axis=(0, 2))  # (positions,), of the registers
        in_three = float(np.clip((mean[_THIRD] + mean[_TWO_THIRDS]) / 2 - mean[_HALF], 0.0, 1.0))
        features |= {f"halfway_two_{cue}": in_three * float(accent[i]) for i, cue in enumerate(_CUES)}
    elif n_beats == 3:
        accent = rows[1][_HALF] - (rows[1][_ON] + rows[2][_ON]) / 2
        features |= {f"halfway_three_{cue}": float(accent[i]) for i, cue in enumerate(_CUES)}
    return features


def bar_line_feature(register: str, n_beats: int) -> str:
    """Name of the weight of changes across bar lines; bars of three quarters (3/4 and 6/8) share theirs."""
    return f"bar_line_{register}_{'long' if n_beats == 4 else 'short'}"


def half_beat_chroma(evidence: Evidence, beat_frames: Floats) -> dict[str, Floats]:
    """Chroma of every half beat (n_half_beats, 12), of all registers and of the bass."""
    middles = (beat_frames[:-1] + beat_frames[1:]) / 2
    borders = np.sort(np.concatenate([beat_frames, middles])) * (CHROMA_RATE_HZ / FRAME_RATE_HZ)
    out = {}
    for name, frames in (("all", evidence.chroma_frames), ("bass", evidence.bass_frames)):
        sums = np.concatenate([np.zeros((1, 12)), np.cumsum(frames, axis=0)])
        out[name] = np.diff(sums[np.clip(np.rint(borders).astype(int), 0, len(frames))], axis=0)
    return out


def half_bar_changes(half_beats: Floats, n_beats: int) -> Floats:
    """Change of harmony from the half bar before each beat to the one after it, (n_beats + 1,), in [0, 1].

    Parameters
    ----------
    half_beats : (2 * n, 12) of `half_beat_chroma`
    n_beats : felt beats per bar
    """
    sums = np.concatenate([np.zeros((1, 12)), np.cumsum(half_beats, axis=0)])
    at = np.arange(0, len(half_beats) + 1, 2)
    before = sums[at] - sums[np.maximum(at - n_beats, 0)]
    after = sums[np.minimum(at + n_beats, len(half_beats))] - sums[at]
    norms = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    cosine = np.sum(before * after, axis=1) / (norms + 1e-9)
    return np.asarray(np.where(norms > 1e-9, 1.0 - cosine, 0.0))


def _bar_line_contrast(half_beats: Floats, n_beats: int, phase: int) -> float:
    """How much more the harmony changes across bar lines than in the middle of bars."""
    rows = half_beats[2 * phase :]
    n_halves = len(rows) // n_beats
    if n_halves < 4:
        return 0.0
    half_bars = rows[: n_halves * n_beats].reshape(n_halves, n_beats, 12).sum(axis=1)
    norms = np.linalg.norm(half_bars, axis=1)
    cosine = np.sum(half_bars[1:] * half_bars[:-1], axis=1) / (norms[1:] * norms[:-1] + 1e-9)
    change = np.where(norms[1:] * norms[:-1] > 1e-9, 1.0 - cosine, 0.0)
    return float(change[1::2].mean() - change[0::2].mean())


def choose_metre(
    evidence: Sequence[Evidence],
    beat_sequences: Sequence[Floats],
    *,
    beats_per_bar: Sequence[int] = (2, 3, 4),
    halfway: bool = True,
    besides: Callable[[Hypothesis], float] | None = None,
    trust: Mapping[str, float] | None = None,
) -> MetreChoice | None:
    """The best reading of any of the beat sequences, or None if all are too short.

    Parameters
    ----------
    evidence : of the sound, of the notes, or both: what they say is added up
    beat_sequences : frames of the beats, one array per candidate tempo
    beats_per_bar : the kinds of bar allowed
    halfway : try each sequence's off-beats too, where beat trackers often settle
    besides : what else is known of a reading, as log odds to be added
    trust : how much each source of evidence counts; 1 each if None
    """
    readings: list[list[Hypothesis]] = []
    for beat_frames in beat_sequences:
        shifted = [(beat_frames[:-1] + beat_frames[1:]) / 2] if halfway else []
        for sequence in (beat_frames, *shifted):
            found = hypotheses(evidence, sequence, beats_per_bar=beats_per_bar, trust=trust)
            if besides is not None:
                found = [replace(each, score=each.score + besides(each)) for each in found]
            if found:
                readings.append(found)
    return _chosen(readings) if readings else None


def _chosen(readings: Sequence[Sequence[Hypothesis]]) -> MetreChoice:
    """The best of the readings of each beat sequence; sure as far as others agree with it.

    Several sequences may be the same beats, found along different paths: what speaks for one speaks for all.
    """
    every = [reading for group in readings for reading in group]
    scores = np.array([reading.score for reading in every])
    mass = np.exp(scores - scores.max())
    best = every[int(np.argmax(scores))]
    alike = {id(group[0]): _agree(group[0].beat_frames, best.beat_frames) for group in readings}
    same_beats = np.concatenate([np.full(len(group), alike[id(group[0])]) for group in readings])
    bars = _bar_lines(best)
    same_bars = np.array(
        [
            alike_beats and reading.beats_per_bar == best.beats_per_bar and _agree(_bar_lines(reading), bars)
            for reading, alike_beats in zip(every, same_beats, strict=True)
        ]
    )
    beats = float(mass[same_beats].sum())
    return MetreChoice(best, beats / float(mass.sum()), float(mass[same_bars].sum()) / beats)


def _bar_lines(reading: Hypothesis) -> Floats:
    return reading.beat_frames[reading.phase :: reading.beats_per_bar]


def _agree(one: Floats, other: Floats) -> bool:
    """Whether nearly every frame of each is one of the other's."""
    return min(_share_near(one, other), _share_near(other, one)) >= _ALIKE_SHARE


def _share_near(frames: Floats, others: Floats) -> float:
    after = np.clip(np.searchsorted(others, frames), 1, len(others) - 1)
    gaps = np.minimum(np.abs(frames - others[after - 1]), np.abs(others[after] - frames))
    return float(np.mean(gaps <= _ALIKE_FRAMES))
