"""What a band plays: a test song as an arrangement, and which stem each of its tracks belongs to.

A song of a full band plays itself. A song without a band is arranged by our own arranger, and the truth is what
that plays.

Limits: a full band's chords and key are what our analysis hears in its true notes. Our ears may find the rhythms
of our own arranger easier than those of others.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from rearrange.analysis.roles import assign_roles
from rearrange.evaluation.measure import NotMeasurable
from rearrange.evaluation.songs import SongRef, SymbolicSong, load_song, score_of
from rearrange.genre import load_genre
from rearrange.midi import read_midi
from rearrange.score import Arrangement, Bar, Role, Timeline
from rearrange.stages.arrange import ArrangeSettings, arrange

__all__ = ["STEMS", "BandSong", "band_song", "inner_bars"]

STEMS = ("drums", "bass", "other", "vocals")
_INSIDE = 0.25  # where the excerpt begins, as a share of the song
_LEAD_S = 4.0  # that an excerpt begins before the melody, where that begins late
_BASS_PROGRAMS = range(32, 40)  # General MIDI's basses
_ROLE_STEMS = {
    Role.DRUMS: "drums",
    Role.PERCUSSION: "drums",
    Role.BASS: "bass",
    Role.MELODY: "vocals",
}


@dataclass(frozen=True)
class BandSong:
    """A whole song as it is to be played.

    Parameters
    ----------
    stem_of : the name of STEMS that each track belongs to, by the track's name
    known : says of chords, key and sections how they are known
    has_form : whether the arrangement's sections are true
    """

    arrangement: Arrangement
    stem_of: Mapping[str, str]
    known: Mapping[str, str]
    has_form: bool

    @property
    def tune_beat(self) -> float:
        """The first note of the stem `vocals`; 0 without one."""
        tracks = [track for track in self.arrangement.tracks if self.stem_of[track.name] == "vocals"]
        return min((note.onset_beat for track in tracks for note in track.notes), default=0.0)


def band_song(song: SongRef, genre: str) -> BandSong:
    """A song as a band plays it.

    Parameters
    ----------
    genre : that the song is arranged in; "" leaves it as it is

    Raises
    ------
    RearrangeError : the song cannot be read or arranged, or there is too little music in it.
    """
    known = load_song(song)
    return _arranged(known, genre) if genre else _as_it_is(known, song)


def inner_bars(timeline: Timeline, excerpt_s: float, *, tune_beat: float = 0.0) -> tuple[Bar, ...]:
    """Whole bars that last at most `excerpt_s`, from inside the song where it is long enough.

    Parameters
    ----------
    tune_beat : where the melody begins; the excerpt begins no sooner

    Raises
    ------
    NotMeasurable : there is no bar.
    """
    bars = timeline.bars
    if not bars:
        raise NotMeasurable("the song is shorter than a bar")
    starts = timeline.seconds([bar.onset_beat for bar in bars])
    ends = timeline.seconds([bar.end_beat for bar in bars])
    from_s = max(starts[0] + _INSIDE * (ends[-1] - starts[0]), float(timeline.seconds(tune_beat)) - _LEAD_S)
    from_s = min(from_s, max(ends[-1] - excerpt_s, starts[0]))
    first = int(np.searchsorted(starts, from_s - 1e-6))
    last = int(np.searchsorted(ends, starts[first] + excerpt_s + 1e-6))
    return bars[first : max(last, first + 1)]


def _arranged(song: SymbolicSong, genre: str) -> BandSong:
    """The song as our own arranger plays it."""
    score = score_of(song)
    arrangement = arrange(score, load_genre(genre), ArrangeSettings(seed=zlib.crc32(song.id.encode())))
    known = {"chords": "as arranged", "key": "heard in the true notes", "sections": "as arranged"}
    if song.key is not None and song.n_keys == 1 and arrangement.key.tonic == score.key.tonic:
        arrangement = replace(arrangement, key=song.key)
        known["key"] = "annotated"
    stems = {track.name: _ROLE_STEMS.get(track.role, "other") for track in arrangement.tracks}
    return BandSong(arrangement, stems, known, has_form=True)


def _as_it_is(song: SymbolicSong, file: SongRef) -> BandSong:
    """The song's own tracks, the harmony heard in their notes."""
    score = score_of(song)
    tracks = read_midi(file.path).tracks
    roles = {part.role: set(part.notes) for part in assign_roles(song.performance)}
    stems = {}
    for part in song.performance.parts:
        if part.is_drum:
            stem = "drums"
        elif part.program in _BASS_PROGRAMS or set(part.notes) == roles.get(Role.BASS):
            stem = "bass"
        else:
            # A melody that is not one voice alone has been thinned out: its notes are some of the part's.
            sung = roles.get(Role.MELODY, set())
            stem = "vocals" if sung and sung <= set(part.notes) else "other"
        stems[part.name] = stem
    arrangement = Arrangement(song.timeline, "", "", score.key, score.chords, score.sections, tracks, seed=0)
    heard = "heard in the true notes"
    return BandSong(arrangement, stems, {"chords": heard, "key": heard, "sections": "unknown"}, has_form=False)
