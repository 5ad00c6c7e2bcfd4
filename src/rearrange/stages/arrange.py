"""The stage that makes the song another genre's: a score and a genre in, an arrangement out.

Tempo: `keep` plays on the song's own beats, drift included; `genre` moves to the nearest tempo the genre knows,
in half or double time where that is nearer, and holds it; a number is taken as it is. Limits: the metre is
always the song's own.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from functools import cache

from rearrange.arranger.charts import in_beat_ratio, make_chart
from rearrange.arranger.patterns import Dials, Session, arrange_tracks, choose_style, played_chords
from rearrange.arranger.transformer import Writer, write_tracks
from rearrange.errors import TooLittleMusicError, UsageError
from rearrange.genre import Genre
from rearrange.models import arranger as arranger_model
from rearrange.models.stored import shipped
from rearrange.progress import Progress, silent, span
from rearrange.score import Arrangement, Role, Score, Timeline, Track

__all__ = ["NETWORK", "VERSION", "ArrangeSettings", "arrange", "choose_tempo"]

VERSION = 2
NETWORK = "arranger-small"  # the transformer that comes with the package

# What a listener pays for double or half time, as a log tempo ratio: it is taken where it saves more than this.
_RATIO_COST = 0.2
_PICKUP_BEAT = 0.1  # what begins less before the first bar line is on it
_VOCALS = ("auto", "keep", "play", "drop")
_ARRANGERS = ("patterns", "transformer")
_TEMPO_RANGE_BPM = (20.0, 400.0)


@dataclass(frozen=True, slots=True)
class ArrangeSettings:
    """What the user asks of the arranger.

    `strength` in [0, 1] sets rhythm, harmony, instruments and ornament, each of which may be set on its own.
    `tempo` is keep, genre or quarter notes per minute. `energy` in [-1, 1] makes everything quieter or louder.
    `vocals`: keep the song's voice, play its melody, or drop both; auto plays.
    `lock` names roles whose notes stay. `arranger` is who writes what the genre plays: patterns or transformer.
    `redo` gives parts a seed of their own, as in drums=3, so that they are played anew and all else as it was.
    `like` is the path of a song whose manner is taken in place of the genre's own, where the transformer writes.
    """

    seed: int = 0
    strength: float = 0.5
    rhythm: float | None = None
    harmony: float | None = None
    instruments: float | None = None
    ornament: float | None = None
    tempo: str = "genre"
    energy: float = 0.0
    vocals: str = "auto"
    lock: tuple[str, ...] = ()
    style: str | None = None
    arranger: str = "patterns"
    like: str | None = None
    redo: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what can be checked without a song.

        Raises
        ------
        UsageError : a value makes no sense.
        """
        self.dials()
        if not -1.0 <= self.energy <= 1.0:
            raise UsageError(f"energy is {self.energy:g}, not between -1 and 1")
        if self.vocals not in _VOCALS:
            raise UsageError(f"vocals is {self.vocals!r}, not one of {', '.join(_VOCALS)}")
        if self.arranger not in _ARRANGERS:
            raise UsageError(f"arranger is {self.arranger!r}, not one of {', '.join(_ARRANGERS)}")
        for name in self.lock:
            if name not in set(Role):
                raise UsageError(f"cannot lock {name!r}: the parts are {', '.join(Role)}")
        self.redone()
        _tempo_range(self.tempo, None)

    def redone(self) -> dict[Role, int]:
        """The seeds of parts that have their own.

        Raises
        ------
        UsageError : not a part and a number.
        """
        seeds = {}
        for each in self.redo:
            name, _, seed = each.partition("=")
            if name not in set(Role) or not seed.isdecimal():
                raise UsageError(f"cannot redo {each!r}", f"a part and a seed, as in drums=3: {', '.join(Role)}")
            seeds[Role(name)] = int(seed)
        return seeds

    def dials(self) -> Dials:
        """The four dials, each falling back to strength.

        Raises
        ------
        UsageError : one is outside [0, 1].
        """
        values = {}
        for name in ("rhythm", "harmony", "instruments", "ornament"):
            own = getattr(self, name)
            value = self.strength if own is None else own
            if not 0.0 <= value <= 1.0:
                raise UsageError(f"{name if own is not None else 'strength'} is {value:g}, not between 0 and 1")
            values[name] = float(value)
        return Dials(**values)


def _tempo_range(tempo: str, genre: Genre | None) -> tuple[float, float] | None:
    """Lowest and highest tempo that will do; None for the song's own, or where the genre is not known yet."""
    if tempo in ("keep", "genre"):
        return genre.tempo_bpm if genre is not None and tempo == "genre" else None
    try:
        wanted = float(tempo)
    except ValueError as exc:
        raise UsageError(f"tempo {tempo!r} is not keep, genre or a number") from exc
    if not _TEMPO_RANGE_BPM[0] <= wanted <= _TEMPO_RANGE_BPM[1]:
        raise UsageError(f"tempo {wanted:g} is not between 20 and 400 beats per minute")
    return wanted, wanted


def arrange(
    score: Score,
    genre: Genre,
    settings: ArrangeSettings = ArrangeSettings(),
    *,
    stems: Collection[str] = (),
    writer: Writer | None = None,
    reference: Score | None = None,
    progress: Progress = silent,
) -> Arrangement:
    """Arrange a song in a genre.

    Parameters
    ----------
    stems : names of the stems that there are, for `vocals="keep"`
    writer : the transformer, if it is asked for; the one that comes with the package where it is None
    reference : the song that `like` names, as it was heard; with it the transformer writes, whoever is asked for

    Raises
    ------
    UsageError : a setting that makes no sense, or asks for what the song has not.
    TooLittleMusicError : there is nothing the genre could play.
    ModelError : the transformer is asked for, and its weights are not there.
    """
    dials = settings.dials()
    locked = _locked_roles(settings, score)
    kept = _kept_stems(settings, stems)
    progress(0.0, "reading the chart")
    tempo_bpm, ratio = choose_tempo(score, genre, settings.tempo, may_change_feel=not kept and not locked)
    song = in_beat_ratio(score, ratio)
    timeline = song.timeline if settings.tempo == "keep" else _steady(song, tempo_bpm)
    chart = make_chart(song, energy_offset=settings.energy)
    if not chart.bars:
        raise TooLittleMusicError("the song has no bar to arrange")
    try:
        style = choose_style(genre, song.timeline.metres[0][1], tempo_bpm, seed=settings.seed, name=settings.style)
    except ValueError as exc:
        raise UsageError(str(exc)) from exc
    progress(0.2, f"arranging as {style.name}")
    chords = played_chords(chart, song, genre, dials, seed=settings.seed)
    session = Session(song, chart, genre, style, dials, chords, timeline, ratio, settings.seed, settings.redone())

    def rewrite(sketch: Sequence[Track]) -> Sequence[Track]:
        if settings.arranger == "patterns" and reference is None:
            return sketch
        chosen = writer or _shipped_writer()
        try:
            return write_tracks(session, sketch, chosen, reference=reference, progress=span(progress, 0.3, 1.0))
        except ValueError as exc:
            hint = "the patterns can: --arranger patterns" if reference is None else "--like takes another song"
            raise UsageError(f"{exc}", hint) from exc

    with_melody = not kept and settings.vocals != "drop"
    tracks = arrange_tracks(session, locked=locked, with_melody=with_melody, rewrite=rewrite)
    if not any(track.notes for track in tracks):
        raise TooLittleMusicError(
            f"there is nothing in the song that {genre.title} could play: no melody, chords or beat was heard"
        )
    progress(1.0, "arranged")
    return Arrangement(
        timeline=timeline,
        genre=genre.name,
        style=style.name,
        key=score.key,
        chords=chords,
        sections=song.sections,
        tracks=tracks,
        seed=settings.seed,
        beat_ratio=ratio,
        kept_stems=kept,
        settings=asdict(settings),
    )


@cache
def _shipped_writer() -> Writer:
    return Writer(arranger_model.load(shipped(NETWORK)))


def _locked_roles(settings: ArrangeSettings, score: Score) -> frozenset[Role]:
    roles = set()
    for name in settings.lock:
        if score.track(Role(name)) is None:
            raise UsageError(f"cannot lock {name}: no such part was heard in the song")
        roles.add(Role(name))
    return frozenset(roles)


def _kept_stems(settings: ArrangeSettings, stems: Collection[str]) -> tuple[str, ...]:
    if settings.vocals != "keep":
        return ()
    if "vocals" not in stems:
        raise UsageError("cannot keep the vocals: the song has no vocals stem", "a MIDI file has no voice to keep")
    return ("vocals",)


def choose_tempo(score: Score, genre: Genre, tempo: str, *, may_change_feel: bool = True) -> tuple[float, float]:
    """(quarter notes per minute, beat ratio) of the arrangement.

    Raises
    ------
    UsageError : `tempo` is neither keep, genre nor a number in 20..400.
    """
    song_bpm = score.timeline.mean_tempo_bpm
    allowed = _tempo_range(tempo, genre)
    if allowed is None:
        return song_bpm, 1.0
    low, high = allowed
    metres = [metre for _, metre in score.timeline.metres]
    ratios = [1.0]
    if may_change_feel and all(metre.denominator == 4 for metre in metres):
        ratios.append(2.0)
        if len(metres) == 1 and metres[0].numerator == 4:
            ratios.append(0.5)

    def cost(ratio: float) -> float:
        felt = song_bpm * ratio
        target = min(max(felt, low), high)
        return abs(math.log(target / felt)) + (0.0 if ratio == 1 else _RATIO_COST)

    ratio = min(ratios, key=cost)
    return min(max(song_bpm * ratio, low), high), ratio


def _steady(song: Score, tempo_bpm: float) -> Timeline:
    """The song's bars at one tempo, from second 0 on; a pickup gets the whole bars that it lies in."""
    first = min((track.notes[0].onset_beat for track in song.tracks if track.notes), default=0.0)
    bar = song.timeline.metres[0][1].beats_per_bar
    lead_beat = math.ceil(-first / bar) * bar if first < -_PICKUP_BEAT else 0.0
    start_s = lead_beat * 60.0 / tempo_bpm
    end = max(song.timeline.end_beat, 1.0)
    return Timeline(
        (0.0, end),
        (start_s, start_s + end * 60.0 / tempo_bpm),
        song.timeline.metres,
        song.timeline.end_beat,
        song.timeline.confidence,
    )
