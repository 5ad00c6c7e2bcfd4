"""A few bars of an arrangement: the right ones, at the right times, and audible."""

from pathlib import Path

import numpy as np
import pytest

from rearrange.audio import Audio
from rearrange.errors import UsageError
from rearrange.genre import load_genre
from rearrange.pipeline.excerpt import bars_of, excerpt, kept_excerpt, play
from rearrange.score import Arrangement, Note, Role, Section, Timeline, Track
from rearrange.stages.mix import MixSettings
from rearrange.stages.render import RenderSettings
from tests.songs import band_song
from tests.synth.sf2 import write_sf2


@pytest.fixture
def arrangement() -> Arrangement:
    song = band_song(n_bars=8, tempo_bpm=120.0)
    return Arrangement(song.timeline, "any", "plain", song.key, song.chords, song.sections, song.tracks, seed=1)


def test_bars_from_the_start_or_from_a_section(arrangement: Arrangement) -> None:
    assert [bar.index for bar in bars_of(arrangement, 3)] == [0, 1, 2]
    assert [bar.index for bar in bars_of(arrangement, 2, "chorus")] == [4, 5]
    assert len(bars_of(arrangement, 99)) == 8
    with pytest.raises(UsageError, match="no section 'bridge'"):
        bars_of(arrangement, 2, "bridge")
    with pytest.raises(UsageError, match="no bar"):
        excerpt(arrangement, ())


def test_an_excerpt_sounds_as_the_whole_does_there(arrangement: Arrangement) -> None:
    part = excerpt(arrangement, bars_of(arrangement, 2, "chorus"))
    assert part.timeline.end_beat == 8.0
    assert part.sections == (Section(0.0, 8.0, "chorus", 0.8),)
    assert [chord.onset_beat for chord in part.chords] == [0.0, 4.0]
    for whole, cut in zip(arrangement.tracks, part.tracks, strict=True):
        there = [note for note in whole.notes if 16.0 <= note.onset_beat < 24.0]
        assert [note.pitch for note in cut.notes] == [note.pitch for note in there]
        apart = [
            float(part.timeline.seconds(a.onset_beat)) - float(arrangement.timeline.seconds(b.onset_beat))
            for a, b in zip(cut.notes, there, strict=True)
        ]
        assert np.ptp(apart) < 1e-9  # one shift for all


def test_notes_into_and_out_of_the_excerpt_are_cut_and_early_ones_stay(arrangement: Arrangement) -> None:
    notes = (Note(2.0, 4.0, 60, 80), Note(3.95, 1.0, 61, 80), Note(7.0, 4.0, 62, 80), Note(7.95, 1.0, 63, 80))
    one = Arrangement(
        Timeline.constant(100.0, end_beat=12.0), "any", "plain", arrangement.key, (), (),
        (Track("pad", Role.PAD, 0, False, notes),), seed=0,
    )  # fmt: skip
    (track,) = excerpt(one, one.timeline.bars[1:2]).tracks
    spans = [(round(note.onset_beat, 6), round(note.duration_beat, 6), note.pitch) for note in track.notes]
    assert spans == [(-0.05, 1.0, 61), (0.0, 2.0, 60), (3.0, 1.0, 62)]


def test_an_excerpt_is_played(arrangement: Arrangement, tmp_path: Path) -> None:
    part = excerpt(arrangement, bars_of(arrangement, 2))
    font = str(write_sf2(tmp_path / "tiny.sf2"))
    sound = play(part, load_genre("jazz").mix, RenderSettings(font), MixSettings())
    assert 4.0 <= sound.duration_s < 9.0
    assert np.abs(sound.samples).max() > 0.05


def test_a_kept_stem_is_cut_around_the_excerpt(arrangement: Arrangement) -> None:
    kept = Arrangement(
        arrangement.timeline.scaled(0.5), "any", "plain", arrangement.key, (), (), (), seed=0, beat_ratio=2.0,
        kept_stems=("vocals",),
    )  # fmt: skip
    stem = Audio(np.zeros((1, 20 * 1000), np.float32), 1000)
    cut = kept_excerpt(kept, kept.timeline.bars[2:4], {"vocals": stem}, arrangement.timeline)
    # Beats 8 to 16 of the arrangement are beats 4 to 8 of the song: seconds 2 to 4, and a second either side.
    assert cut.stems["vocals"].n_samples == 4000
    assert float(cut.song.seconds(0.0)) == pytest.approx(1.0)
