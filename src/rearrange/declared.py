"""Reading declared TOML files so that a mistake is reported with its file, line and key.

`Table` hands out typed values one by one and remembers which keys were asked for; `finish` complains about
the rest. tomllib keeps no positions, so the line of a key is found by a scan of the text that follows table
headers and top-level keys; inside a multi-line value it is the line where the value starts.
"""

import difflib
import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from rearrange.errors import RearrangeError

__all__ = ["Table", "read_table"]

T = TypeVar("T")
KeyPath = tuple[str | int, ...]

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*([A-Za-z0-9_\-]+|"[^"]*"|'[^']*')((?:\s*\.\s*[A-Za-z0-9_\-]+)*)\s*=""")


def read_table(path: Path, error: type[RearrangeError]) -> "Table":
    """Parse a TOML file.

    Raises
    ------
    error : the file cannot be read, is not UTF-8 or is not TOML; the message names file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except OSError as exc:
        raise error(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise error(f"{path}: is not a UTF-8 text file") from exc
    except tomllib.TOMLDecodeError as exc:
        raise error(f"{path}: is not TOML: {exc}") from exc
    return Table(values, path, _key_lines(text), (), error)


class Table:
    """One TOML table with its place in the file."""

    def __init__(
        self,
        values: Mapping[str, object],
        path: Path,
        lines: Mapping[KeyPath, int],
        where: KeyPath,
        error: type[RearrangeError],
    ) -> None:
        self._values = values
        self._path = path
        self._lines = lines
        self._where = where
        self._error = error
        self._asked: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def keys(self) -> Collection[str]:
        return self._values.keys()

    def fail(self, key: str, complaint: str) -> RearrangeError:
        """The error for a key of this table, to be raised by the caller."""
        at = (*self._where, key)
        line = next((self._lines[at[:n]] for n in range(len(at), 0, -1) if at[:n] in self._lines), 1)
        dotted = ".".join(str(part) for part in at)
        return self._error(f"{self._path}, line {line}, key {dotted}: {complaint}")

    def _take(self, key: str, kind: type | tuple[type, ...], what: str, default: object) -> object:
        self._asked.add(key)
        if key not in self._values:
            if default is ...:
                raise self.fail(key, "is missing")
            return default
        value = self._values[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.fail(key, f"must be {what}, not {value!r}")
        return value

    def string(self, key: str, default: str | None = None, *, one_of: Collection[str] = ()) -> str:
        value = self._take(key, str, "a text in quotes", ... if default is None else default)
        assert isinstance(value, str)
        if one_of and value not in one_of:
            raise self.fail(key, f"{value!r} is none of {', '.join(one_of)}")
        return value

    def number(self, key: str, default: float | None = None, *, low: float, high: float) -> float:
        value = self._take(key, (int, float), "a number", ... if default is None else default)
        assert isinstance(value, int | float)
        if not low <= value <= high:
            raise self.fail(key, f"{value:g} is outside {low:g} to {high:g}")
        return float(value)

    def optional_number(self, key: str, *, low: float, high: float) -> float | None:
        if key not in self._values:
            self._asked.add(key)
            return None
        return self.number(key, low=low, high=high)

    def flag(self, key: str, default: bool) -> bool:
        return bool(self._take(key, bool, "true or false", default))

    def pair(
        self, key: str, default: tuple[float, float] | None = None, *, low: float, high: float
    ) -> tuple[float, float]:
        """Two numbers, the first not above the second."""
        if key not in self._values and default is not None:
            self._asked.add(key)
            return default
        values = self.list(key, (int, float), "two numbers, e.g. [90, 140]")
        if len(values) != 2:
            raise self.fail(key, f"must be two numbers, not {len(values)}")
        first, second = (float(str(value)) for value in values)
        if not low <= first <= second <= high:
            raise self.fail(key, f"[{first:g}, {second:g}] must rise and lie in {low:g} to {high:g}")
        return first, second

    def list(
        self, key: str, kind: type | tuple[type, ...], what: str, default: list[object] | None = None
    ) -> list[object]:
        values = self._take(key, list, f"a list of {what}", ... if default is None else default)
        assert isinstance(values, list)
        for value in values:
            if not isinstance(value, kind) or isinstance(value, bool):
                raise self.fail(key, f"must be a list of {what}, not {value!r}")
        return values

    def parsed(self, key: str, parse: Callable[[object], T], default: T | None = None) -> T:
        """A value run through `parse`, whose ValueError becomes this file's error."""
        self._asked.add(key)
        if key not in self._values:
            if default is None:
                raise self.fail(key, "is missing")
            return default
        try:
            return parse(self._values[key])
        except (ValueError, TypeError) as exc:
            raise self.fail(key, str(exc)) from exc

    def table(self, key: str) -> "Table":
        """A sub-table; an empty one if it is absent."""
        values = self._take(key, dict, "a table", {})
        assert isinstance(values, dict)
        return Table(values, self._path, self._lines, (*self._where, key), self._error)

    def tables(self, key: str) -> "Iterator[Table]":
        """The tables of an array of tables."""
        for i, values in enumerate(self.list(key, dict, "tables", [])):
            assert isinstance(values, dict)
            yield Table(values, self._path, self._lines, (*self._where, key, i), self._error)

    def finish(self) -> None:
        """Raise for the first key that nobody asked for."""
        for key in self._values:
            if key not in self._asked:
                close = difflib.get_close_matches(key, self._asked, n=1)
                hint = f"; did you mean {close[0]}?" if close else f"; known: {', '.join(sorted(self._asked))}"
                raise self.fail(key, f"is unknown{hint}")


def _key_lines(text: str) -> dict[KeyPath, int]:
    """Line (from 1) of every table header and of every key at the start of a line."""
    lines: dict[KeyPath, int] = {}
    where: KeyPath = ()
    counts: dict[KeyPath, int] = {}
    inside_string = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.count('"""') % 2:
            inside_string = not inside_string
            if inside_string and (match := _KEY.match(line)):
                lines.setdefault((*where, match[1].strip("\"'")), number)
            continue
        if inside_string:
            continue
        header = _HEADER.match(line)
        if header and not _KEY.match(line):
            where = _resolve(tuple(part.strip().strip("\"'") for part in header[2].split(".")), counts)
            if header[1] == "[[":
                counts[where] = counts.get(where, -1) + 1
                where = (*where, counts[where])
            lines.setdefault(where, number)
        elif match := _KEY.match(line):
            path = (match[1].strip("\"'"), *(part.strip() for part in match[2].split(".") if part.strip()))
            lines.setdefault((*where, *path), number)
    return lines


def _resolve(parts: tuple[str, ...], counts: Mapping[KeyPath, int]) -> KeyPath:
    """Insert the current index after each name that is an array of tables, but not after the last."""
    where: KeyPath = ()
    for i, part in enumerate(parts):
        where = (*where, part)
        if i < len(parts) - 1 and where in counts:
            where = (*where, counts[where])
    return where
