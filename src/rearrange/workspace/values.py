"""Values (dataclasses of numbers, texts, tuples and mappings) to plain JSON values and back, exactly.

Floats survive to the last bit (JSON holds their shortest exact decimal). Notes, of which there are many, are
rows of numbers; every other dataclass is an object by field name. An unknown or missing field is an error.
"""

import types
from collections.abc import Hashable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from rearrange.errors import WorkspaceError
from rearrange.score import Note, NoteEvent
from rearrange.workspace.files import read_json

__all__ = ["from_plain", "read_value", "to_plain"]

T = TypeVar("T")
_ROWS = (Note, NoteEvent)


def to_plain(value: object) -> Any:
    """The value as what `json.dumps` takes.

    Raises
    ------
    TypeError : something that JSON has no word for.
    """
    if isinstance(value, _ROWS):
        return [getattr(value, name) for name in _field_names(cast(Hashable, type(value)))]
    if is_dataclass(value) and not isinstance(value, type):
        return {name: to_plain(getattr(value, name)) for name in _field_names(type(value))}
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def from_plain(kind: type[T], plain: object) -> T:
    """The inverse of `to_plain`, for a value of the type `kind`.

    Raises
    ------
    ValueError : it is not such a value.
    """
    value: T = _build(kind, plain)
    return value


def _build(kind: Any, plain: Any) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _build_union(kind, plain)
    if origin is tuple:
        return _build_tuple(kind, plain)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(plain, dict):
            raise ValueError(f"expected an object, not {plain!r}")
        return {str(key): _build(get_args(kind)[1], item) for key, item in plain.items()}
    if isinstance(kind, type) and is_dataclass(kind):
        return _build_dataclass(kind, plain)
    if origin is Literal:
        if plain in get_args(kind):
            return plain
        raise ValueError(f"expected one of {', '.join(map(str, get_args(kind)))}, not {plain!r}")
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(plain)
    if kind is float and isinstance(plain, int | float) and not isinstance(plain, bool):
        return float(plain)
    if kind is object or (isinstance(kind, type) and type(plain) is kind):
        return plain
    raise ValueError(f"expected {getattr(kind, '__name__', kind)}, not {plain!r}")


def _build_union(kind: Any, plain: Any) -> Any:
    for member in get_args(kind):
        if member is type(None):
            if plain is None:
                return None
            continue
        try:
            return _build(member, plain)
        except ValueError:
            continue
    raise ValueError(f"expected {kind}, not {plain!r}")


def _build_tuple(kind: Any, plain: Any) -> tuple[Any, ...]:
    members = get_args(kind)
    if not isinstance(plain, list):
        raise ValueError(f"expected a list, not {plain!r}")
    if len(members) == 2 and members[1] is Ellipsis:
        return tuple(_build(members[0], item) for item in plain)
    if len(members) != len(plain):
        raise ValueError(f"expected {len(members)} items, not {len(plain)}")
    return tuple(_build(member, item) for member, item in zip(members, plain, strict=True))


def _build_dataclass(kind: Any, plain: Any) -> Any:
    hints = _hints(kind)
    if kind in _ROWS:
        if not isinstance(plain, list) or len(plain) != len(hints):
            raise ValueError(f"expected {len(hints)} numbers, not {plain!r}")
        return kind(*(_build(hint, item) for hint, item in zip(hints.values(), plain, strict=True)))
    if not isinstance(plain, dict):
        raise ValueError(f"expected a {kind.__name__}, not {plain!r}")
    unknown = set(plain) - set(hints)
    if unknown:
        raise ValueError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    for field in fields(kind):
        if field.name not in plain and field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{kind.__name__} lacks {field.name}")
    return kind(**{name: _build(hints[name], item) for name, item in plain.items()})


@cache
def _field_names(kind: Hashable) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cast(Any, kind)))


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    hints = get_type_hints(kind)
    return {name: hints[name] for name in _field_names(kind)}


def read_value(path: Path, kind: type[T]) -> T:
    """A value from a JSON file.

    Raises
    ------
    WorkspaceError : the file is missing or damaged, or holds something else.
    """
    try:
        return from_plain(kind, read_json(path))
    except ValueError as exc:
        raise WorkspaceError(f"{path}: is damaged: {exc}", "delete it, and it is made again") from exc
