"""Reading declared TOML files so that a mistake is reported with its file, line and key.

`Table` hands out typed values one by one and remembers which keys were asked for; `finish` complains about
the rest. tomllib keeps no positions, so lines are found by a scan of the text that follows table headers, the keys
at the start of lines, and the texts and tables in their lists; anything deeper has the line of what it is in.
"""

import difflib
import re
import reprlib
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from rearrange.errors import RearrangeError

__all__ = ["ItemError", "Table", "read_table"]

T = TypeVar("T")
KeyPath = tuple[str | int, ...]

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""^\s*([A-Za-z0-9_\-]+|"[^"]*"|'[^']*')((?:\s*\.\s*[A-Za-z0-9_\-]+)*)\s*=""")
# What matters for a value that spans lines: texts, comments, brackets, and the commas between its items.
_TOKEN = re.compile(r"""\"{3}|'{3}|"(?:\\.|[^"\\])*"|'[^']*'|\#.*|[][{},]""")


class ItemError(ValueError):
    """What is wrong with one item (from 0) of a list that `Table.parsed` reads."""

    def __init__(self, index: int, complaint: str) -> None:
        super().__init__(complaint)
        self.index = index


def read_table(path: Path, error: type[RearrangeError]) -> "Table":
    """Parse a TOML file.

    Raises
    ------
    error : the file cannot be read, is not UTF-8 or is not TOML; the message names file and line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a UTF-8 file with a byte order mark
        values = tomllib.loads(text)
    except OSError as exc:
        raise error(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise error(f"{path}: is not a UTF-8 text file") from exc
    except (ValueError, RecursionError) as exc:  # also from endless numbers and nests
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

    def fail(self, key: str, complaint: str, *, item: int | None = None) -> RearrangeError:
        """The error for a key of this table, or for an item of its list, to be raised by the caller."""
        at = (*self._where, key) if item is None else (*self._where, key, item)
        line = next((self._lines[at[:n]] for n in range(len(at), 0, -1) if at[:n] in self._lines), 1)
        # People count from one: styles.2 is the second style.
        dotted = ".".join(str(part + 1 if isinstance(part, int) else part) for part in (*self._where, key))
        return self._error(f"{self._path}, line {line}, key {dotted}: {complaint}")

    def _missing(self, key: str) -> RearrangeError:
        strangers = [other for other in self._values if other not in self._asked]
        misspelt = difflib.get_close_matches(key, strangers, n=1)
        return self.fail(key, f"is missing; is it what {misspelt[0]!r} should be?" if misspelt else "is missing")

    def _take(self, key: str, kind: type | tuple[type, ...], what: str, default: object) -> object:
        self._asked.add(key)
        if key not in self._values:
            if default is ...:
                raise self._missing(key)
            return default
        value = self._values[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.fail(key, f"must be {what}, not {reprlib.repr(value)}")
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
                raise self.fail(key, f"must be a list of {what}, not {reprlib.repr(value)}")
        return values

    def parsed(self, key: str, parse: Callable[[object], T], default: T | None = None) -> T:
        """A value run through `parse`, whose ValueError (an ItemError for one item) becomes this file's error."""
        self._asked.add(key)
        if key not in self._values:
            if default is None:
                raise self._missing(key)
            return default
        try:
            return parse(self._values[key])
        except (ValueError, TypeError) as exc:
            item = exc.index if isinstance(exc, ItemError) else None
            raise self.fail(key, str(exc), item=item) from exc

    def table(self, key: str) -> "Table":
        """A sub-table; an empty one if it is absent."""
        values = self._take(key, dict, "a table", {})
        assert isinstance(values, dict)
        return Table(values, self._path, self._lines, (*self._where, key), self._error)

    def tables(self, key: str) -> "Iterator[Table]":
        """The tables of an array of tables."""
        for i, values in enumerate(self.list(key, dict, f"tables, each headed [[{key}]] or in braces", [])):
            assert isinstance(values, dict)
            yield Table(values, self._path, self._lines, (*self._where, key, i), self._error)

    def finish(self, also_known: Collection[str] = ()) -> None:
        """Raise for the first key that nobody asked for.

        Parameters
        ----------
        also_known : keys that may stand here but were only asked for where they do, named in the error's hint
        """
        known = sorted({*self._asked, *map(str, also_known)})
        for key in self._values:
            if key not in self._asked:
                close = difflib.get_close_matches(key, known, n=1)
                hint = f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"
                raise self.fail(key, f"is unknown{hint}")


def _key_lines(text: str) -> dict[KeyPath, int]:
    """Line (from 1) of every table header, of every key at the start of a line, and of the items of its list."""
    lines: dict[KeyPath, int] = {}
    where: KeyPath = ()
    key: KeyPath = ()
    counts: dict[KeyPath, int] = {}
    value = _OpenValue()
    for number, line in enumerate(text.splitlines(), start=1):
        if value.is_closed():
            header = _HEADER.match(line)
            if match := _KEY.match(line):
                parts = (match[1].strip("\"'"), *(part.strip() for part in match[2].split(".") if part.strip()))
                key = (*where, *parts)
                lines.setdefault(key, number)
                value = _OpenValue()
            elif header:
                where = _resolve(tuple(part.strip().strip("\"'") for part in header[2].split(".")), counts)
                lines.setdefault(where, number)
                if header[1] == "[[":
                    counts[where] = counts.get(where, -1) + 1
                    where = (*where, counts[where])
                    lines.setdefault(where, number)
                continue
        for item in value.items_in(line):
            lines.setdefault((*key, item), number)
    return lines


class _OpenValue:
    """How far a value that may span lines has been read."""

    def __init__(self) -> None:
        self._depth = 0
        self._quotes = ""
        self._item = 0

    def is_closed(self) -> bool:
        return self._depth == 0 and not self._quotes

    def items_in(self, line: str) -> Iterator[int]:
        """Read a line of the value; yields the number of each text or table of its own list that begins here."""
        position = 0
        while position < len(line):
            if self._quotes:
                end = line.find(self._quotes, position)
                if end < 0:
                    return
                position, self._quotes = end + 3, ""
                continue
            token = _TOKEN.search(line, position)
            if token is None:
                return
            position = token.end()
            symbol = token[0]
            if self._depth == 1 and symbol[0] in "[{\"'":
                yield self._item
            if symbol in "[{":
                self._depth += 1
            elif symbol in "]}":
                self._depth -= 1
            elif symbol == "," and self._depth == 1:
                self._item += 1
            elif symbol in ('"""', "'''"):
                self._quotes = symbol


def _resolve(parts: tuple[str, ...], counts: Mapping[KeyPath, int]) -> KeyPath:
    """Insert the current index after each name that is an array of tables, but not after the last."""
    where: KeyPath = ()
    for i, part in enumerate(parts):
        where = (*where, part)
        if i < len(parts) - 1 and where in counts:
            where = (*where, counts[where])
    return where
