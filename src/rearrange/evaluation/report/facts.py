"""What the page of a conversion says in words and figures; `changes`, `card` and `recipe` find it out.

Conventions: bars are counted from 1, as musicians count them, and are the song's own (a pickup is bar 0).
"""

from dataclasses import dataclass

from rearrange.evaluation.measure import Measure

__all__ = ["CardEntry", "Change", "RecipeGroup", "RecipeLine", "ReportFacts", "WeakBar"]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a stretch of the song, in words a musician would use; `role` is empty for the whole band."""

    first_bar: int
    last_bar: int
    text: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class CardEntry:
    """One figure of the quality card, in [0, 1], with what it means in a line."""

    name: str
    measure: Measure
    explanation: str


@dataclass(frozen=True, slots=True)
class WeakBar:
    """A bar to listen to: what speaks against it."""

    bar: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecipeLine:
    """One thing that the result depends on."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class RecipeGroup:
    """Settings, versions, hashes or licences."""

    name: str
    lines: tuple[RecipeLine, ...]


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """All of it; `summary` says in a few sentences what was done to the song as a whole."""

    summary: tuple[str, ...]
    changes: tuple[Change, ...]
    card: tuple[CardEntry, ...]
    weak_bars: tuple[WeakBar, ...]
    recipe: tuple[RecipeGroup, ...]
