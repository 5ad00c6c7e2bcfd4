"""What tells beats and bars apart: onset strength by register, and changes of harmony and bass.

Conventions: `Evidence` has `FRAME_RATE_HZ` frames per second except `chroma_frames` and `bass_frames`, which have
`CHROMA_RATE_HZ`. It comes from sound or from notes; where there are both, each is weighed on its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.chroma import CHROMA_RATE_HZ, fold_pitches, harmonic_change, note_pitch_frames
from rearrange.analysis.onsets import FRAME_RATE_HZ, OnsetEnvelope, note_envelope
from rearrange.score import NoteEvent

__all__ = ["Evidence", "note_evidence", "sound_evidence"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Evidence:
    """Frame-wise evidence of metre.

    Parameters
    ----------
    source : "sound" or "notes"; cues of the two differ in sharpness, and have weights of their own
    strength : (n_frames,) onset strength of everything
    cues : (n_frames, 5) onset strength low, mid and high, change of harmony, change of bass
    chroma_frames, bass_frames : (n_chroma_frames, 12) what sounds, in all registers and in the bass
    """

    source: str
    strength: Floats
    cues: Floats
    chroma_frames: Floats
    bass_frames: Floats

    @property
    def duration_s(self) -> float:
        return len(self.strength) / FRAME_RATE_HZ


def sound_evidence(onsets: OnsetEnvelope, semitones: NDArray[np.floating]) -> Evidence:
    """Evidence from a sound's onset envelope and its semitone levels (`LogSpectrogram.semitones`)."""
    return _evidence("sound", onsets, semitones)


def note_evidence(notes: Sequence[NoteEvent], drum_hits: Sequence[NoteEvent], duration_s: float) -> Evidence:
    """Evidence from pitched notes and drum hits."""
    envelope = note_envelope(notes, duration_s, drum_hits=drum_hits)
    return _evidence("notes", envelope, note_pitch_frames(notes, duration_s))


def _evidence(source: str, onsets: OnsetEnvelope, pitch_frames: NDArray[np.floating]) -> Evidence:
    folded = fold_pitches(pitch_frames)
    times = np.arange(len(onsets)) * (CHROMA_RATE_HZ / FRAME_RATE_HZ)
    frames = np.arange(len(folded.treble))
    changes = [np.interp(times, frames, harmonic_change(chroma)) for chroma in (folded.treble, folded.bass)]
    cues = np.stack([onsets.low, onsets.mid, onsets.high, *changes], axis=1).astype(np.float64)
    return Evidence(source, onsets.strength.astype(np.float64), cues, folded.treble, folded.bass)
