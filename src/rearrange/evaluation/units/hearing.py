"""Our own ears on a piece of sound, as `convert` uses them."""

from collections.abc import Mapping
from dataclasses import dataclass

from rearrange.audio import Audio, resample
from rearrange.score import Performance, Score
from rearrange.stages.analyse import ANALYSIS_RATE_HZ, analyse
from rearrange.stages.separate import separate
from rearrange.stages.transcribe import TranscribeSettings, transcribe

__all__ = ["Heard", "hear"]


@dataclass(frozen=True)
class Heard:
    """What was heard: stems, notes, and what the song is."""

    stems: Mapping[str, Audio]
    performance: Performance
    score: Score


def hear(mix: Audio) -> Heard:
    """Separate, transcribe and analyse.

    Raises
    ------
    TooLittleMusicError : silence, or nothing that has a pitch or a beat.
    """
    stems = separate(mix)
    performance = transcribe(stems, TranscribeSettings())
    return Heard(stems, performance, analyse(performance, resample(mix.mono(), ANALYSIS_RATE_HZ)))
