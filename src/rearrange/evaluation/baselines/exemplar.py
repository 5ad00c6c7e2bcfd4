"""What a genre sounds like: twenty seconds of the project's own example song, arranged and played in it.

An exemplar serves where a baseline wants a recording of the genre, so that nothing of a third party is needed. It
is our own arranger's idea of the genre: a transfer that copied it perfectly would sound like us, not a record.

`exemplar.mid` is `song()` of examples/compose.py as `midi.write_arrangement` writes it; a test holds them as one.
"""

from importlib import resources

from rearrange.audio import Audio
from rearrange.genre import Genre
from rearrange.midi import read_midi
from rearrange.pipeline.excerpt import excerpt, play
from rearrange.progress import Progress, silent
from rearrange.score import Arrangement, Bar, Score
from rearrange.stages.analyse import analyse
from rearrange.stages.arrange import ArrangeSettings, arrange
from rearrange.stages.mix import MixSettings
from rearrange.stages.render import RenderSettings

__all__ = ["example_score", "exemplar", "middle_bars"]

DURATION_S = 20.0


def example_score() -> Score:
    """The example song as `analyse` hears its MIDI file."""
    with resources.as_file(resources.files("rearrange") / "evaluation" / "baselines" / "exemplar.mid") as path:
        midi = read_midi(path)
    return analyse(midi.performance, None, timeline=midi.timeline)


def exemplar(genre: Genre, seed: int, *, soundfont: str = "default", progress: Progress = silent) -> Audio:
    """About 20 s from the middle of the example song in a genre, stereo, mastered as the pipeline does.

    Raises
    ------
    As `synth.soundfonts.resolve_soundfont`, `render` and `mix`: there is no General MIDI font, or no FluidSynth.
    """
    arrangement = arrange(example_score(), genre, ArrangeSettings(seed=seed))
    part = excerpt(arrangement, middle_bars(arrangement, DURATION_S))
    return play(part, genre.mix, RenderSettings(soundfont=soundfont), MixSettings(), progress=progress)


def middle_bars(arrangement: Arrangement, duration_s: float) -> tuple[Bar, ...]:
    """The fewest whole bars around the middle that last that long; all of them where the song is shorter."""
    timeline, bars = arrangement.timeline, arrangement.timeline.bars
    for n_bars in range(1, len(bars)):
        first = (len(bars) - n_bars) // 2
        chosen = bars[first : first + n_bars]
        start_s, stop_s = timeline.seconds([chosen[0].onset_beat, chosen[-1].end_beat])
        if stop_s - start_s >= duration_s:
            return chosen
    return bars
