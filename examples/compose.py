"""Composes and renders `song.wav`, the original song that `make demo` turns into other genres.

"Harbour Lights": piano, bass, drums and a flute that sings, 20 bars at 112 beats per minute in A minor and C
major. Written for this project; run it again with

    python examples/compose.py

Everything is written out below: chords a bar each, and the tune as (beats, pitch name) pairs, `-` for a rest.
"""

import sys
from pathlib import Path

from rearrange.audio import write_audio
from rearrange.general_midi import DRUM_PITCHES, pitch_number
from rearrange.mixtable import MixTable, RoleMix
from rearrange.pipeline.excerpt import play
from rearrange.score import CHORD_INTERVALS, Arrangement, Key, Note, Role, Timeline, Track, sorted_notes
from rearrange.stages.mix import MixSettings
from rearrange.stages.render import RenderSettings

TEMPO_BPM = 112
BEATS_PER_BAR = 4
SAMPLE_RATE = 22_050  # keeps the file under 4 MiB; there is little above 11 kHz in it

INTRO = [("A", "min"), ("F", "maj")]
VERSE = [("A", "min"), ("F", "maj"), ("C", "maj"), ("G", "maj")] * 2
CHORUS = [
    ("F", "maj"),
    ("G", "maj"),
    ("C", "maj"),
    ("A", "min"),
    ("F", "maj"),
    ("G", "maj"),
    ("A", "min"),
    ("E", "7"),
]
OUTRO = [("F", "maj"), ("A", "min")]
CHORDS = [*INTRO, *VERSE, *CHORUS, *OUTRO]
CHORUS_STARTS, OUTRO_STARTS = len(INTRO) + len(VERSE), len(INTRO) + len(VERSE) + len(CHORUS)

VERSE_TUNE = """
1 E5  .5 D5 .5 C5  1 A4  1 -      .5 A4 .5 C5  1 D5  1.5 C5  .5 -
1 E5  .5 G5 .5 E5  1.5 D5 .5 C5   2 D5  1 B4  1 -
1 E5  .5 D5 .5 C5  1 A4  1 -      .5 A4 .5 C5  1 F5  1.5 E5  .5 -
1 G5  .5 E5 .5 C5  1.5 E5 .5 D5   2 D5  1 E5  1 -
"""
CHORUS_TUNE = """
1.5 A5  .5 G5  1 F5  1 A5         1.5 G5  .5 F5  1 D5  1 B4
1.5 E5  .5 F5  1 G5  1 E5         2 C5  1 -  .5 A4 .5 C5
1.5 A5  .5 G5  1 F5  .5 A5 .5 C6  1.5 B5  .5 A5  1 G5  1 D5
2 E5  1 C5  1 A4                  1.5 B4  .5 C5  1 G#4  1 -
"""
OUTRO_TUNE = "2 A4  2 C5   4 A4"


def tune(text: str, start_beat: float) -> list[Note]:
    """Notes of (beats, pitch) pairs, a little stronger on the first beat of each bar."""
    words = text.split()
    notes, beat = [], start_beat
    for length, name in zip(words[::2], words[1::2], strict=True):
        duration = float(length)
        if name != "-":
            velocity = 96 if beat % BEATS_PER_BAR == 0 else 84
            notes.append(Note(beat, duration * 0.95, pitch_number(name), velocity))
        beat += duration
    return notes


def melody() -> Track:
    notes = tune(VERSE_TUNE, len(INTRO) * BEATS_PER_BAR)
    notes += tune(CHORUS_TUNE, CHORUS_STARTS * BEATS_PER_BAR)
    notes += tune(OUTRO_TUNE, OUTRO_STARTS * BEATS_PER_BAR)
    return Track("melody", Role.MELODY, 73, False, sorted_notes(notes))


def piano() -> Track:
    """Broken eighths in the verse, chords on the beat in the chorus, one long chord at the end."""
    notes = []
    for bar, (name, quality) in enumerate(CHORDS):
        root = pitch_number(f"{name}3")
        tones = [root + interval for interval in CHORD_INTERVALS[quality]]
        tones = sorted(tone - 12 if tone > 62 else tone for tone in tones)
        start = bar * BEATS_PER_BAR
        if bar == len(CHORDS) - 1:
            notes += [Note(start, 4.0, tone, 70) for tone in tones]
        elif bar < CHORUS_STARTS:
            figure = [0, 1, 2, 1, 0, 2, 1, 2]
            notes += [Note(start + i / 2, 0.6, tones[f], 62 + 6 * (i % 4 == 0)) for i, f in enumerate(figure)]
        else:
            notes += [Note(start + beat, 0.9, tone, 74 - 4 * (beat % 2)) for beat in range(4) for tone in tones]
    return Track("piano", Role.CHORDS, 0, False, sorted_notes(notes))


def bass() -> Track:
    notes = []
    for bar, (name, _) in enumerate(CHORDS):
        root = pitch_number(f"{name}2") - (12 if name in "AGB" else 0)
        start = bar * BEATS_PER_BAR
        if bar == len(CHORDS) - 1:
            notes.append(Note(start, 4.0, root, 84))
        elif bar < CHORUS_STARTS:
            notes += [Note(start, 1.4, root, 86), Note(start + 1.5, 0.4, root, 74), Note(start + 2, 1.9, root, 80)]
        else:
            notes += [Note(start + i / 2, 0.45, root + 12 * (i == 7), 86 - 6 * (i % 2)) for i in range(8)]
    return Track("bass", Role.BASS, 33, False, sorted_notes(notes))


def drums() -> Track:
    """Enters with the verse; eighth-note hats, a kick that syncopates, a fill before the chorus."""
    hits = []

    def hit(beat: float, voice: str, velocity: int) -> None:
        hits.append(Note(beat, 0.25, DRUM_PITCHES[voice], velocity))

    for bar in range(len(INTRO), len(CHORDS) - 1):
        start = bar * BEATS_PER_BAR
        chorus = CHORUS_STARTS <= bar < OUTRO_STARTS
        if bar in (len(INTRO), CHORUS_STARTS):
            hit(start, "crash", 92)
        for i in range(8):
            hit(start + i / 2, "closed_hat", 72 if i % 2 == 0 else 54)
        for beat in (0, 2.5) if not chorus else (0, 1.5, 2):
            hit(start + beat, "kick", 100)
        fill = bar in (CHORUS_STARTS - 1, OUTRO_STARTS - 1)
        hit(start + 1, "snare", 98)
        if fill:
            for i, voice in enumerate(("snare", "snare", "high_tom", "low_tom")):
                hit(start + 3 + i / 4, voice, 80 + 6 * i)
        else:
            hit(start + 3, "snare", 98)
    end = (len(CHORDS) - 1) * BEATS_PER_BAR
    hit(end, "kick", 100)
    hit(end, "crash", 90)
    return Track("drums", Role.DRUMS, 0, True, sorted_notes(hits))


def song() -> Arrangement:
    end_beat = float(len(CHORDS) * BEATS_PER_BAR)
    return Arrangement(
        timeline=Timeline.constant(TEMPO_BPM, end_beat=end_beat),
        genre="",
        style="",
        key=Key(9, "minor"),
        chords=(),
        sections=(),
        tracks=(melody(), piano(), bass(), drums()),
        seed=0,
    )


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("song.wav")
    table = MixTable(
        roles={
            Role.MELODY: RoleMix(level_db=1.0, reverb_db=-14.0),
            Role.CHORDS: RoleMix(level_db=-5.0, pan=-0.25, reverb_db=-18.0),
            Role.BASS: RoleMix(level_db=-2.0),
            Role.DRUMS: RoleMix(level_db=-3.0, reverb_db=-22.0),
        }
    )
    sound = play(song(), table, RenderSettings(), MixSettings())
    write_audio(target, sound, sample_rate=SAMPLE_RATE, bit_depth="16")
    print(f"{target}: {sound.duration_s:.1f} s")


if __name__ == "__main__":
    main()
