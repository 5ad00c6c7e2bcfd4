"""The arranger that has learnt: a network writes what the patterns only sketch.

The patterns' arrangement of the song is its sketch: who plays, on what, how busily, and a few bars of the style.
The network is shown some of those bars, and writes a first passage, the theme, several times; the critics choose.
All other passages are then written side by side with the theme before their eyes, so that the groove that it has
found is the whole song's; a passage that returns is played as it was. The melody is not the network's business.

Conventions: words are those of `vocabulary`; a bar is its chart's words and its parts' words. A row of a batch is
a passage in one of its versions. What is drawn for it follows from the seed, the passage and the version alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from rearrange.arranger.charts import Chart
from rearrange.arranger.critics import rating
from rearrange.arranger.grammar import OpenBar, Writing
from rearrange.arranger.groove import generator_for
from rearrange.arranger.passages import Passage, passages
from rearrange.arranger.patterns import Session
from rearrange.arranger.sampling import Sampling, write_bars
from rearrange.arranger.tokens import Header, Player, bar_shifts, decode, encode, encode_header, onset_counts
from rearrange.arranger.vocabulary import ID, PLAYED_ROLES
from rearrange.models.arranger import ArrangerNetwork
from rearrange.progress import Progress, silent
from rearrange.score import Role, Track

__all__ = ["Writer", "write_tracks"]

_ENDS = frozenset((ID["Bar_None"], ID["EOS_None"]))


@dataclass(frozen=True)
class Writer:
    """A network, and how it is used.

    Parameters
    ----------
    n_versions : of each passage, of which the critics choose one
    shown_words, passage_words : most words of what is shown of the style, and of a passage
    rows : passages that are written side by side; bounds memory
    """

    network: ArrangerNetwork
    sampling: Sampling = field(default_factory=Sampling)
    n_versions: int = 4
    shown_words: int = 420
    passage_words: int = 560
    rows: int = 48


def write_tracks(
    session: Session, sketch: Sequence[Track], writer: Writer, *, progress: Progress = silent
) -> tuple[Track, ...]:
    """What the network plays of the roles that the sketch has.

    Parameters
    ----------
    sketch : the patterns' tracks of those roles, one of each; their programs are kept

    Raises
    ------
    ValueError : a bar is too long, or its metre has no word.
    """
    song = _Song(session, tuple(track for track in sketch if track.role in PLAYED_ROLES), writer)
    if not song.sketch:
        return ()
    return song.written(progress)


@dataclass(frozen=True, eq=False)
class _Song:
    session: Session
    sketch: tuple[Track, ...]
    writer: Writer

    @property
    def chart(self) -> Chart:
        return self.session.chart

    @cached_property
    def players(self) -> Mapping[Role, int]:
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
    def passages(self) -> list[Passage]:
        lengths = [len(bar) for bar in self.sketched]
        return passages(self.chart, self.session.chords, lengths, most_words=self.writer.passage_words)

    def written(self, progress: Progress) -> tuple[Track, ...]:
        """The whole song."""
        new = [number for number, passage in enumerate(self.passages) if passage.again is None]
        theme = self._theme(new)
        parts: dict[int, list[list[int]]] = dict(zip([theme], self._best([theme], {}), strict=True))
        shown = {theme: parts[theme]}
        others = [number for number in new if number != theme]
        at_once = max(self.writer.rows // self.writer.n_versions, 1)
        for start in range(0, len(others), at_once):
            progress(start / max(len(others), 1), "writing")
            batch = others[start : start + at_once]
            parts |= dict(zip(batch, self._best(batch, shown), strict=True))
        whole = [
            bar
            for number, passage in enumerate(self.passages)
            for bar in parts[number if passage.again is None else passage.again]
        ]
        return self._tracks(whole, range(len(self.chart.bars)))

    def _theme(self, new: Sequence[int]) -> int:
        """The passage that the band finds its groove in: of the longest section that is no intro and no ending."""
        bars = self.chart.bars
        weight: dict[str, int] = {}
        for bar in bars:
            weight[bar.label] = weight.get(bar.label, 0) + len(onset_counts(self.sketched[bar.index]))

        def worth(number: int) -> tuple[bool, int, int, int]:
            passage = self.passages[number].bars
            usual = all(bars[index].variation in ("A", "B") for index in passage)
            playing = sum(len(onset_counts(self.sketched[index])) for index in passage)
            return usual, weight[bars[passage[0]].label], playing, -number

        return max(new, key=worth)

    def _best(self, numbers: Sequence[int], shown: Mapping[int, list[list[int]]]) -> list[list[list[int]]]:
        """The best version of each passage: the words of each bar's parts."""
        n = self.writer.n_versions
        rows = [(number, version) for number in numbers for version in range(n)]
        versions = self._write(rows, shown)
        best = []
        for i, number in enumerate(numbers):
            mine = versions[i * n : (i + 1) * n]
            best.append(max(mine, key=lambda bars, at=number: self._rating(at, bars)))  # type: ignore[misc]
        return best

    def _rating(self, number: int, written: Sequence[Sequence[int]]) -> float:
        bars = self.passages[number].bars
        tracks = self._tracks(written, bars)
        sketch = self._tracks([self.sketched[index] for index in bars], bars)
        return rating(tracks, sketch, [self.chart.bars[index] for index in bars], self.session.chords)

    def _tracks(self, written: Sequence[Sequence[int]], bars: range) -> tuple[Track, ...]:
        players = {role: Player(program, 0.0) for role, program in self.players.items()}
        return decode(
            written,
            self.chart,
            key=self.session.score.key,
            chords=self.session.chords,
            players=players,
            first_bar=bars.start,
        )

    def _write(
        self, rows: Sequence[tuple[int, int]], shown: Mapping[int, list[list[int]]]
    ) -> list[list[list[int]]]:
        """Each row's bars."""
        network, n_bars = self.writer.network, [len(self.passages[number].bars) for number, _ in rows]
        generators = [generator_for(self.session.seed, "write", *row) for row in rows]
        ranges = {role: self.session.genre.roles[role].range for role in self.players}
        contexts = {number: self._context(number, shown) for number in dict.fromkeys(number for number, _ in rows)}
        cache = network.start(len(contexts))
        network.feed(cache, list(contexts.values()))
        cache = cache.rows([list(contexts).index(number) for number, _ in rows])
        written: list[list[list[int]]] = [[] for _ in rows]
        live = list(range(len(rows)))
        for step in range(max(n_bars)):
            still = [place for place, row in enumerate(live) if n_bars[row] > step]
            if len(still) < len(live):
                cache, live = cache.rows(still), [live[place] for place in still]
            indices = [self.passages[rows[row][0]].bars[step] for row in live]
            fed = [self.charts[index] for index in indices]
            logits = network.feed(cache, fed).float().cpu().numpy()
            writing = Writing([self._open(index) for index in indices], ranges)
            bars = write_bars(
                network,
                cache,
                logits,
                writing=writing,
                generators=[generators[row] for row in live],
                sampling=self.writer.sampling,
            )
            for row, bar in zip(live, bars, strict=True):
                written[row].append(bar[:-1] if bar[-1] in _ENDS else bar)
        return written

    def _open(self, index: int) -> OpenBar:
        """Who may play in a bar: those who play in its section, by the sketch."""
        section = self.chart.bars[index].section
        roles: set[Role] = set()
        for bar in self.chart.bars:
            if bar.section == section:
                roles |= set(onset_counts(self.sketched[bar.index]))
        return OpenBar(
            frozenset(roles),
            bar_shifts(self.chart, index, key=self.session.score.key, chords=self.session.chords),
        )

    def _context(self, number: int, shown: Mapping[int, list[list[int]]]) -> list[int]:
        """Header and bars of the style, up to where the passage begins."""
        passage = self.passages[number].bars
        before: list[list[int]] = []
        for theme, parts in shown.items():
            before += [
                [*self.charts[index], *bar] for index, bar in zip(self.passages[theme].bars, parts, strict=True)
            ]
        if not before:
            before = [self.sketched[index] for index in self._examples(passage)]
        kept: list[list[int]] = []
        for bar in before:
            if kept and sum(map(len, kept)) + len(bar) > self.writer.shown_words:
                break
            kept.append(bar)
        wanted = [*kept, *(self.sketched[index] for index in passage)]
        header = encode_header(self._header(wanted, passage))
        return [*header, *(word for bar in kept for word in bar), ID["Target_None"]]

    def _examples(self, passage: range) -> list[int]:
        """Bars of the sketch that show the style: in a row, of the same metre, of as many players as there are."""
        bars, metre = self.chart.bars, self.chart.bars[passage[0]].metre
        counts = [
            len(onset_counts(words)) if bar.metre == metre else 0
            for bar, words in zip(bars, self.sketched, strict=True)
        ]
        n = min(3, len(bars))
        starts = range(len(bars) - n + 1)

        def worth(start: int) -> tuple[int, bool]:
            return sum(counts[start : start + n]), not set(range(start, start + n)) & set(passage)

        best = max(starts, key=lambda start: (worth(start)[0] - (0 if worth(start)[1] else 2), -start))
        return [index for index in range(best, best + n) if counts[index]]

    def _header(self, bars: Sequence[Sequence[int]], passage: range) -> Header:
        session = self.session
        metre = self.chart.bars[passage[0]].metre
        n_beats = max(len(bars), 1) * metre.beats_per_bar
        busy: dict[Role, int] = {}
        for bar in bars:
            for role, count in onset_counts(bar).items():
                busy[role] = busy.get(role, 0) + count
        genres = self.writer.network.config.genres
        name = session.genre.name
        is_ours = session.genre.path.stem == name and name in genres
        players = {role: Player(program, busy.get(role, 0) / n_beats) for role, program in self.players.items()}
        return Header(
            genres.index(name) if is_ours else None,
            metre,
            session.timeline.mean_tempo_bpm,
            session.score.key.mode,
            players,
        )
