"""The facts of a conversion, from its workspace: what the page says in words and figures."""

from rearrange.evaluation.report.card import Judge, quality_card, weak_bars
from rearrange.evaluation.report.changes import changes
from rearrange.evaluation.report.facts import ReportFacts
from rearrange.evaluation.report.recipe import recipe
from rearrange.evaluation.report.summary import summary
from rearrange.pipeline.song import Song

__all__ = ["facts_of"]


def facts_of(song: Song, *, judge: Judge | None = None) -> ReportFacts:
    """Find out what the page says of the song's arrangement, as it is now: edits of the user's are measured too.

    Parameters
    ----------
    judge : of the genre; without one the card says so

    Raises
    ------
    UsageError : no arrangement or genre is named.
    WorkspaceError, MidiFormatError : score or arrangement are missing or damaged.
    """
    score, arrangement = song.workspace.read_score(), song.to_arrange.read_arrangement()
    return ReportFacts(
        summary=summary(score, arrangement, song.to_play),
        changes=changes(score, arrangement, instruments_known=song.is_midi),
        card=quality_card(score, arrangement, judge=judge),
        weak_bars=weak_bars(score, arrangement),
        recipe=recipe(song),
    )
