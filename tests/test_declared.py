"""Declared files: typed values, and errors that name file, line and key."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rearrange.declared import ItemError, Table, read_table
from rearrange.errors import ConfigError

TEXT = '''\
# a remark with [brackets] and a = sign
title = "Songs"      # [not a header]
count = 3
share = 0.5
loud = true
dotted.deep = 7
note = """
[not.a.header]
count = 99
"""

[colour]
"7" = ["9", "13"]
span = [
  2,
  5,   # ] this closes nothing
]

[[tracks]]
name = "one"

[[tracks]]
name = "two"
lines = [
  "a",
  { kick = "x, ]", snare = ["y"] },
  "c",
]
[tracks.mix]
pan = 4
[[tracks.mix.bands]]
hz = 100
[[tracks.mix.bands]]
hz = "low"
'''


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return written(tmp_path, TEXT)


def written(folder: Path, text: str) -> Table:
    path = folder / "songs.toml"
    path.write_text(text, encoding="utf-8")
    return read_table(path, ConfigError)


def tracks(table: Table) -> list[Table]:
    return list(table.tables("tracks"))


def test_values_come_out_with_their_types(table: Table) -> None:
    assert table.string("title") == "Songs"
    assert table.number("count", low=0, high=9) == 3.0
    assert table.number("absent", 0.25, low=0, high=9) == 0.25
    assert table.optional_number("absent", low=0, high=9) is None
    assert table.optional_number("share", low=0, high=1) == 0.5
    assert table.flag("loud", False) is True
    assert table.flag("quiet", False) is False
    colour = table.table("colour")
    assert colour.pair("span", low=0, high=9) == (2.0, 5.0)
    assert colour.pair("absent", (1, 2), low=0, high=9) == (1, 2)
    assert colour.list("7", str, "texts") == ["9", "13"]
    assert colour.parsed("7", lambda value: len(list(str(value)))) > 2
    assert [track.string("name") for track in tracks(table)] == ["one", "two"]
    assert "nothing" not in table
    assert list(table.table("nothing").keys()) == []


# What is asked for, and the line, key and complaint of the answer.
WRONG: dict[str, tuple[Callable[[Table], object], int, str, str]] = {
    "a number for a text": (lambda t: t.string("count"), 3, "count", "must be a text in quotes, not 3"),
    "a text for a number": (
        lambda t: t.number("title", low=0, high=1),
        2,
        "title",
        "must be a number, not 'Songs'",
    ),
    "true is no number": (lambda t: t.number("loud", low=0, high=1), 5, "loud", "must be a number, not True"),
    "a number is not true": (lambda t: t.flag("count", True), 3, "count", "must be true or false, not 3"),
    "out of range": (lambda t: t.number("count", low=4, high=9), 3, "count", "3 is outside 4 to 9"),
    "not among the names": (
        lambda t: t.string("title", one_of=("a", "b")),
        2,
        "title",
        "'Songs' is none of a, b",
    ),
    "missing": (lambda t: t.string("sub"), 1, "sub", "is missing"),
    "missing and misspelt": (
        lambda t: t.number("cuont", low=0, high=9),
        1,
        "cuont",
        "is missing; is it what 'count' should be?",
    ),
    "missing in a table": (lambda t: t.table("colour").string("x"), 12, "colour.x", "is missing"),
    "missing, parsed": (lambda t: tracks(t)[1].parsed("x", str), 22, "tracks.2.x", "is missing"),
    "a falling pair": (
        lambda t: t.table("colour").pair("span", low=3, high=9),
        14,
        "colour.span",
        "[2, 5] must rise and lie in 3 to 9",
    ),
    "no pair": (
        lambda t: tracks(t)[1].pair("lines", low=0, high=1),
        24,
        "tracks.2.lines",
        "must be a list of two",
    ),
    "a key after a text of several lines": (
        lambda t: t.table("colour").number("7", low=0, high=9),
        13,
        "colour.7",
        "must be a number, not ['9', '13']",
    ),
    "a dotted key": (lambda t: t.table("dotted").string("deep"), 6, "dotted.deep", "must be a text in quotes"),
    "a sub-table of the second table": (
        lambda t: tracks(t)[1].table("mix").number("pan", low=-1, high=1),
        30,
        "tracks.2.mix.pan",
        "4 is outside -1 to 1",
    ),
    "a table in a table in a table": (
        lambda t: list(tracks(t)[1].table("mix").tables("bands"))[1].number("hz", low=0, high=9),
        34,
        "tracks.2.mix.bands.2.hz",
        "must be a number, not 'low'",
    ),
    "not an array of tables": (
        lambda t: list(t.tables("colour")),
        12,
        "colour",
        "must be a list of tables, each headed [[colour]] or in braces, not {",
    ),
    "the array as a whole": (lambda t: _raise(t.fail("tracks", "too few")), 19, "tracks", "too few"),
}


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_value_names_file_line_and_key(table: Table, tmp_path: Path, case: str) -> None:
    ask, line, key, complaint = WRONG[case]
    with pytest.raises(ConfigError) as caught:
        ask(table)
    assert caught.value.message.startswith(f"{tmp_path / 'songs.toml'}, line {line}, key {key}: {complaint}")


@pytest.mark.parametrize(("item", "line"), [(0, 25), (1, 26), (2, 27)])
def test_an_item_of_a_list_has_its_own_line(table: Table, item: int, line: int) -> None:
    def parse(value: object) -> object:
        raise ItemError(item, "does not sound")

    with pytest.raises(ConfigError, match=rf"line {line}, key tracks\.2\.lines: does not sound"):
        tracks(table)[1].parsed("lines", parse)


@pytest.mark.parametrize("kind", [ValueError, TypeError])
def test_what_a_parser_complains_about_becomes_the_files_error(table: Table, kind: type[Exception]) -> None:
    def parse(value: object) -> object:
        raise kind(f"cannot read {value}")

    with pytest.raises(ConfigError, match="line 3, key count: cannot read 3"):
        table.parsed("count", parse)


def test_a_long_value_is_cut_short_in_the_error(tmp_path: Path) -> None:
    long = written(tmp_path, f"x = {list(range(5000))}")
    with pytest.raises(ConfigError) as caught:
        long.string("x")
    assert len(caught.value.message) < 300


def test_unknown_keys_are_errors_with_a_hint(tmp_path: Path) -> None:
    table = written(tmp_path, 'name = "x"\ntemop = 3\n')
    table.string("name")
    table.number("tempo", 1, low=0, high=9)
    with pytest.raises(ConfigError, match=r"line 2, key temop: is unknown; did you mean tempo\?"):
        table.finish()


def test_unknown_keys_that_resemble_none_list_them_all(tmp_path: Path) -> None:
    table = written(tmp_path, 'name = "x"\n\n[zz]\n')
    table.string("name")
    with pytest.raises(ConfigError, match="line 3, key zz: is unknown; known: groove, name"):
        table.finish(also_known=("groove",))


def test_a_key_that_was_asked_for_is_known(tmp_path: Path) -> None:
    table = written(tmp_path, "a = 1\n[b]\n")
    table.number("a", low=0, high=1)
    table.table("b").finish()
    table.finish()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"name = ", "is not TOML: Invalid value"),
        (b"a = 1\na = 2\n", r"is not TOML: .*line 2"),
        (b"\xff\xfe\x00", "is not a UTF-8 text file"),
        (b"n = " + b"9" * 5000, "is not TOML"),
        (b"n = " + b"[" * 5000, "is not TOML"),
    ],
)
def test_a_file_that_is_not_toml(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "songs.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"songs.toml: {complaint}"):
        read_table(path, ConfigError)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.toml: cannot be read: No such file"):
        read_table(tmp_path / "none.toml", ConfigError)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_table(tmp_path, ConfigError)


def test_files_from_windows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "songs.toml"
    path.write_bytes(b'\xef\xbb\xbfname = "x"\r\ncount = 3\r\n')
    table = read_table(path, ConfigError)
    assert table.string("name") == "x"
    with pytest.raises(ConfigError, match="line 2, key count"):
        table.string("count")
