"""A drum transcriber without a network: kick, snare, hats, toms and cymbals from a drum stem.

`analysis/attacks.py` says how much each drum is struck at any time. Here its peaks become strokes, if the
sound rises and falls like something struck; strokes that another drum explains are dropped, and what leaked
in from other stems. `analysis/kit.py` names them.

Conventions: mono at SAMPLE_RATE, full scale ±1; times in seconds; General MIDI percussion pitches.

Limits: strokes softer than a fifth of a drum's usual stroke are missed; a hat under a snare is a guess; most
toms are taken for snares or kicks. `models/drums` is a network, to which these strokes are a second opinion.

Source: ours; every threshold says where it comes from.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.attacks import (
    FRAME_RATE_HZ,
    HAT,
    KICK,
    OTHER,
    RISE_FRAMES,
    SAMPLE_RATE,
    SKIN_BANDS,
    SNARE,
    TOM,
    attacks,
    band_spectrogram,
    decompose,
)
from rearrange.analysis.decoding import peak_position
from rearrange.analysis.kit import Stroke, kit_pitches
from rearrange.analysis.notes import LevelCurve
from rearrange.score import NoteEvent

__all__ = ["SAMPLE_RATE", "DrumLimits", "drum_hits", "without_leakage"]

FloatArray = NDArray[np.float32]

HIT_DURATION_S = 0.1  # nominal: a drum's note has no end of its own

# Strokes are measured against the 75th percentile of those nearby: the median is leakage where a drum plays
# little, the maximum is an accent. Anything from 65 to 90 does.
STRONG_PERCENTILE = 75

# Where a drum does not play, its strongest peaks are the others' remains: its strong stroke is at least this
# share of the kit's (-16 dB; hats are softer than skins: -26 dB).
FAINTEST_SKIN = 0.15
FAINTEST_HAT = 0.05

# Frames whose windows reach past the end hear it as a stroke.
CUT_FRAMES = 3

# How far the upper quartile of strokes stands out from all the other stems together, in what begins with them
# and in level. In 35 takes of training audio through `separator-small`, drums in the mix and not: 4.4 to 39 and
# -10 to 16 dB with drums (but for one that plays eight strokes), -17 to 9 and -25 to -2 dB without. What begins
# does what level alone cannot: a tone that is held drowns no stroke. F1 of kick, snare and hats 0.66 and 0.67
# (fonts that train, and one that does not) where level alone, at 0 dB, had 0.45 and 0.43; false strokes 0 and
# 31 a minute of music without drums, 225 and 285 as they come. Recordings: 10 to 28 dB with drums, below 3 dB
# in a piano, trumpet and celesta; what separation makes of a voice or of synthesisers alone has 7 to 9 dB, and
# is faint (-15 and -19 dB).
DRUMS_AHEAD_DB = 4.0
PAUSE_AHEAD_DB = -3.0
DRUMS_LEVEL_DB = -12.0
LEAKAGE_REACH_S = 6.0


@dataclass(frozen=True, slots=True)
class DrumLimits:
    """What counts as a hit.

    Parameters
    ----------
    threshold : attack, as a share of the drum's strong strokes nearby, from which it is a hit
    shadowed_threshold : the same where a drum that sounds alike is hit at the same time
    min_rise_db : how much louder the drum's bands are than 40 ms before: what is struck at least doubles
    min_decay_db : how much softer kick, snare and tom are after 80 ms: skins do not sustain, guitars do
    min_interval_s : two hits of one drum are no closer
    adaptation : how far the templates follow the recording, 0 (not) to 1
    """

    threshold: float = 0.2
    shadowed_threshold: float = 0.6
    min_interval_s: float = 0.05
    min_rise_db: float = 6.0
    min_decay_db: float = 3.0
    adaptation: float = 0.5


def drum_hits(samples: FloatArray, limits: DrumLimits = DrumLimits()) -> tuple[NoteEvent, ...]:
    """Transcribe a drum stem.

    Parameters
    ----------
    samples : (n_samples,) mono at SAMPLE_RATE, finite

    Returns
    -------
    Hits sorted by onset, then pitch; empty for silence. `confidence` is how much of the attack is explained
    by drums, and how strong it is among its kind.

    Raises
    ------
    ValueError : not one-dimensional.
    """
    if samples.ndim != 1:
        raise ValueError(f"expected mono samples of shape (n_samples,), got {samples.shape}")
    bands = band_spectrogram(samples)
    rises = attacks(bands)
    if not np.any(rises > 1e-5):  # -100 dBFS
        return ()
    shapes, gains = decompose(rises, limits.adaptation)
    hits = [
        hit for drum in (KICK, SNARE, HAT, TOM) for hit in _strokes(gains, bands @ shapes[:, drum], drum, limits)
    ]
    hits = _without_crosstalk(hits, gains, bands, limits)
    pitches = kit_pitches(hits, bands, rises)
    explained = gains[:, :OTHER].sum(axis=1) / np.maximum(gains.sum(axis=1), 1e-9)
    events = [
        NoteEvent(
            onset_s=_onset_s(bands, shapes[:, hit.drum], hit.frame),
            duration_s=HIT_DURATION_S,
            pitch=pitch,
            velocity=_velocity(hit.share),
            confidence=float(explained[hit.frame] * min(0.5 + 0.5 * hit.share, 1.0)),
        )
        for hit, pitch in zip(hits, pitches, strict=True)
    ]
    return tuple(sorted(events, key=lambda event: (event.onset_s, event.pitch)))


def without_leakage(hits: Sequence[NoteEvent], drums: LevelCurve, others: LevelCurve) -> tuple[NoteEvent, ...]:
    """Drop what separation left of other instruments' attacks in a drum stem.

    Parameters
    ----------
    drums : level of the drum stem
    others : level of all the other stems together, not smoothed

    With a drum's stroke more begins in its stem than in all the rest; with an attack that leaked, where it leaked
    from. So hits stay if a good part of them (the upper quartile) stands out: in the whole recording, or it has no
    drums, and, less strictly, within LEAKAGE_REACH_S, or the drums pause. A stem that is faint beside the others
    has no drums either.

    Limits: a single voice that speaks leaves its consonants among the drums, and stands out.
    """
    if not hits:
        return ()
    onset_s = np.array([hit.onset_s for hit in hits])
    level_db = drums.peak_db(onset_s - 0.01, onset_s + 0.05) - others.peak_db(onset_s - 0.01, onset_s + 0.05)
    ahead_db = _begun_db(drums, onset_s) - _begun_db(others, onset_s)
    if np.percentile(level_db, 75) < DRUMS_LEVEL_DB or np.percentile(ahead_db, 75) < DRUMS_AHEAD_DB:
        return ()
    first = np.searchsorted(onset_s, onset_s - LEAKAGE_REACH_S)
    last = np.searchsorted(onset_s, onset_s + LEAKAGE_REACH_S)
    return tuple(
        hit
        for hit, a, b in zip(hits, first, last, strict=True)
        if np.percentile(ahead_db[a:b], 75) >= PAUSE_AHEAD_DB
    )


def _begun_db(level: LevelCurve, onset_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """The power that comes with each onset, at least a thousandth of what sounds then."""
    after = 10.0 ** (level.peak_db(onset_s - 0.01, onset_s + 0.05) / 10.0)
    before = 10.0 ** (level.peak_db(onset_s - 0.06, onset_s - 0.02) / 10.0)
    return np.asarray(10.0 * np.log10(np.maximum(after - before, 1e-3 * after)))


def _strokes(gains: FloatArray, level: FloatArray, drum: int, limits: DrumLimits) -> list[Stroke]:
    """Strokes of one drum: peaks of its gain, where its bands' level rises and falls like something struck."""
    from scipy.ndimage import maximum_filter1d

    gain = gains[:, drum]
    reach = round(limits.min_interval_s * FRAME_RATE_HZ)
    highest = maximum_filter1d(gain, 2 * reach + 1)
    frames = np.flatnonzero((gain == highest) & (gain > 1e-5))
    frames = frames[frames < len(gain) - CUT_FRAMES]
    before_frames = frames - round(0.04 * FRAME_RATE_HZ)
    before = np.where(before_frames < 0, 0.0, level[np.maximum(before_frames, 0)])
    after = level[np.minimum(frames + round(0.08 * FRAME_RATE_HZ), len(level) - 1)]
    struck = level[frames] >= 10.0 ** (limits.min_rise_db / 20.0) * before
    if drum != HAT:  # cymbals ring
        struck &= level[frames] >= 10.0 ** (limits.min_decay_db / 20.0) * after
    frames = frames[struck]
    if len(frames) == 0:
        return []
    heights = gain[frames]
    kit = float(np.percentile(gains.sum(axis=1), 99.5))  # one frame in a second is above it
    faintest = kit * (FAINTEST_HAT if drum == HAT else FAINTEST_SKIN)
    share = heights / np.maximum(_strong_stroke(frames, heights), faintest)
    return [
        Stroke(int(frame), drum, float(height), float(part))
        for frame, height, part in zip(frames, heights, share, strict=True)
        if part >= limits.threshold
    ]


def _strong_stroke(frames: NDArray[np.intp], heights: FloatArray) -> FloatArray:
    """The height of a strong stroke around each peak: the 75th percentile of those that count.

    Within ten seconds either way, so that a soft verse is heard as well as a loud chorus, but never below
    a quarter of the whole recording's, so that leakage in a break is not raised to drumming.
    """
    counted = heights > 0.05 * heights.max()
    overall = np.percentile(heights[counted], STRONG_PERCENTILE)
    reach = 10.0 * FRAME_RATE_HZ
    first = np.searchsorted(frames[counted], frames - reach)
    last = np.searchsorted(frames[counted], frames + reach)
    nearby = heights[counted]
    local = [
        np.percentile(nearby[a:b], STRONG_PERCENTILE) if b > a else 0.0 for a, b in zip(first, last, strict=True)
    ]
    return np.asarray(np.maximum(local, 0.25 * overall), dtype=np.float32)


# Whose attack another drum's is mistaken for, when both are hit at once: the snare's wires for a hat, its
# head for a kick, the kick's skin for a snare.
_SHADOWS = {HAT: (SNARE,), KICK: (SNARE,), SNARE: (KICK,), TOM: (SNARE,)}
_SIMULTANEOUS_FRAMES = 5  # 25 ms


def _without_crosstalk(
    hits: Sequence[Stroke], gains: FloatArray, bands: FloatArray, limits: DrumLimits
) -> list[Stroke]:
    """Drop the weak hits that another drum's stroke explains, and toms or kicks that are the other of the two."""
    ordered = sorted(hits, key=lambda hit: (hit.frame, hit.drum))
    frames = np.array([hit.frame for hit in ordered])
    kept: list[Stroke] = []
    for hit in ordered:
        around = slice(max(hit.frame - _SIMULTANEOUS_FRAMES, 0), hit.frame + _SIMULTANEOUS_FRAMES + 1)
        struck = gains[around].max(axis=0)
        first, last = np.searchsorted(frames, (around.start, around.stop))
        shadows = [other for other in ordered[first:last] if other.drum in _SHADOWS[hit.drum]]
        if any(other.share > hit.share for other in shadows) and hit.share < limits.shadowed_threshold:
            continue
        if hit.drum in (KICK, TOM) and (hit.drum == TOM) != _is_tom(struck, bands[hit.frame :]):
            continue
        kept.append(hit)
    return kept


def _is_tom(struck: FloatArray, bands: FloatArray) -> bool:
    """Whether a stroke is a tom's rather than a kick's.

    Parameters
    ----------
    struck : (5,) the gains at the stroke
    bands : (n_frames, 23) from the stroke on

    A tom outweighs kick, snare and hat together, and keeps its pitch; many a kick starts as high as a tom, but
    lies below 86 Hz after 70 ms. Kicks are far more common, so a tom must also outweigh the kick by three.
    """
    if struck[TOM] < max(struck[:TOM].sum(), 3.0 * struck[KICK]):
        return False
    settled = bands[min(round(0.07 * FRAME_RATE_HZ), len(bands) - 1)]
    return bool(settled[0] < settled[SKIN_BANDS].max())


def _onset_s(bands: FloatArray, shape: FloatArray, frame: int) -> float:
    """When a drum's bands rose fastest, within the rise that ends at `frame`."""
    first = max(frame - RISE_FRAMES - 1, 0)
    level = bands[first : frame + 3] @ shape
    slope = np.diff(level, prepend=np.float32(0.0) if first == 0 else level[:1])
    return max(first + peak_position(slope, int(slope.argmax())) - 0.5, 0.0) / FRAME_RATE_HZ


def _velocity(share: float) -> int:
    """Velocity of a stroke: 100 for a strong one, and 12 dB are a factor of two (General MIDI 2)."""
    return int(np.clip(round(100.0 * share**0.5), 20, 127))
