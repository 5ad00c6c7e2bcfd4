"""Songs of ours, written as the real sets have theirs, under ids that are held out and ids that are not."""

import csv
from pathlib import Path

from rearrange.evaluation.corpora import corpus
from rearrange.midi import write_performance, write_score
from rearrange.score import NoteEvent, Part, Performance
from tests.songs import band_song

# Ids that the real split does not hold out.
FREE = {
    "pop909": ["001", "002"],
    "freedoom": ["free_one", "free_two"],
    "gmd": ["stranger/session1/1_rock_120_beat_4-4", "stranger/session1/2_rock_120_beat_3-4"],
    "openscore_lieder": ["lc0000001", "lc0000002"],
}


def some_held_out(name: str) -> list[str]:
    """Ids as the real split has them; of a folder that is held out, a song in it."""
    listed = sorted(corpus(name).test)[:2] + sorted(corpus(name).judge)[:2]
    return [f"{each}/9_rock_120_beat_4-4" if name == "gmd" and each.count("/") < 2 else each for each in listed]


def write_song(name: str, root: Path, song: str) -> None:
    """A song of a set, in the folder where the set is unpacked."""
    if name == "pop909":
        (root / song).mkdir(parents=True)
        score = band_song(n_bars=64, tempo_bpm=100.0)
        write_score(root / song / f"{song}.mid", score)
        beats = range(4 * 64)
        lines = [f"{float(score.timeline.seconds(beat))} 1.0 {float(beat % 4 == 0)}" for beat in beats]
        (root / song / "beat_midi.txt").write_text("\n".join(lines))
        ends = [float(score.timeline.seconds(chord.end_beat)) for chord in score.chords]
        starts = [0.0, *ends[:-1]]
        (root / song / "chord_midi.txt").write_text(
            "".join(f"{start}\t{end}\tC:maj\n" for start, end in zip(starts, ends, strict=True))
        )
    elif name == "freedoom":
        root.mkdir(exist_ok=True)
        write_score(root / f"{song}.mid", band_song(n_bars=32))
    elif name == "gmd":
        (root / song).parent.mkdir(parents=True, exist_ok=True)
        hits = tuple(NoteEvent(0.25 * i, 0.1, 36 if i % 4 == 0 else 42, 90) for i in range(200))
        write_performance(root / f"{song}.mid", Performance((Part("drums", hits, is_drum=True),), 50.0))
        is_new = not (root / "info.csv").exists()
        with (root / "info.csv").open("a", newline="") as file:
            table = csv.writer(file)
            if is_new:
                table.writerow(["midi_filename", "beat_type", "duration", "time_signature", "bpm"])
            table.writerow([f"{song}.mid", "beat", "50.0", song[-3:], "120"])
    else:
        (root / song).mkdir(parents=True)
        (root / song / f"{song}.musicxml").write_text(_lied(n_bars=40))


def _lied(*, n_bars: int) -> str:
    note = "<note><pitch><step>{}</step><octave>4</octave></pitch><duration>1</duration></note>"
    first = (
        "<attributes><divisions>1</divisions><time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
    )
    bars = [
        f"<measure>{first if i == 0 else ''}{''.join(note.format(step) for step in 'CEG')}</measure>"
        for i in range(n_bars)
    ]
    return f"<score-partwise><part id='P1'>{''.join(bars)}</part></score-partwise>"
