"""Draw songs above their arrangements, as piano rolls: docs/arrangements/*.png.

    python scripts/piano_rolls.py --data FOLDER [--sets FOLDER] [--out docs/arrangements] [SONG:GENRE ...]

FOLDER holds freedoom.tar.xz in symbolic/. Without SONG:GENRE, eight songs that trained nothing, the first of the
set's list, each in another of every second genre of ours: chosen by that rule, before anybody looked. The song is
the upper half, its arrangement by `--arranger transformer` the lower: sixteen bars from the second section on, and
a column of light at each bar; pitched parts above, the kit below, a role a colour, louder is lighter.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.evaluation.report.pictures import png
from rearrange.evaluation.songs import SongRef, load_song, oracle_songs, score_of
from rearrange.genre import genre_names, load_genre
from rearrange.score import Bar, Role, Track
from rearrange.stages.arrange import ArrangeSettings, arrange

N_BARS, STEPS, LEVELS = 16, 12, 4  # columns of a beat, shades of a colour
BACK, LINE = 1, 2  # colours; what has the first is transparent
LOW, HIGH = 28, 96
PITCH_PX, DRUM_PX, GAP_PX = 3, 5, 12
KIT = (36, 38, 37, 42, 44, 46, 41, 45, 50, 49, 51, 0)  # rows below the pitches; the last is any other stroke
COLOURS = {
    Role.MELODY: (240, 228, 66),
    Role.BASS: (0, 114, 178),
    Role.CHORDS: (230, 159, 0),
    Role.PAD: (0, 158, 115),
    Role.ARPEGGIO: (86, 180, 233),
    Role.COUNTER: (204, 121, 167),
    Role.DRUMS: (213, 94, 0),
    Role.PERCUSSION: (170, 170, 170),
}


def palette() -> NDArray[np.uint8]:
    """Nothing, background, bar line, then LEVELS shades of each role."""
    shades = [(0, 0, 0), (16, 16, 20), (70, 70, 80)]
    for colour in COLOURS.values():
        shades += [tuple(int(c * (0.4 + 0.6 * (i + 1) / LEVELS)) for c in colour) for i in range(LEVELS)]
    return np.array(shades, dtype=np.uint8)


def roll(tracks: Sequence[Track], bars: Sequence[Bar]) -> NDArray[np.uint8]:
    """Indices of colours, (height, width), of some bars."""
    first, end = bars[0].onset_beat, bars[-1].end_beat
    height = (HIGH - LOW + 1) * PITCH_PX + GAP_PX + len(KIT) * DRUM_PX
    pixels = np.full((height, round((end - first) * STEPS)), BACK, dtype=np.uint8)
    for bar in bars:
        pixels[:, round((bar.onset_beat - first) * STEPS)] = LINE
    for track in sorted(tracks, key=lambda track: track.role is Role.MELODY):
        base = LINE + 1 + list(COLOURS).index(track.role) * LEVELS
        for note in track.notes:
            if not first - 0.1 <= note.onset_beat < end - 0.1:
                continue
            start = max(round((note.onset_beat - first) * STEPS), 0)
            shade = base + min(note.velocity * LEVELS // 128, LEVELS - 1)
            if track.is_drum:
                row = KIT.index(note.pitch) if note.pitch in KIT else len(KIT) - 1
                top, width, tall = height - (len(KIT) - row) * DRUM_PX, 3, DRUM_PX - 1
            else:
                top = (HIGH - min(max(note.pitch, LOW), HIGH)) * PITCH_PX
                width, tall = max(round(note.duration_beat * STEPS) - 1, 2), PITCH_PX
            pixels[top : top + tall, start : start + width] = shade
    return pixels


def drawn(song: SongRef, genre: str) -> bytes:
    """The picture of a song and of its arrangement."""
    score = score_of(load_song(song))
    made = arrange(score, load_genre(genre), ArrangeSettings(arranger="transformer"))
    starts = [section.onset_beat for section in score.sections]
    at = next((bar.index for bar in score.timeline.bars if len(starts) > 1 and bar.onset_beat >= starts[1]), 0)
    n = round(N_BARS / made.beat_ratio)
    above = roll(score.tracks, score.timeline.bars[at : at + n])
    first = score.timeline.bars[at].onset_beat * made.beat_ratio
    theirs = [bar for bar in made.timeline.bars if bar.onset_beat >= first - 1e-6][:N_BARS]
    below = roll(made.tracks, theirs)
    width = max(above.shape[1], below.shape[1])
    whole = [np.pad(each, ((0, 0), (0, width - each.shape[1]))) for each in (above, below)]
    return png(np.concatenate([whole[0], np.full((GAP_PX, width), LINE, np.uint8), whole[1]]), palette())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="*", metavar="SONG:GENRE")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", type=Path, default=Path("out/sets"))
    parser.add_argument("--out", type=Path, default=Path("docs/arrangements"))
    args = parser.parse_args()
    songs = {
        song.id: song for song in oracle_songs(args.data / "symbolic", args.sets) if song.corpus == "freedoom"
    }
    pairs = [tuple(pair.split(":")) for pair in args.pairs] or list(zip(songs, genre_names()[::2], strict=False))
    args.out.mkdir(parents=True, exist_ok=True)
    for song, genre in pairs:
        path = args.out / f"{song}.{genre}.png"
        path.write_bytes(drawn(songs[song], genre))
        print(path)


if __name__ == "__main__":
    main()
