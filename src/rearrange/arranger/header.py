"""What holds for a whole sequence of the arranger's words: genre, metre, tempo, mode, and who plays."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rearrange.arranger.vocabulary import ID, METRES, MOST_GENRES, PLAYED_ROLES, density_bin, tempo_bin
from rearrange.score import Metre, Role

__all__ = ["Header", "Player", "encode_header"]


@dataclass(frozen=True, slots=True)
class Player:
    """Who plays a role: General MIDI program, and how many onsets a beat are wanted."""

    program: int
    onsets_per_beat: float


@dataclass(frozen=True)
class Header:
    """What holds for a whole sequence. `genre` is a slot of the model's own table; None is any genre."""

    genre: int | None
    metre: Metre
    tempo_bpm: float
    mode: str
    players: Mapping[Role, Player] = field(default_factory=dict)


def encode_header(header: Header) -> list[int]:
    """Words of a header.

    Raises
    ------
    ValueError : a metre, genre or role that has no word.
    """
    if str(header.metre) not in METRES:
        raise ValueError(f"{header.metre} cannot be written for the arranger")
    if header.genre is not None and not 0 <= header.genre < MOST_GENRES:
        raise ValueError(f"genre {header.genre} is not one of {MOST_GENRES}")
    if Role.MELODY in header.players:
        raise ValueError("the melody is played, not arranged")
    names = [
        "BOS_None",
        f"Genre_{header.genre}",
        f"TimeSig_{header.metre}",
        f"Tempo_{tempo_bin(header.tempo_bpm)}",
        f"Mode_{header.mode}",
    ]
    for role in PLAYED_ROLES:
        player = header.players.get(role)
        if player is not None:
            density = density_bin(player.onsets_per_beat)
            names += [f"Track_{role.value}", f"Program_{player.program}", f"Density_{density}"]
    return [ID[name] for name in names]
