"""How a real recording sounds when it comes out again, by our systems and by spectrogram style transfer.

Conventions: excerpts of real recordings, heard by our own ears. What comes out is heard again by the same ears, so
that systems which make notes and a system which makes none are judged alike. Both sides of a chroma comparison are
cut at their own beats: a result in another tempo is compared beat by beat.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import Audio, loudness_lufs, true_peak_dbtp
from rearrange.errors import RearrangeError
from rearrange.evaluation.baselines.exemplar import exemplar
from rearrange.evaluation.baselines.spectrogram_transfer import TransferSettings, transfer
from rearrange.evaluation.baselines.symbolic import OURS, SYSTEMS
from rearrange.evaluation.judge import load_judge
from rearrange.evaluation.measure import Measure, NotMeasurable, measured
from rearrange.evaluation.metrics import (
    audio_chroma_similarity,
    chroma_to_notes,
    clipped_share,
    in_reference_beats,
    melody_f1,
    silence_share,
    spectral_distance,
)
from rearrange.evaluation.recordings import recording
from rearrange.evaluation.rows import Row
from rearrange.evaluation.units.hearing import hear
from rearrange.genre import load_genre
from rearrange.pipeline.excerpt import play
from rearrange.score import Arrangement, Role, Score, Timeline
from rearrange.stages.mix import MixSettings
from rearrange.stages.render import RenderSettings

__all__ = ["TRANSFER", "sound_of_genres", "sound_of_systems"]

TRANSFER = "spectrogram-transfer"
_PLAYED = ("patterns", "transformer", "instrument-swap", "copy")


def sound_of_genres(data: Path, name: str, genres: Sequence[str], seconds: float) -> Sequence[Row]:
    """What our own results are like as sound, a row for each genre.

    Raises
    ------
    RearrangeError : the recording cannot be read, or there is no music in it.
    """
    source = recording(data, name).mix(duration_s=seconds)
    score = hear(source).score
    rows = []
    for genre in genres:
        arrangement = SYSTEMS[OURS].function(score, load_genre(genre), 0, ())
        result = _played(arrangement, genre)
        measures = {
            **_levels(source, result),
            "chroma_midi": measured(chroma_to_notes, result, arrangement.tracks, arrangement.timeline),
        }
        rows.append(Row("sound", "recordings", name, OURS, genre, measures=measures))
    return rows


def sound_of_systems(data: Path, name: str, genre: str, seconds: float) -> Sequence[Row]:
    """The systems and the spectrogram's style transfer side by side on one excerpt.

    Raises
    ------
    RearrangeError : the recording cannot be read, or there is no music in it.
    """
    source = recording(data, name).mix(duration_s=seconds)
    score = hear(source).score
    rows = []
    for system in (*_PLAYED, TRANSFER):
        try:
            if system == TRANSFER:
                result, played = transfer(source, exemplar(load_genre(genre), 0), TransferSettings()), None
            else:
                played = SYSTEMS[system].function(score, load_genre(genre), 0, ())
                result = _played(played, genre)
        except (RearrangeError, NotMeasurable) as exc:
            void = Measure(None, exc.message if isinstance(exc, RearrangeError) else str(exc))
            measures: Mapping[str, Measure] = {"chroma_source": void, "genre_heard": void}
        else:
            measures = {**_levels(source, result), **_heard_again(source, score, result, played, genre)}
        rows.append(Row("sound", "recordings", name, system, genre, condition="systems", measures=measures))
    return rows


def _played(arrangement: Arrangement, genre: str) -> Audio:
    return play(arrangement, load_genre(genre).mix, RenderSettings(), MixSettings())


def _levels(source: Audio, result: Audio) -> Mapping[str, Measure]:
    return {
        "loudness_lufs": measured(loudness_lufs, result),
        "true_peak_dbtp": measured(true_peak_dbtp, result),
        "silence": measured(silence_share, result),
        "clipping": measured(clipped_share, result),
        "spectral_distance": measured(spectral_distance, source, result),
    }


def _heard_again(
    source: Audio, score: Score, result: Audio, played: Arrangement | None, genre: str
) -> Mapping[str, Measure]:
    """What is left of the song in the sound that came out, and what genre our ears find in it."""
    ratio = played.beat_ratio if played is not None else 1.0
    timeline = played.timeline if played is not None else score.timeline
    beats = np.arange(0.0, score.timeline.end_beat + 0.5)
    chroma = measured(
        audio_chroma_similarity, source, _seconds(score.timeline, beats), result, _seconds(timeline, beats * ratio)
    )
    try:
        again = hear(result).score
    except RearrangeError as exc:
        void = Measure(None, exc.message)
        return {"chroma_source": chroma, "melody_heard": void, "genre_heard": void}
    tune = score.track(Role.MELODY)

    def melody() -> float:
        if tune is None:
            raise NotMeasurable("no melody is heard in the song")
        moved = in_reference_beats(again.tracks, again.timeline, timeline)
        ours = next((track.notes for track in moved if track.role is Role.MELODY), ())
        return melody_f1(tune.notes, ours, beat_ratio=ratio)

    def probability() -> float:
        judge = load_judge()
        return judge.probability(judge.verdict(again.tracks, again.timeline, again.chords), genre)

    return {"chroma_source": chroma, "melody_heard": measured(melody), "genre_heard": measured(probability)}


def _seconds(timeline: Timeline, beats: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(timeline.seconds(beats), dtype=np.float64)
