"""Singers: notes sung on words, with the pitch, the length and the loudness that are asked for.

    singer = drawn_singer(voices, rng)
    samples = sing(singer, notes, rng, duration_s=20.0)

A phrase is one piece of sound, made by WORLD from the frames of its words: what comes before a word's vowel sounds
before the note's onset, the vowel lasts as the note does, pitch glides from note to note. A singer has a size
(formants), a vibrato, breath, and habits: scoops, words over several notes, breathing in before phrases.

Conventions: mono float32 at SAMPLE_RATE; a note's onset is its vowel's. Notes are sung one at a time: one
that starts while another lasts ends it. Pitch is within a fifth of a semitone of the note's, but for glides and
vibrato.

Limits: nobody sings softer by singing otherwise, but for a duller spectrum; no consonant is lengthened.

Source: J. Sundberg, The Science of the Singing Voice, 1987: vibrato of 5 to 7 Hz and up to a semitone either way,
spectrum falling faster in soft singing, formants up by a fifth from the largest to the smallest adults.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rearrange.models.mel import SAMPLE_RATE
from rearrange.score import NoteEvent
from rearrange.training.voices import FFT_SIZE, FRAME_S, Syllable, Voice, world

__all__ = ["Singer", "drawn_singer", "one_at_a_time", "sing"]

Floats = NDArray[np.float64]

_PHRASE_GAP_S = 0.3
_LONGEST_PHRASE_S = 10.0
_MOST_CONSONANT_S, _MOST_CODA_S = 0.16, 0.12
_BLEND_FRAMES = 5
_RELEASE_S = 0.06
_SHORTEST_S = 0.08  # a shorter note is sung as long as this, where there is room
_LEVEL = 0.1  # root mean square of a vowel at velocity 90
_POWER = 1.5  # of amplitude by velocity
_RICH_HZ, _RICH, _RICH_FALL = (
    3500.0,
    0.2,
    2.7,
)  # where harmonics are made up, from 7 dB below, falling 8 dB an octave


@dataclass(frozen=True)
class Singer:
    """Who sings, and how.

    Parameters
    ----------
    size : formants are this many times higher than the speaker's
    vibrato_hz, vibrato_depth : its rate, and its half extent in semitones; it sets in after `vibrato_after_s`
    glide_s : of pitch from note to note
    scoop_share, melisma_share : how often a phrase's note starts below its pitch, and a word is sung on
    breath : 0 to 1: how much of the voice is noise
    ring_db : of the singer's formant, near 3 kHz
    tuning : in semitones, all the time
    breathing_db : level of breathing in before a phrase, against the voice; None: not heard
    """

    voice: Voice
    size: float
    vibrato_hz: float
    vibrato_depth: float
    vibrato_after_s: float
    glide_s: float
    scoop_share: float
    melisma_share: float
    breath: float
    ring_db: float
    tuning: float
    breathing_db: float | None


def drawn_singer(voices: Sequence[Voice], rng: np.random.Generator) -> Singer:
    """A singer, on one of some voices."""
    trained = rng.random() < 0.4  # more vibrato, more ring
    return Singer(
        voice=voices[int(rng.integers(len(voices)))],
        size=float(np.exp(rng.uniform(np.log(0.86), np.log(1.2)))),
        vibrato_hz=float(rng.uniform(4.8, 6.8)),
        vibrato_depth=float(rng.uniform(0.25, 0.8) if trained else rng.uniform(0.0, 0.35)),
        vibrato_after_s=float(rng.uniform(0.05, 0.5)),
        glide_s=float(rng.uniform(0.03, 0.12)),
        scoop_share=float(rng.choice((0.0, 0.15, 0.4))),
        melisma_share=float(rng.choice((0.0, 0.1, 0.3))),
        breath=float(rng.beta(1.0, 4.0)),
        ring_db=float(rng.uniform(3, 12) if trained else rng.uniform(0, 4)),
        tuning=float(rng.normal(0.0, 0.04)),
        breathing_db=float(rng.uniform(-30, -18)) if rng.random() < 0.5 else None,
    )


def one_at_a_time(notes: Sequence[NoteEvent]) -> tuple[NoteEvent, ...]:
    """The notes that one voice can sing: of a chord the highest, and none beyond the next one's onset."""
    out: list[NoteEvent] = []
    for note in sorted(notes, key=lambda each: (each.onset_s, each.pitch)):
        if out and note.onset_s - out[-1].onset_s < 0.04:
            out.pop()  # the chord's lower note
        elif out and out[-1].onset_s + out[-1].duration_s > note.onset_s:
            before = out.pop()
            out.append(NoteEvent(before.onset_s, note.onset_s - before.onset_s, before.pitch, before.velocity))
        out.append(note)
    return tuple(out)


def sing(
    singer: Singer,
    notes: Sequence[NoteEvent],
    rng: np.random.Generator,
    *,
    duration_s: float,
    words: Sequence[int] | None = None,
) -> NDArray[np.float32]:
    """The notes as sung, (n_samples,).

    Parameters
    ----------
    notes : in order, one at a time (`one_at_a_time`)
    words : of the voice, by number, one for each note; drawn where none are given

    Raises
    ------
    ValueError : the notes overlap, or there are fewer words.
    """
    if any(b.onset_s < a.onset_s + a.duration_s - 1e-6 for a, b in pairwise(notes)):
        raise ValueError("notes overlap: one voice sings one at a time")
    if words is None:
        words = rng.integers(len(singer.voice.syllables), size=len(notes)).tolist()
    if len(words) < len(notes):
        raise ValueError("a word for each note")
    out = np.zeros(round(duration_s * SAMPLE_RATE))
    at = 0
    for phrase in _phrases(notes):
        sung, start_s = _phrase(singer, phrase, words[at : at + len(phrase)], rng)
        at += len(phrase)
        if singer.breathing_db is not None:
            _add(out, *_breathed(singer.breathing_db, start_s, rng))
        _add(out, sung, start_s)
    return out.astype(np.float32)


def _add(out: Floats, sound: Floats, start_s: float) -> None:
    first = round(start_s * SAMPLE_RATE)
    skip, first = max(-first, 0), max(first, 0)
    last = min(first + len(sound) - skip, len(out))
    if last > first:
        out[first:last] += sound[skip : skip + last - first]


def _phrases(notes: Sequence[NoteEvent]) -> list[list[NoteEvent]]:
    """Notes with no rest between them; long ones are parted, or their frames would fill the memory."""
    out: list[list[NoteEvent]] = []
    for note in notes:
        last = out[-1][-1] if out else None
        if (
            last is None
            or note.onset_s - (last.onset_s + last.duration_s) > _PHRASE_GAP_S
            or note.onset_s - out[-1][0].onset_s > _LONGEST_PHRASE_S
        ):
            out.append([])
        out[-1].append(note)
    return out


def _phrase(
    singer: Singer, notes: Sequence[NoteEvent], words: Sequence[int], rng: np.random.Generator
) -> tuple[Floats, float]:
    """A phrase's sound and when it starts."""
    start_s = notes[0].onset_s - _MOST_CONSONANT_S - 0.02
    onsets_s = [note.onset_s - start_s for note in notes]
    limits_s = [*onsets_s[1:], np.inf]
    ends_s = [
        min(on + max(note.duration_s, _SHORTEST_S), limit)
        for on, note, limit in zip(onsets_s, notes, limits_s, strict=True)
    ]
    sung_on = [i > 0 and rng.random() < singer.melisma_share for i in range(len(notes))]
    firsts = [i for i, on in enumerate(sung_on) if not on]
    lasts = [*(i - 1 for i in firsts[1:]), len(notes) - 1]
    used = [singer.voice.syllables[words[i]] for i in firsts]
    rooms_s = [(onsets_s[i] - onsets_s[i - 1]) / 2 if i else _MOST_CONSONANT_S for i in firsts]
    begins = [
        _frame(onsets_s[i]) - min(syllable.vowel[0], _frame(min(_MOST_CONSONANT_S, room_s)))
        for i, syllable, room_s in zip(firsts, used, rooms_s, strict=True)
    ]
    n_frames = _frame(ends_s[-1] + 2 * _RELEASE_S) + 1
    envelope = np.full((n_frames, FFT_SIZE // 2 + 1), 1e-12)
    noise = np.ones_like(envelope)
    voiced = np.zeros(n_frames, dtype=bool)
    for i, last, syllable, begin, beyond in zip(firsts, lasts, used, begins, [*begins[1:], n_frames], strict=True):
        end = min(_frame(ends_s[last] + _RELEASE_S), beyond)
        source, is_voiced = _frames_of(syllable, _frame(onsets_s[i]) - begin, end - begin)
        here = slice(begin, end)
        bright, airy = _spectrum(syllable, singer.size)
        envelope[here], noise[here], voiced[here] = bright[source], airy[source], is_voiced
        _blend(envelope, begin)
    pitches = _pitch(singer, notes, onsets_s, ends_s, n_frames, rng=rng)
    envelope *= _power(notes, onsets_s, ends_s, n_frames)[:, None] * _colour(singer, notes)
    noise += (1.0 - noise) * singer.breath * _airiness()
    f0 = np.where(voiced, 440.0 * 2 ** ((pitches - 69.0) / 12), 0.0)
    sound = np.asarray(world().synthesize(f0, envelope, noise, SAMPLE_RATE, 1000 * FRAME_S))
    # What a vowel's power becomes depends on where harmonics meet formants.
    sung = np.square(sound).reshape(-1)
    loud = float(np.sqrt(sung[sung > 1e-4 * sung.max(initial=0.0)].mean())) if sung.any() else 1.0
    wanted = _LEVEL * float(np.mean([(note.velocity / 90.0) ** _POWER for note in notes]))
    return sound * (wanted / loud), start_s


def _frame(time_s: float) -> int:
    return round(time_s / FRAME_S)


def _frames_of(syllable: Syllable, n_before: int, n_frames: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Which frame of a syllable sounds when: start and end as spoken, the vowel between as long as needed."""
    first, last = syllable.vowel
    n_after = min(len(syllable.voiced) - last, _frame(_MOST_CODA_S), max(n_frames - n_before, 0) // 3)
    n_vowel = max(n_frames - n_before - n_after, 1)
    # A singer stays on the first part of a diphthong: the vowel moves late.
    moved = first + (last - 1 - first) * np.linspace(0.0, 1.0, n_vowel) ** 1.5
    source = np.concatenate([np.arange(first - n_before, first), moved.round(), np.arange(last, last + n_after)])
    source = source[:n_frames].astype(np.int64)
    is_voiced = syllable.voiced[source] | ((source >= first) & (source < last))
    return source, is_voiced


@lru_cache(maxsize=64)
def _spectrum(syllable: Syllable, size: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Envelope and aperiodicity, (n_frames, n_bins) each, formants moved by `size`."""
    pyworld = world()
    envelope = pyworld.decode_spectral_envelope(syllable.envelope.astype(np.float64), SAMPLE_RATE, FFT_SIZE)
    noise = pyworld.decode_aperiodicity(syllable.noise.astype(np.float64), SAMPLE_RATE, FFT_SIZE)
    at = np.minimum(np.arange(FFT_SIZE // 2 + 1) / size, FFT_SIZE // 2 - 1e-6)
    low = at.astype(np.int64)
    part = at - low
    moved = envelope[:, low] * (1.0 - part) + envelope[:, low + 1] * part
    # eSpeak's voices have no harmonics above its highest formant; those of singers fall on gently.
    hertz = np.arange(FFT_SIZE // 2 + 1) * SAMPLE_RATE / FFT_SIZE
    below = moved[:, (hertz > 0.3 * _RICH_HZ) & (hertz <= _RICH_HZ)].mean(axis=1, keepdims=True)
    floor = _RICH * below * (_RICH_HZ / np.maximum(hertz, _RICH_HZ)) ** _RICH_FALL
    moved = np.where(hertz > _RICH_HZ, np.maximum(moved, floor), moved)
    return moved.astype(np.float32), noise.astype(np.float32)


def _blend(envelope: Floats, at: int) -> None:
    """One word goes over into the next."""
    if at < _BLEND_FRAMES:
        return
    before, after = np.log(envelope[at - _BLEND_FRAMES]), np.log(envelope[at] + 1e-12)
    part = np.linspace(0.0, 1.0, _BLEND_FRAMES, endpoint=False)[:, None]
    envelope[at - _BLEND_FRAMES : at] = np.exp(before + (after - before) * part)


def _pitch(
    singer: Singer,
    notes: Sequence[NoteEvent],
    onsets_s: Sequence[float],
    ends_s: Sequence[float],
    n_frames: int,
    *,
    rng: np.random.Generator,
) -> Floats:
    """(n_frames,) pitch as MIDI numbers."""
    time_s = np.arange(n_frames) * FRAME_S
    aims = [note.pitch + float(np.clip(rng.normal(0.0, 0.05), -0.12, 0.12)) for note in notes]
    out = np.full(n_frames, aims[0])
    bend = np.zeros(n_frames)
    for i, (onset_s, end_s, aim) in enumerate(zip(onsets_s, ends_s, aims, strict=True)):
        if i:
            # Most of a glide lies before the onset: the new pitch is there when the vowel is.
            part = np.clip((time_s - onset_s) / singer.glide_s + 0.7, 0.0, 1.0)
            out += (aim - aims[i - 1]) * (0.5 - 0.5 * np.cos(np.pi * part))
        since_s, length_s = time_s - onset_s, end_s - onset_s
        here = (since_s >= 0.0) & (time_s < end_s)
        if length_s > 0.25 and rng.random() < singer.scoop_share:
            depth, tau_s = rng.uniform(0.5, 2.0), rng.uniform(0.02, 0.05)
            bend[here] -= depth * np.exp(-since_s[here] / tau_s)
        risen = np.clip((since_s - singer.vibrato_after_s) / 0.25, 0.0, 1.0)
        rate_hz = singer.vibrato_hz * float(np.exp(rng.normal(0.0, 0.05)))
        phase = rng.uniform(0.0, 2 * np.pi)
        bend[here] += (singer.vibrato_depth * risen * np.sin(2 * np.pi * rate_hz * since_s + phase))[here]
    walk = np.convolve(rng.normal(0.0, 1.0, n_frames + 39), np.hanning(40), mode="valid")
    return np.asarray(out + bend + singer.tuning + 0.012 * walk)


def _power(
    notes: Sequence[NoteEvent], onsets_s: Sequence[float], ends_s: Sequence[float], n_frames: int
) -> Floats:
    """(n_frames,) of the envelope: louder and softer with the notes, silent at the end of each held one."""
    time_s = np.arange(n_frames) * FRAME_S
    gain = np.interp(time_s, onsets_s, [(note.velocity / 90.0) ** _POWER for note in notes])
    closed = np.zeros(n_frames)
    for i, end_s in enumerate(ends_s):
        if i + 1 == len(ends_s) or onsets_s[i + 1] - end_s > 2 * _RELEASE_S:
            resumed_s = onsets_s[i + 1] - _MOST_CONSONANT_S if i + 1 < len(ends_s) else np.inf
            falling = np.clip((time_s - end_s) / _RELEASE_S, 0.0, 1.0)
            closed = np.maximum(closed, np.where(time_s < max(resumed_s, end_s + _RELEASE_S), falling, 0.0))
    return np.asarray((gain * (1.0 - closed)) ** 2 + 1e-12)


def _colour(singer: Singer, notes: Sequence[NoteEvent]) -> Floats:
    """(n_bins,) of the envelope: the singer's formant, and a duller spectrum where the phrase is soft."""
    hertz = np.arange(FFT_SIZE // 2 + 1) * SAMPLE_RATE / FFT_SIZE
    ring_db = singer.ring_db * np.exp(-0.5 * ((hertz / (2900.0 * singer.size) - 1.0) / 0.15) ** 2)
    softness = (90.0 - float(np.mean([note.velocity for note in notes]))) / 30.0
    tilt_db = -2.0 * softness * np.log2(np.maximum(hertz, 200.0) / 500.0)
    return np.asarray(10 ** ((ring_db + tilt_db) / 10))


def _airiness() -> Floats:
    """(n_bins,) how much of a breathy voice is noise: little below 1 kHz."""
    hertz = np.arange(FFT_SIZE // 2 + 1) * SAMPLE_RATE / FFT_SIZE
    return np.asarray(np.clip((hertz - 500.0) / 4000.0, 0.05, 1.0))


def _breathed(level_db: float, before_s: float, rng: np.random.Generator) -> tuple[Floats, float]:
    """Breathing in, and when it starts."""
    from scipy.signal import butter, sosfilt

    length_s = float(rng.uniform(0.2, 0.45))
    n = round(length_s * SAMPLE_RATE)
    sound = sosfilt(butter(2, (900.0, 7000.0), "bandpass", fs=SAMPLE_RATE, output="sos"), rng.standard_normal(n))
    sound *= np.sin(np.pi * np.linspace(0.0, 1.0, n)) ** 1.5
    sound *= _LEVEL * 10 ** (level_db / 20) / max(float(np.sqrt(np.mean(sound**2))), 1e-9)
    return np.asarray(sound), before_s - length_s
