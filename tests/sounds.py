"""Sound from notes, made from nothing: enough of a band for the ears of the pipeline."""

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import Audio
from rearrange.score import Note, Role, Score, Timeline

SAMPLE_RATE = 44100
_PARTIALS = {Role.MELODY: (1.0, 0.5, 0.3, 0.2), Role.BASS: (1.0, 0.4, 0.1), Role.CHORDS: (1.0, 0.3, 0.15)}
_LEVELS = {Role.MELODY: 0.22, Role.BASS: 0.25, Role.CHORDS: 0.08, Role.DRUMS: 0.3}
_PANS = {Role.MELODY: 0.0, Role.BASS: 0.0, Role.CHORDS: 0.5, Role.DRUMS: -0.1}


def band(score: Score) -> Audio:
    """Play a score in stereo: additive tones, and bursts for drums."""
    timeline = score.timeline
    n = int((float(timeline.seconds(timeline.end_beat)) + 1.0) * SAMPLE_RATE)
    mix = np.zeros((2, n))
    rng = np.random.default_rng(0)
    for track in score.tracks:
        part = np.zeros(n)
        for note in track.notes:
            sound = _hit(note.pitch, rng) if track.is_drum else _tone(note, timeline, _PARTIALS[track.role])
            start = max(int(float(timeline.seconds(note.onset_beat)) * SAMPLE_RATE), 0)
            part[start : start + len(sound)] += sound[: n - start] * note.velocity / 100
        pan = _PANS[track.role]
        mix += _LEVELS[track.role] * part * np.array([[1 - pan], [1 + pan]])
    return Audio((0.7 * mix / max(np.abs(mix).max(), 1e-9)).astype(np.float32), SAMPLE_RATE)


def _tone(note: Note, timeline: Timeline, partials: tuple[float, ...]) -> NDArray[np.float64]:
    seconds = float(timeline.seconds(note.onset_beat + note.duration_beat) - timeline.seconds(note.onset_beat))
    t = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    hz = 440.0 * 2 ** ((note.pitch - 69) / 12)
    tone = sum(level * np.sin(2 * np.pi * hz * (i + 1) * t) for i, level in enumerate(partials))
    return np.asarray(tone * np.minimum(1, t / 0.01) * np.minimum(1, (seconds - t) / 0.03) * np.exp(-t))


def _hit(pitch: int, rng: np.random.Generator) -> NDArray[np.float64]:
    t = np.arange(int(0.25 * SAMPLE_RATE)) / SAMPLE_RATE
    if pitch in (35, 36):
        return np.asarray(np.sin(2 * np.pi * (50 * t + 4 * (1 - np.exp(-t / 0.03)))) * np.exp(-t / 0.08))
    return np.asarray(rng.normal(0, 0.5, len(t)) * np.exp(-t / (0.06 if pitch in (38, 40) else 0.02)))
