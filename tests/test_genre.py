"""Genres as files: those that come with the package, the one in the guide, and everything that can be wrong."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from rearrange.errors import GenreError
from rearrange.general_midi import DRUM_PITCHES, PROGRAM_NAMES
from rearrange.genre import RHYTHM_ROLES, VARIATIONS, Genre, genre_names, load_genre
from rearrange.score import CHORD_INTERVALS, Metre, Role

GUIDE = (Path(__file__).parents[1] / "docs" / "genres.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"```toml\n(# my\.toml.*?)```", GUIDE, re.DOTALL)[1]  # type: ignore[index]
MISTAKES = re.findall(r"```diff\n(.*?)\n```\n```text\n(.*?)\n```", GUIDE, re.DOTALL)


@pytest.fixture(params=genre_names())
def genre(request: pytest.FixtureRequest) -> Genre:
    return load_genre(request.param)


def test_there_are_sixteen_genres() -> None:
    assert len(genre_names()) >= 16
    assert list(genre_names()) == sorted(genre_names())


def test_a_packaged_genre_is_called_what_its_file_is(genre: Genre) -> None:
    assert genre.name == genre.path.stem
    assert genre.title
    assert genre.description
    assert genre.tempo_bpm[0] <= genre.typical_bpm <= genre.tempo_bpm[1]


def test_a_packaged_genre_has_styles_to_choose_from(genre: Genre) -> None:
    assert len(genre.styles) >= 3
    names = [style.name for style in genre.styles]
    assert len(set(names)) == len(names)
    # A song in four and a song at the genre's usual tempo both find a style that fits as it is.
    assert any(style.metre == Metre(4, 4) for style in genre.styles)
    assert any(style.tempo_bpm[0] <= genre.typical_bpm <= style.tempo_bpm[1] for style in genre.styles)


def test_a_packaged_genre_has_players_that_fit(genre: Genre) -> None:
    for role, spec in genre.roles.items():
        assert spec.role is role
        assert all(0 <= program <= 127 for program in spec.programs)
        assert len(set(spec.programs)) == len(spec.programs)
        if role in RHYTHM_ROLES:
            continue
        low, high = spec.range
        assert low <= spec.register[0] < spec.register[1] <= high
        assert high - low >= 12
        assert 20 <= low < high <= 108, f"{role} leaves the piano"
    assert genre.roles[Role.BASS].register[0] <= 43, "the bass cannot go below G2"
    used = {role for style in genre.styles for role in style.roles}
    assert used <= set(genre.roles)
    assert set(genre.roles) - used <= {Role.MELODY}, "a player who never plays"
    for style in genre.styles:
        assert set(style.programs) <= set(style.roles) | {Role.MELODY}, f"{style.name} re-equips who does not play"


def test_a_packaged_genres_patterns_fit(genre: Genre) -> None:
    for style in genre.styles:
        assert Role.BASS in style.roles
        length = style.metre.beats_per_bar
        at = [point.at_beat for point in style.groove.template]
        assert all(before < after for before, after in pairwise(at))
        for role, patterns in style.patterns.items():
            assert tuple(patterns) == VARIATIONS
            for name, variation in patterns.items():
                assert variation.alternatives
                for lines in variation.alternatives:
                    assert set(lines) <= set(DRUM_PITCHES.values()) if role in RHYTHM_ROLES else set(lines) == {0}
                    for pattern in lines.values():
                        assert pattern.metre == style.metre
                        assert 1 <= len(pattern.bars) <= (1 if name in ("fills", "ending") else 4)
                        assert all(0 <= s.onset_beat < length for bar in pattern.bars for s in bar)


def test_a_packaged_style_has_something_to_play_with(genre: Genre) -> None:
    """Quiet and loud differ, and the bass has enough of both that a song does not repeat one bar."""
    for style in genre.styles:
        for role in style.roles:
            quiet, loud = (style.patterns[role][name].alternatives for name in ("A", "B"))
            if role in (Role.BASS, Role.CHORDS, Role.DRUMS):
                assert quiet != loud, f"{style.name}: {role} plays verse and chorus alike"
        bars = {
            tuple((s.onset_beat, s.symbol == "?") for s in bar)
            for name in ("A", "B")
            for lines in style.patterns[Role.BASS][name].alternatives
            for pattern in lines.values()
            for bar in pattern.bars
        }
        assert len(bars) >= 3, f"{style.name}: the bass knows {len(bars)} bars"


def test_a_packaged_genre_stays_true_to_the_song(genre: Genre) -> None:
    """A coloured chord keeps its root, and its third unless it becomes a power or suspended chord."""
    for quality, colours in genre.harmony.colour.items():
        third = [i for i in CHORD_INTERVALS[quality] if i in (3, 4)]
        for colour in colours:
            theirs = [i for i in CHORD_INTERVALS[colour] if i in (3, 4)]
            assert not (third and theirs) or third == theirs or quality in ("dim", "aug"), f"{quality} as {colour}"


def test_no_style_is_two_genres() -> None:
    """Rhythm carries genre: no style's loud drums and bass are another genre's."""
    seen: dict[object, str] = {}
    for name in genre_names():
        for style in load_genre(name).styles:
            key = tuple(
                (role, tuple(sorted((v, p.bars) for v, p in lines.items())))
                for role in (Role.DRUMS, Role.BASS)
                if role in style.patterns
                for lines in style.patterns[role]["B"].alternatives
            )
            assert seen.setdefault(key, name) == name


def test_genres_are_found_by_name_or_path(tmp_path: Path) -> None:
    assert load_genre("jazz") is load_genre("jazz")
    assert load_genre(load_genre("jazz").path).styles == load_genre("jazz").styles
    with pytest.raises(GenreError, match=r"there is no genre 'polka' \(known: ambient, .* or give a .toml file\)"):
        load_genre("polka")
    with pytest.raises(GenreError, match=r"there is no genre 'Jaz' \(did you mean jazz\? known: "):
        load_genre("Jaz")
    with pytest.raises(GenreError, match=r"none\.toml: cannot be read"):
        load_genre(tmp_path / "none.toml")


def saved(folder: Path, text: str) -> Path:
    path = folder / "my.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_guides_example_loads(tmp_path: Path) -> None:
    genre = load_genre(saved(tmp_path, EXAMPLE))
    assert genre.name == "polka"
    assert [style.name for style in genre.styles] == ["polka", "schottische", "ländler"]
    assert [style.groove.swing for style in genre.styles] == [1.0, 1.7, 1.0]
    assert genre.styles[1].groove.humanize_ms == 8
    assert genre.styles[2].metre == Metre(3, 4)
    assert genre.energy.layers == {Role.MELODY: 0, Role.BASS: 0, Role.CHORDS: 0, Role.DRUMS: 0.2}
    tuba = genre.roles[Role.BASS]
    assert [PROGRAM_NAMES[program] for program in tuba.programs] == ["tuba"]
    assert tuba.register == (29, 50)


@pytest.mark.parametrize(("change", "answer"), MISTAKES, ids=[answer[:60] for _, answer in MISTAKES])
def test_the_guides_mistakes_get_the_answers_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, answer: str
) -> None:
    right = "".join(line[2:] + "\n" for line in change.splitlines() if line.startswith("- "))
    wrong = "".join(line[2:] + "\n" for line in change.splitlines() if line.startswith("+ "))
    assert right in EXAMPLE
    saved(tmp_path, EXAMPLE.replace(right, wrong, 1))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GenreError) as caught:
        load_genre("my.toml")
    assert str(caught.value) == answer


def test_the_guide_names_every_key() -> None:
    """Every key that stands in a packaged genre is explained."""
    keys = {
        match[1]
        for name in genre_names()
        for match in re.finditer(r"^([a-z_]+) = ", load_genre(name).path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(MISTAKES) >= 12
    assert {key for key in keys if f"`{key}`" not in GUIDE} == set()
    assert all(name in GUIDE for name in (*PROGRAM_NAMES, *DRUM_PITCHES))


# Text of the example, what stands there instead, and the line, key and beginning of the complaint.
WRONG = [
    ('metre = "4/4"', 'metre = "4"', 6, "metre: '4' is not a metre such as 4/4"),
    ('metre = "4/4"', 'metre = "4/3"', 6, "metre: '4/3' is not a metre"),
    ('metre = "4/4"', 'meter = "4/4"', 6, "meter: is unknown; did you mean metre?"),
    ('title = "Polka"', "", 1, "title: is missing"),
    ("[90, 140]", "[140, 90]", 9, "tempo.range_bpm: [140, 90] must rise and lie in 20 to 400"),
    ("swing = 1.0", "swing = 4", 13, "groove.swing: 4 is outside 1 to 3"),
    ("swing = 1.0", 'swing_unit = "32nd"', 13, "groove.swing_unit: '32nd' is none of 8th, 16th"),
    ("swing = 1.0", "template = [\n  { at = 1 },\n  { at = 1 },\n]", 13, "groove.template: at = 1 must come"),
    ("swing = 1.0", "template = [\n  { at = 1 },\n  { at = 13 },\n]", 15, "groove.template.2.at: 13 is outside"),
    ("swing = 1.0", "offset_ms = { bas = 3 }", 13, "groove.offset_ms.bas: is unknown; did you mean bass?"),
    ("[roles.chords]", "[roles.guitar]", 27, "roles.guitar: is unknown; known: arpeggio, bass, chords"),
    ('programs = ["accordion"]', "programs = []", 28, "roles.chords.programs: must be a list of at least one"),
    ('programs = ["accordion"]', "programs = [true]", 28, "roles.chords.programs: True is not an instrument"),
    ('programs = ["accordion"]', "programs = [200]", 28, "roles.chords.programs: 200 is not a General MIDI"),
    ('programs = ["standard"]', 'programs = ["tuba"]', 35, "roles.drums.programs: 'tuba' is not a drum kit"),
    ('range = ["F3", "A6"]', "", 27, "roles.chords.range: is missing"),
    ('range = ["F3", "A6"]', 'range = ["F3"]', 29, "roles.chords.range: must be two pitch names"),
    ('range = ["F3", "A6"]', 'range = ["F3", "H6"]', 29, "roles.chords.range: 'H6' is not a pitch name"),
    ('range = ["F3", "A6"]', 'range = ["F3", "D5"]', 30, "roles.chords.register: must lie inside range"),
    ('range = ["F3", "A6"]', 'range = ["A6", "F3"]', 29, "roles.chords.range: A6 is not below F3"),
    ("voices = [3, 3]", "voices = [2.5, 3]", 32, "roles.chords.voices: [2.5, 3] must be whole numbers"),
    ("voices = [3, 3]", 'voicing = "wide"', 32, "roles.chords.voicing: 'wide' is none of close, open"),
    ("grace = 0.08", "mordent = 0.1", 40, "melody.ornaments.mordent: is unknown; known: grace"),
    ("drums = 0.2 ", "durms = 0.2 ", 43, "energy.layers.durms: is unknown; did you mean drums?"),
    ("drums = 0.2 ", "drums = 20 ", 43, "energy.layers.drums: 20 is outside 0 to 1"),
    ("[mix.melody]", "[harmony]\ncolour = { mjr = '6' }\n[mix.melody]", 130, "harmony.colour.mjr: is unknown"),
    ("[mix.melody]", "[harmony]\ncolour = { maj = 'm7' }\n[mix.melody]", 130, "harmony.colour.maj: 'm7' is not a"),
    ('name = "polka"\ntempo_bpm', 'name = "ländler"\ntempo_bpm', 45, "styles: two styles have the name 'ländler'"),
    ("tempo_bpm = [80, 120]", "tempo_bpm = 100", 78, "styles.2.tempo_bpm: must be a list of two numbers"),
    ("tempo_bpm = [80, 120]", "", 76, "styles.2.tempo_bpm: is missing"),
    ("swing = 1.7", "swing = 0.7", 80, "styles.2.groove.swing: 0.7 is outside 1 to 3"),
    (
        '  { kick = "x . x .?", snare = ". o . oo | . o ?o o" },',
        '  { kick = "x . x .", snare = 3 },',
        53,
        "styles.1.drums.A: pattern 2 of 2: snare: must be a pattern in quotes, not 3",
    ),
    ('snare = ". o . oo | . o', 'snare = ". o . oo | . y', 53, "styles.1.drums.A: pattern 2 of 2: snare: bar 2"),
    ('intro = "1 . 5 ."', "intro = []", 63, "styles.1.bass.intro: needs at least one pattern"),
    ('intro = "1 . 5 ."', "intro = 1", 63, "styles.1.bass.intro: must be a pattern in quotes, not 1"),
    ('A = "1 . 5 . | 1 . 5 .a"', 'A = "||||"', 91, "styles.2.bass.A: has 5 bars, where there is room for 4"),
    ('metre = "3/4"\n', "", 108, "styles.3.drums.intro: kick: bar 1 has 3 beats, not the 4 of 4/4"),
    ('ending = "1 5 1- --"', 'ending = "1 5 1- --"\nC = ""', 68, "styles.1.bass.C: is unknown"),
]


@pytest.mark.parametrize(("right", "wrong", "line", "complaint"), WRONG, ids=[case[3][:50] for case in WRONG])
def test_a_mistake_names_file_line_and_key(
    tmp_path: Path, right: str, wrong: str, line: int, complaint: str
) -> None:
    assert right in EXAMPLE
    path = saved(tmp_path, EXAMPLE.replace(right, wrong, 1))
    with pytest.raises(GenreError) as caught:
        load_genre(path)
    assert caught.value.message.startswith(f"{path}, line {line}, key {complaint}")


def test_a_genre_needs_three_styles(tmp_path: Path) -> None:
    two = EXAMPLE[: EXAMPLE.rindex("[[styles]]")] + EXAMPLE[EXAMPLE.index("[mix.melody]") :]
    with pytest.raises(GenreError, match="line 45, key styles: a genre needs at least three styles, not 2"):
        load_genre(saved(tmp_path, two))


def test_every_style_has_a_bass(tmp_path: Path) -> None:
    start = EXAMPLE.index("[styles.bass]")
    without = EXAMPLE[:start] + EXAMPLE[EXAMPLE.index("[styles.chords]") :]
    with pytest.raises(GenreError, match=r"line 45, key styles\.1\.bass: is missing: every style has a bass"):
        load_genre(saved(tmp_path, without))


@pytest.mark.parametrize("role", ["melody", "bass"])
def test_every_genre_says_who_plays_melody_and_bass(tmp_path: Path, role: str) -> None:
    start = EXAMPLE.index(f"[roles.{role}]")
    without = EXAMPLE[:start] + EXAMPLE[EXAMPLE.index("[roles.", start + 1) :]
    with pytest.raises(GenreError, match=f"key roles.{role}: is missing"):
        load_genre(saved(tmp_path, without))
