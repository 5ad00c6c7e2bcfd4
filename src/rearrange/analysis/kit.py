"""Which drum of the kit a stroke is: the tails of bright ones, the wires and the skin of the others.

Closed hat, open hat, ride and crash are told apart by how they ring; snare and tom by the snare's wires;
toms by their pitch.

Conventions: a drum is its column in `analysis/attacks.py`; results are General MIDI percussion pitches.

Limits: ride and open hat are told apart by use (a ride keeps time), not by sound; hand drums become toms.

Source: ours, measured on recorded and on General MIDI kits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.attacks import (
    BRIGHT_BANDS,
    FRAME_RATE_HZ,
    HAT,
    KICK,
    SKIN_BANDS,
    SNARE,
    TOM,
    UPPER_BANDS,
    WIRE_BANDS,
    band_centres_hz,
)

__all__ = ["Stroke", "kit_pitches"]

FloatArray = NDArray[np.float32]

# General MIDI percussion.
BASS_DRUM, ACOUSTIC_SNARE, CLOSED_HAT, OPEN_HAT, CRASH, RIDE = 36, 38, 42, 46, 49, 51
LOW_TOM, MID_TOM, HIGH_TOM = 45, 47, 50

# How a cymbal rings, in dB lost after 100 ms: closed hats 10 to 28, open ones 2 to 7; crashes nothing, and less
# than 6 after 300 ms (recorded and General MIDI kits).
CLOSED_LOSS_DB = 9.0
CRASH_LOSS_DB = 6.0

# A stroke taken for a snare's with less than this share of the usual snare's wires is a tom's.
TOM_WIRES = 0.33
# The usual snare is the 75th percentile: some of what is taken for snares may be toms.
USUAL_PERCENTILE = 75


@dataclass(frozen=True, slots=True)
class Stroke:
    """A stroke: frame of its peak, which template, its attack, and that as a share of strong strokes nearby."""

    frame: int
    drum: int
    attack: float
    share: float


def kit_pitches(hits: Sequence[Stroke], bands: FloatArray, rises: FloatArray) -> list[int]:
    """Which General MIDI drum each hit is."""
    snares = [hit for hit in hits if hit.drum == SNARE]
    wires = _wires(snares, rises)
    usual_wires = float(np.percentile(wires, USUAL_PERCENTILE)) if len(wires) else 0.0
    wireless = {hit for hit, part in zip(snares, wires, strict=True) if part < TOM_WIRES * usual_wires}
    cymbals = _cymbals([hit for hit in hits if hit.drum == HAT], bands)
    pitches: list[int] = []
    for hit in hits:
        if hit.drum == HAT:
            pitches.append(cymbals[hit.frame])
        elif hit.drum == TOM or hit in wireless:
            pitches.append(_tom(rises[hit.frame]))
        else:
            pitches.append(BASS_DRUM if hit.drum == KICK else ACOUSTIC_SNARE)
    return pitches


def _wires(hits: Sequence[Stroke], rises: FloatArray) -> NDArray[np.float64]:
    """Share of each attack that lies where a snare's wires are."""
    found = [rises[hit.frame, WIRE_BANDS].sum() / max(float(rises[hit.frame].sum()), 1e-9) for hit in hits]
    return np.array(found, dtype=np.float64)


def _tom(rise: FloatArray) -> int:
    """Low, middle or high tom, by the centre of its skin's attack."""
    skin = rise[SKIN_BANDS]
    centre_hz = float(skin @ band_centres_hz()[SKIN_BANDS]) / max(float(skin.sum()), 1e-9)
    return LOW_TOM if centre_hz < 140.0 else MID_TOM if centre_hz < 190.0 else HIGH_TOM


def _cymbals(hats: Sequence[Stroke], bands: FloatArray) -> dict[int, int]:
    """Pitch of each bright hit, by frame, from how it rings.

    Closed: gone 9 dB within 100 ms (measured: closed hats lose 10 to 28 dB, open ones 2 to 7, crashes nothing),
    or struck again too soon to tell. Crash: as strong at 3 kHz as above, and not 6 dB down after 300 ms. Ride:
    rings stroke after stroke, where a hat would be closed between. Else open.
    """
    bright_db = _band_level_db(bands[:, BRIGHT_BANDS])
    upper_db = _band_level_db(bands[:, UPPER_BANDS])
    frames = sorted(hit.frame for hit in hats)
    ringing: list[int] = []
    pitches: dict[int, int] = {}
    for i, frame in enumerate(frames):
        limit = frames[i + 1] - 3 if i + 1 < len(frames) else len(bands) - 1
        after = min(frame + round(0.1 * FRAME_RATE_HZ), limit, len(bands) - 1)
        peak = bright_db[frame : frame + 3].max()
        later = min(frame + round(0.3 * FRAME_RATE_HZ), len(bands) - 1)
        before_db = bright_db[max(frame - 10, 0)]
        lost_db = (peak - bright_db[after]) * 0.1 * FRAME_RATE_HZ / max(after - frame, 1)
        too_soon = after - frame < 0.06 * FRAME_RATE_HZ
        if too_soon or lost_db > CLOSED_LOSS_DB or bright_db[after] < before_db + 3.0:
            pitches[frame] = CLOSED_HAT
        elif upper_db[frame : frame + 3].max() > peak - 1.0 and peak - bright_db[later] < CRASH_LOSS_DB:
            pitches[frame] = CRASH
        else:
            pitches[frame] = OPEN_HAT
            ringing.append(frame)
    return pitches | _rides(np.array(ringing), np.array(frames))


def _rides(ringing: NDArray[np.intp], frames: NDArray[np.intp]) -> dict[int, int]:
    """Of the ringing hits those that keep time: most of the bright hits within two seconds ring too."""
    reach = 2.0 * FRAME_RATE_HZ
    alike = np.searchsorted(ringing, ringing + reach) - np.searchsorted(ringing, ringing - reach)
    all_hits = np.searchsorted(frames, ringing + reach) - np.searchsorted(frames, ringing - reach)
    keeps_time = (alike >= 4) & (alike > 0.7 * all_hits)
    return dict.fromkeys(ringing[keeps_time].tolist(), RIDE)


def _band_level_db(bands: FloatArray) -> FloatArray:
    return np.asarray(10.0 * np.log10(np.einsum("ij,ij->i", bands, bands) + 1e-12), dtype=np.float32)
