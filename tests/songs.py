"""Small songs for tests, made from nothing: known notes, chords and form."""

from collections.abc import Sequence

from rearrange.score import Chord, Key, Metre, Note, Role, Score, Section, Timeline, Track, sorted_notes

# I–vi–IV–V in C, a bar each, over and over.
PROGRESSION = ((0, "maj"), (9, "min"), (5, "maj"), (7, "7"))


def band_song(
    *,
    n_bars: int = 16,
    tempo_bpm: float = 110.0,
    metre: Metre = Metre(),
    progression: Sequence[tuple[int, str]] = PROGRESSION,
    sections: Sequence[tuple[str, int, float]] | None = None,
) -> Score:
    """A song with melody, chords, bass and drums; `sections` are (label, bars, energy)."""
    bar = metre.beats_per_bar
    form = sections or (("verse", n_bars // 2, 0.4), ("chorus", n_bars - n_bars // 2, 0.8))
    onset, made, energies = 0.0, [], []
    for label, count, energy in form:
        made.append(Section(onset, count * bar, label, energy))
        energies += [energy] * count
        onset += count * bar
    chords = tuple(
        Chord(i * bar, bar, *progression[i % len(progression)], bass=progression[i % len(progression)][0])
        for i in range(len(energies))
    )
    melody, harmony, bass, drums = [], [], [], []
    for i, chord in enumerate(chords):
        tones = [60 + pitch_class for pitch_class in chord.pitch_classes[:3]]
        start = i * bar
        melody += [
            Note(start, 1.0, tones[0] + 12, 90),
            Note(start + 1.0, 0.5, tones[1] + 12, 80),
            Note(start + 1.5, bar - 1.5, tones[2] + 12, 85),
        ]
        harmony += [Note(start, bar, pitch, 70) for pitch in tones]
        bass += [Note(start, bar / 2, 36 + chord.root, 80), Note(start + bar / 2, bar / 2, 36 + chord.root, 75)]
        drums += [Note(start, 0.25, 36, 100), Note(start + 1.0, 0.25, 38, 95)]
    tracks = (
        Track("melody", Role.MELODY, 73, False, sorted_notes(melody)),
        Track("bass", Role.BASS, 33, False, sorted_notes(bass)),
        Track("chords", Role.CHORDS, 0, False, sorted_notes(harmony)),
        Track("drums", Role.DRUMS, 0, True, sorted_notes(drums)),
    )
    timeline = Timeline.constant(tempo_bpm, end_beat=onset, metre=metre)
    return Score(timeline, Key(0, "major"), chords, tuple(made), tracks, tuple(energies), title="band song")
