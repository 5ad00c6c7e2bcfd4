"""What was done to the song as a whole, in a few sentences."""

from rearrange.evaluation.report.feel import measured_swing, song_swing
from rearrange.evaluation.report.names import instrument_name, listed
from rearrange.evaluation.report.recolouring import harmony_change
from rearrange.evaluation.report.stretches import Side, sides
from rearrange.evaluation.report.tune import tune_change
from rearrange.genre import Genre
from rearrange.score import Arrangement, Role, Score

__all__ = ["summary"]

# Of 27 bands and recordings whose beats are known, three are below it, two of them heard at half or double tempo;
# of the other 24 six are: who is unsure is mostly wrong, who is sure is not always right.
_UNSURE_BEATS = 0.45


def summary(score: Score, arrangement: Arrangement, genre: Genre) -> tuple[str, ...]:
    """Sentences: the song as it was heard, the genre and feel, the band, the tune, the chords.

    What cannot be told (no chords were heard, no melody) is left out.
    """
    song, ours = sides(score, arrangement)
    found = (
        _heard(score, song),
        _doubt(score),
        _genre(arrangement, genre, ours),
        _band(arrangement),
        _tune(score, arrangement, ours),
        _chords(song, ours),
    )
    return tuple(sentence for sentence in found if sentence)


def _heard(score: Score, song: Side) -> str:
    timeline = score.timeline
    n_bars = len(timeline.bars)
    swing = song_swing(score, song)
    words = [
        f"{n_bars} bar{'s' if n_bars != 1 else ''} of {timeline.metre_at(0.0)}",
        str(score.key),
        f"{timeline.mean_tempo_bpm:.0f} bpm",
        str(swing),
    ]
    return f"The song: {', '.join(word for word in words if word)}."


def _doubt(score: Score) -> str:
    confidence = score.timeline.confidence
    if confidence >= _UNSURE_BEATS:
        return ""
    return (
        f"How its beats and bars fall was hard to hear (confidence {confidence:.0%}): if the tempo or the metre "
        "above is wrong, tell rearrange analyse the right one (--tempo, --metre)."
    )


def _genre(arrangement: Arrangement, genre: Genre, ours: Side) -> str:
    tempo = f"{arrangement.timeline.mean_tempo_bpm:.0f} bpm"
    if arrangement.beat_ratio != 1:
        tempo += f" in {'double' if arrangement.beat_ratio > 1 else 'half'} time"
    words = [tempo, str(measured_swing(ours))]
    return f"Now: {genre.title}, in the style “{arrangement.style}”: {', '.join(word for word in words if word)}."


def _band(arrangement: Arrangement) -> str:
    names: dict[str, list[str]] = {}
    for track in arrangement.tracks:
        if track.notes and track.role is not Role.PERCUSSION:
            names.setdefault(instrument_name(track), []).append(track.role.value)
    words = [f"{name} ({listed(list(dict.fromkeys(roles)))})" for name, roles in names.items()]
    if any(track.role is Role.PERCUSSION and track.notes for track in arrangement.tracks):
        words.append("percussion")
    words += [f"the song's own {stem}" for stem in arrangement.kept_stems]
    return f"The band: {listed(words)}." if words else ""


def _tune(score: Score, arrangement: Arrangement, ours: Side) -> str:
    before, now = score.track(Role.MELODY), arrangement.track(Role.MELODY)
    if before is None or now is None:
        return ""
    change = tune_change(before.notes, now.notes, ours)
    if change is None:
        return ""
    sure = "" if before.confidence >= 1.0 else f" They were heard with a confidence of {before.confidence:.0%}."
    if change.n_kept == change.n_song:
        return f"All {change.n_song} notes that were heard of the tune are there.{sure}"
    return f"{change.n_kept} of the {change.n_song} notes that were heard of the tune are there.{sure}"


def _chords(song: Side, ours: Side) -> str:
    if not song.chords:
        return ""
    harmony = harmony_change(song, ours)
    n_colours, n_new = len(harmony.colours), len(harmony.substitutions)
    if not n_colours and not n_new:
        return "The chords are the song's."
    coloured = f"{n_colours} of {harmony.n_chords} in another colour" if n_colours else ""
    new = f"with new chords on the way in {n_new} place{'s' if n_new > 1 else ''}" if n_new else ""
    return f"The chords are the song's, {' and '.join(word for word in (coloured, new) if word)}."
