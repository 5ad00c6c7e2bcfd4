"""A conversion for the page's tests: a small band, the same band at another tempo, and facts about them."""

from dataclasses import replace

import numpy as np

from rearrange.audio import Audio
from rearrange.evaluation.measure import Measure
from rearrange.evaluation.report.facts import CardEntry, Change, RecipeGroup, RecipeLine, ReportFacts, WeakBar
from rearrange.evaluation.report.page import CodedTrack, Content
from rearrange.evaluation.report.sounds import TRACK_RATE_HZ, Heard, SoundPlan, coded, listen, sound_plan
from rearrange.score import Arrangement, Note, Score, Timeline, Track
from tests.songs import band_song
from tests.sounds import band

__all__ = ["FACTS", "content", "heard_of"]

FACTS = ReportFacts(
    summary=("The tune is the song's own.",),
    changes=(Change(1, 8, "straight → swing 62 %"), Change(3, 3, "brushes instead of rock kit", "drums")),
    card=(
        CardEntry("content", Measure(0.84), "How much of the harmony is left."),
        CardEntry("genre", Measure(None, "no judge is installed"), "What a judge hears."),
    ),
    weak_bars=(WeakBar(3, ("the chords differ",)), WeakBar(6, ("few notes in common", "a gap"))),
    recipe=(RecipeGroup("settings", (RecipeLine("seed", "7"),)),),
)


def heard_of(audio: Audio, plan: SoundPlan) -> Heard:
    """A side, from sound at 44.1 kHz."""
    from rearrange.audio import resample

    return listen([resample(audio, plan.side_rate).samples], plan)


def arrangement_of(score: Score, *, tempo_bpm: float, beat_ratio: float, start_s: float) -> Arrangement:
    """The same notes, `beat_ratio` beats for each of the song's, at another tempo."""
    end = score.timeline.end_beat * beat_ratio
    timeline = Timeline.constant(tempo_bpm, end_beat=end, start_s=start_s)
    tracks = tuple(
        replace(track, notes=tuple(_longer(note, beat_ratio) for note in track.notes)) for track in score.tracks
    )
    chords = tuple(
        replace(chord, onset_beat=chord.onset_beat * beat_ratio, duration_beat=chord.duration_beat * beat_ratio)
        for chord in score.chords
    )
    return Arrangement(timeline, "x", "plain", score.key, chords, score.sections, tracks, 7, beat_ratio)


def _longer(note: Note, ratio: float) -> Note:
    return replace(note, onset_beat=note.onset_beat * ratio, duration_beat=note.duration_beat * ratio)


def content(*, title: str = "Größe & <b>Co</b>", n_bars: int = 8, beat_ratio: float = 2.0) -> Content:
    """A song of 100 bpm that is played at 130, `beat_ratio` beats for one, and half a second later."""
    score = band_song(n_bars=n_bars, tempo_bpm=100.0)
    arrangement = arrangement_of(score, tempo_bpm=130.0 * beat_ratio, beat_ratio=beat_ratio, start_s=0.5)
    played = Score(arrangement.timeline, score.key, (), (), arrangement.tracks)
    plan = sound_plan(20.0, 2)
    tracks = tuple(_coded(track, played, plan) for track in arrangement.tracks[:2])
    return Content(
        title=title,
        genre_title="Other",
        score=score,
        arrangement=arrangement,
        facts=FACTS,
        source=heard_of(band(score), plan),
        result=heard_of(Audio(0.4 * band(played).samples, 44100), plan),
        source_label="Original",
        source_note="",
        tracks=tracks,
        plan=plan,
    )


def _coded(track: Track, played: Score, plan: SoundPlan) -> CodedTrack:
    from rearrange.audio import resample

    sound = resample(band(replace(played, tracks=(track,))).mono(), TRACK_RATE_HZ).samples
    webm = coded([np.asarray(sound)], sample_rate=TRACK_RATE_HZ, channels=1, kbps=plan.track_kbps)
    return CodedTrack(track.name, track, webm, 0.5)
