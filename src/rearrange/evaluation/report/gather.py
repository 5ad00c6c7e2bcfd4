"""The facts of a conversion, from its workspace: what the page says in words and figures."""

import logging
from functools import cache

from rearrange.errors import ModelError
from rearrange.evaluation.judge import Judge, load_judge
from rearrange.evaluation.report.card import quality_card, weak_bars
from rearrange.evaluation.report.changes import changes
from rearrange.evaluation.report.facts import ReportFacts
from rearrange.evaluation.report.recipe import recipe
from rearrange.evaluation.report.summary import summary
from rearrange.pipeline.song import Song

__all__ = ["facts_of"]

logger = logging.getLogger(__name__)


def facts_of(song: Song) -> ReportFacts:
    """Find out what the page says of the song's arrangement, as it is now: edits of the user's are measured too.

    Raises
    ------
    UsageError : no arrangement or genre is named.
    WorkspaceError, MidiFormatError : score or arrangement are missing or damaged.
    """
    score, arrangement = song.workspace.read_score(), song.to_arrange.read_arrangement()
    return ReportFacts(
        summary=summary(score, arrangement, song.to_play),
        changes=changes(score, arrangement, instruments_known=song.is_midi),
        card=quality_card(score, arrangement, judge=_judge()),
        weak_bars=weak_bars(score, arrangement),
        recipe=recipe(song),
    )


@cache
def _judge() -> Judge | None:
    """The judge that is shipped; None where an installation lacks it, and the card then says so."""
    try:
        return load_judge()
    except ModelError as exc:
        logger.warning("%s", exc.message)
        return None
