"""The arranger that has learnt: a network writes what the patterns only sketch.

The patterns' arrangement of the song is its sketch: who plays, on what, how busily, and a few bars of the style.
The network is shown some of those bars, or a reference's, or nothing but the genre's name where it has learnt from
people how it is drummed; it writes a first passage, the theme, several times, and the critics choose. All other
passages are then written side by side with the theme before their eyes, so that the groove that it has found is
the whole song's; a passage that returns is played as it was. The melody is not the network's business.

Conventions: words are those of `vocabulary`; a bar is its chart's words and its parts' words. A row of a batch is
a passage in one of its versions. What is drawn for it follows from the seed, the passage and the version alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from rearrange.arranger.charts import Chart
from rearrange.arranger.critics import rating
from rearrange.arranger.grammar import OpenBar, Writing
from rearrange.arranger.groove import generator_for
from rearrange.arranger.header import Header, Player, encode_header
from rearrange.arranger.passages import Passage, passages
from rearrange.arranger.patterns import Session
from rearrange.arranger.sampling import Sampling, write_bars
from rearrange.arranger.shown import Bars, Shown, by_reference, by_sketch, players_in
from rearrange.arranger.tokens import bar_shifts, decode, encode, onset_counts
from rearrange.arranger.vocabulary import ID
from rearrange.models.arranger import ArrangerNetwork
from rearrange.progress import Progress, silent
from rearrange.score import Metre, Role, Score, Track
from rearrange.styles import RHYTHM_ROLES

__all__ = ["Writer", "write_tracks"]


@dataclass(frozen=True)
class Writer:
    """A network, and how it is used.

    Parameters
    ----------
    roles : what it writes; all else stays as the patterns have it
    n_themes, n_versions : of a theme, and of each other passage; the critics choose one
    shown_words, passage_words : most words of what is shown of the style, and of a passage
    rows : passages that are written side by side; bounds memory
    """

    network: ArrangerNetwork
    sampling: Sampling = field(default_factory=lambda: Sampling(temperature=0.9))
    roles: frozenset[Role] = frozenset((Role.DRUMS,))
    n_themes: int = 4
    n_versions: int = 2
    shown_words: int = 420
    passage_words: int = 560
    rows: int = 48


def write_tracks(
    session: Session,
    sketch: Sequence[Track],
    writer: Writer,
    *,
    reference: Score | None = None,
    progress: Progress = silent,
) -> tuple[Track, ...]:
    """What the network plays of the roles that the sketch has, and the sketch's other tracks.

    Parameters
    ----------
    sketch : the patterns' tracks, one of each role; their programs are kept
    reference : a song in the style that is wanted

    Raises
    ------
    ValueError : a bar is too long, or its metre has no word; or the reference has nothing to show.
    """
    written = tuple(track for track in sketch if track.role in writer.roles)
    rest = tuple(track for track in sketch if track.role not in writer.roles)
    if not written:
        if reference is not None:
            names = " or ".join(sorted(role.value for role in writer.roles))
            raise ValueError(f"{session.genre.title} has no {names} here that could be like the reference")
        return rest
    return (*_Song(session, written, writer, reference).written(progress), *rest)


@dataclass(frozen=True, eq=False)
class _Song:
    session: Session
    sketch: tuple[Track, ...]
    writer: Writer
    reference: Score | None

    @property
    def chart(self) -> Chart:
        return self.session.chart

    @cached_property
    def programs(self) -> Mapping[Role, int]:
        return {track.role: track.program for track in self.sketch}

    @cached_property
    def charts(self) -> list[list[int]]:
        """Words of each bar's chart."""
        return encode(self.chart, (), key=self.session.score.key, chords=self.session.chords)

    @cached_property
    def sketched(self) -> list[list[int]]:
        """Words of each bar as the sketch has it."""
        return encode(self.chart, self.sketch, key=self.session.score.key, chords=self.session.chords)

    @cached_property
    def playing(self) -> list[frozenset[Role]]:
        """Who plays in each bar, by the sketch."""
        return [frozenset(onset_counts(bar)) for bar in self.sketched]

    @cached_property
    def casts(self) -> dict[int, frozenset[Role]]:
        """Who plays in each section, by the sketch."""
        casts: dict[int, frozenset[Role]] = {}
        for bar, roles in zip(self.chart.bars, self.playing, strict=True):
            casts[bar.section] = casts.get(bar.section, frozenset()) | roles
        return casts

    @cached_property
    def passages(self) -> list[Passage]:
        lengths = [len(bar) for bar in self.sketched]
        is_rhythm = all(role in RHYTHM_ROLES for role in self.programs)
        chords = () if is_rhythm else self.session.chords
        return passages(self.chart, chords, lengths, most_words=self.writer.passage_words)

    def written(self, progress: Progress) -> tuple[Track, ...]:
        """The whole song: in each metre first a theme, then all else."""
        new = [number for number, passage in enumerate(self.passages) if passage.again is None]
        parts: dict[int, Bars] = {}
        for metre in dict.fromkeys(map(self._metre, new)):
            theirs = [number for number in new if self._metre(number) == metre]
            theme = max(theirs, key=self._worth_as_theme)
            before = self._shown_first(theme)
            parts[theme] = self._best([theme], before, self.writer.n_themes)[0]
            played = zip(self.passages[theme].bars, parts[theme], strict=True)
            shown = replace(before, bars=[[*self.charts[index], *bar] for index, bar in played])
            others = [number for number in theirs if number != theme]
            at_once = max(self.writer.rows // self.writer.n_versions, 1)
            for start in range(0, len(others), at_once):
                progress(len(parts) / len(new), "writing")
                batch = others[start : start + at_once]
                parts |= dict(zip(batch, self._best(batch, shown, self.writer.n_versions), strict=True))
        whole = [
            bar
            for number, passage in enumerate(self.passages)
            for bar in parts[number if passage.again is None else passage.again]
        ]
        return self._tracks(whole, range(len(self.chart.bars)))

    def _metre(self, number: int) -> Metre:
        return self.chart.bars[self.passages[number].bars[0]].metre

    def _worth_as_theme(self, number: int) -> tuple[bool, int, int, int]:
        """How fit a passage is for the band to find its groove in: no intro, no ending; a label that is played
        long, by many; the earlier of equals."""
        bars = [self.chart.bars[index] for index in self.passages[number].bars]
        is_usual = all(bar.variation in ("A", "B") for bar in bars)
        played = sum(
            len(roles)
            for bar, roles in zip(self.chart.bars, self.playing, strict=True)
            if bar.label == bars[0].label
        )
        return is_usual, played, sum(len(self.playing[bar.index]) for bar in bars), -number

    def _shown_first(self, theme: int) -> Shown:
        """What the network is shown before it writes a theme."""
        metre = self._metre(theme)
        if self.reference is not None:
            bars = by_reference(self.reference, frozenset(self.programs), metre)
            return Shown(players_in(bars, self.programs, metre), None, bars)
        if self._knows_genre:
            # Drummers' own playing has no kit but the first.
            players = self._players(metre, dict.fromkeys(self.programs, 0))
            return Shown(players, self._genre)
        bars = by_sketch(self.sketched, [bar.metre for bar in self.chart.bars], self.passages[theme].bars)
        return Shown(self._players(metre, self.programs), self._genre, bars)

    @property
    def _knows_genre(self) -> bool:
        """Whether the network has learnt from people what the genre plays, and need not be shown."""
        return (
            self.programs.keys() <= {Role.DRUMS} and self.session.genre.name in self.writer.network.config.drummed
        )

    def _players(self, metre: Metre, programs: Mapping[Role, int]) -> dict[Role, Player]:
        bars = [words for words, bar in zip(self.sketched, self.chart.bars, strict=True) if bar.metre == metre]
        return players_in(bars, programs, metre)

    def _best(self, numbers: Sequence[int], shown: Shown, n: int) -> list[Bars]:
        """The best of `n` versions of each passage: the words of each bar's parts."""
        versions = self._write([(number, version) for number in numbers for version in range(n)], shown)
        best = []
        for i, number in enumerate(numbers):
            ratings = [self._rating(number, bars) for bars in versions[i * n : (i + 1) * n]]
            best.append(versions[i * n + ratings.index(max(ratings))])
        return best

    def _rating(self, number: int, written: Sequence[Sequence[int]]) -> float:
        bars = self.passages[number].bars
        tracks = self._tracks(written, bars)
        sketch = self._tracks([self.sketched[index] for index in bars], bars)
        return rating(tracks, sketch, [self.chart.bars[index] for index in bars], self.session.chords)

    def _tracks(self, written: Sequence[Sequence[int]], bars: range) -> tuple[Track, ...]:
        players = {role: Player(program, 0.0) for role, program in self.programs.items()}
        return decode(
            written,
            self.chart,
            key=self.session.score.key,
            chords=self.session.chords,
            players=players,
            first_bar=bars.start,
        )

    def _write(self, rows: Sequence[tuple[int, int]], shown: Shown) -> list[Bars]:
        """Each row's bars."""
        network, n_bars = self.writer.network, [len(self.passages[number].bars) for number, _ in rows]
        generators = [generator_for(self.session.seed, "write", *self._redone, *row) for row in rows]
        ranges = {role: self.session.genre.roles[role].range for role in self.programs}
        cache = network.start(len(rows), self._context(self._metre(rows[0][0]), shown))

        def feed(new: Sequence[Sequence[int]]) -> NDArray[np.float32]:
            return np.asarray(network.feed(cache, new).float().cpu().numpy())

        written: list[Bars] = [[] for _ in rows]
        live = list(range(len(rows)))
        for step in range(max(n_bars)):
            still = [place for place, row in enumerate(live) if n_bars[row] > step]
            if len(still) < len(live):
                cache, live = cache.rows(still), [live[place] for place in still]
            indices = [self.passages[rows[row][0]].bars[step] for row in live]
            bars = write_bars(
                feed,
                feed([self.charts[index] for index in indices]),
                writing=Writing([self._open(index) for index in indices], ranges),
                generators=[generators[row] for row in live],
                sampling=self.writer.sampling,
            )
            for row, bar in zip(live, bars, strict=True):
                written[row].append(bar[:-1])  # the next bar's chart begins with the word that ends this one
        return written

    @property
    def _redone(self) -> list[str]:
        """What is drawn anew, all together, where a part that is written has another seed than the song."""
        seeds = {role: self.session.seed_of(role) for role in self.programs}
        return [f"{role.value} {seed}" for role, seed in seeds.items() if seed != self.session.seed]

    def _open(self, index: int) -> OpenBar:
        shifts = bar_shifts(self.chart, index, key=self.session.score.key, chords=self.session.chords)
        return OpenBar(self.casts[self.chart.bars[index].section], shifts)

    @property
    def _genre(self) -> int | None:
        genres, name = self.writer.network.config.genres, self.session.genre.name
        return genres.index(name) if name in genres else None

    def _context(self, metre: Metre, shown: Shown) -> list[int]:
        """Header and bars of the style, up to where a passage begins."""
        lengths = list(accumulate(map(len, shown.bars)))
        kept = shown.bars[: max(sum(length <= self.writer.shown_words for length in lengths), 1)]
        tempo_bpm, mode = self.session.timeline.mean_tempo_bpm, self.session.score.key.mode
        header = encode_header(Header(shown.genre, metre, tempo_bpm, mode, shown.players))
        return [*header, *(word for bar in kept for word in bar), ID["Target_None"]]
