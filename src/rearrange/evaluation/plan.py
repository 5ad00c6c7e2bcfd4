"""Which units of work an evaluation has: every song of every set, for the groups that were asked for.

Conventions: a set whose data is not there gives no units and a line that says so. Weights are seconds of one core,
roughly, so that the longest work is begun first and the progress bar is even.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rearrange.errors import RearrangeError, UsageError
from rearrange.evaluation.bands import band_specs
from rearrange.evaluation.judge import load_judge
from rearrange.evaluation.recordings import recordings
from rearrange.evaluation.run import Unit
from rearrange.evaluation.songs import SongRef, oracle_songs
from rearrange.evaluation.units.cost import conversion_cost
from rearrange.evaluation.units.heard import heard_band, heard_recording
from rearrange.evaluation.units.songs import oracle_song
from rearrange.evaluation.units.sound import sound_of_genres, sound_of_systems
from rearrange.progress import Progress, silent

__all__ = ["Scope", "plan"]

# Excerpts of recordings, in seconds: long enough for beats, form and some chords, short enough for an hour in all.
_EXCERPT_S, _SOUND_S, _COST_S = 60.0, 30.0, 180.0
_QUICK_EXCERPT_S, _QUICK_SOUND_S, _QUICK_COST_S = 20.0, 10.0, 20.0
_OTHERS = 2  # songs that the random one is drawn from
_SYSTEM_GENRES = 4  # in how many genres the style transfer is tried, spread over all


@dataclass(frozen=True, slots=True)
class Scope:
    """What is to be measured; `n_songs` limits each set."""

    groups: tuple[str, ...]
    sets: tuple[str, ...]
    genres: tuple[str, ...]
    seeds: tuple[int, ...]
    quick: bool = False
    n_songs: int | None = None


def plan(data: Path, folder: Path, scope: Scope, *, progress: Progress = silent) -> tuple[list[Unit], list[str]]:
    """The units, and what had to be left out.

    Parameters
    ----------
    data : holds `symbolic` and `audio`
    folder : archives are unpacked there
    """
    units: list[Unit] = []
    missing: list[str] = []
    parts: Sequence[tuple[str, tuple[str, ...], Callable[[Path, Path, Scope], list[Unit]]]] = (
        ("oracle", ("songs",), _oracle),
        ("bands", ("songs", "ears"), _bands),
        ("recordings", ("songs", "ears"), _recordings),
        ("recordings", ("sound",), _sound),
        ("recordings", ("cost",), _cost),
    )
    for number, (name, groups, make) in enumerate(parts):
        progress(number / len(parts), f"plan: {name}")
        if name not in scope.sets or not set(groups) & set(scope.groups):
            continue
        try:
            units += make(data, folder, scope)
        except RearrangeError as exc:  # its data is not there, or not whole
            missing.append(f"{name}: {exc.message}")
    return units, list(dict.fromkeys(missing))


def _oracle(data: Path, folder: Path, scope: Scope) -> list[Unit]:
    songs = oracle_songs(data / "symbolic", folder, quick=scope.quick, limit=scope.n_songs)
    return [
        Unit(
            f"oracle {song.corpus} {song.id}",
            oracle_song,
            {"song": song, "others": _next(songs, number), "genres": scope.genres, "seeds": scope.seeds},
            weight=0.7 * len(scope.genres) * (len(scope.seeds) + 1),
        )
        for number, song in enumerate(songs)
    ]


def _next(songs: Sequence[SongRef], number: int) -> tuple[SongRef, ...]:
    """The songs after this one, the first ones after the last."""
    return tuple(songs[(number + i) % len(songs)] for i in range(1, min(_OTHERS + 1, len(songs))))


def _bands(data: Path, folder: Path, scope: Scope) -> list[Unit]:
    specs = band_specs(data / "symbolic", folder, quick=scope.quick)[: scope.n_songs]
    genres = scope.genres if "songs" in scope.groups else ()
    return [
        Unit(
            f"band {spec.name}",
            heard_band,
            {
                "spec": spec,
                "other": specs[(number + 1) % len(specs)].song,
                "genres": genres,
                "seeds": scope.seeds,
                "with_ears": "ears" in scope.groups,
            },
            weight=12.0 + 0.2 * len(genres) * (len(scope.seeds) + 1),
        )
        for number, spec in enumerate(specs)
    ]


def _music(data: Path, scope: Scope, share: str = "") -> list[str]:
    """The recordings that are music; few of them for a quick look."""
    few = recordings(data / "audio", share="quick" if scope.quick else share)
    return [each.name for each in few if each.is_music][: scope.n_songs]


def _recordings(data: Path, folder: Path, scope: Scope) -> list[Unit]:
    genres = scope.genres if "songs" in scope.groups else ()
    songs: Sequence[SongRef] = ()
    with suppress(UsageError):  # without the sets there is no random song, which its cells say
        songs = oracle_songs(data / "symbolic", folder, limit=len(_music(data, scope)) + _OTHERS) if genres else ()
    return [
        Unit(
            f"recording {name}",
            heard_recording,
            {
                "data": data / "audio",
                "name": name,
                "others": _next(songs, number),
                "seconds": _QUICK_EXCERPT_S if scope.quick else _EXCERPT_S,
                "genres": genres,
                "seeds": scope.seeds,
                "with_ears": "ears" in scope.groups,
            },
            weight=12.0 + 0.2 * len(genres) * (len(scope.seeds) + 1),
        )
        for number, name in enumerate(_music(data, scope))
    ]


def _sound(data: Path, _folder: Path, scope: Scope) -> list[Unit]:
    names = _music(data, scope)
    seconds = _QUICK_SOUND_S if scope.quick else _SOUND_S
    judged = [genre for genre in scope.genres if genre in load_judge().references] or scope.genres
    few = judged[:: max(len(judged) // _SYSTEM_GENRES, 1)][: 1 if scope.quick else _SYSTEM_GENRES]
    chosen = names[: 1 if scope.quick else None]
    units = [
        Unit(
            f"sound {name}",
            sound_of_genres,
            {"data": data / "audio", "name": name, "genres": scope.genres, "seconds": seconds},
            weight=5.0 + 0.08 * seconds * len(scope.genres),
        )
        for name in chosen
    ]
    return units + [
        Unit(
            f"systems {name} {genre}",
            sound_of_systems,
            {"data": data / "audio", "name": name, "genre": genre, "seconds": seconds},
            weight=80.0,
        )
        for name in _music(data, scope, "rivals")[: 1 if scope.quick else None]
        for genre in few
    ]


def _cost(data: Path, _folder: Path, scope: Scope) -> list[Unit]:
    seconds = _QUICK_COST_S if scope.quick else _COST_S
    return [
        Unit(
            f"cost {name}",
            conversion_cost,
            {
                "data": data / "audio",
                "name": name,
                "genres": (scope.genres[0], scope.genres[-1]),
                "seconds": seconds,
            },
            weight=0.3 * seconds,
            alone=True,
        )
        for name in _music(data, scope, "cost")[: 1 if scope.quick else None]
    ]
