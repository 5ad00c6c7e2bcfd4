"""The mix table: what its keys become, and what it refuses."""

from pathlib import Path

import pytest

from rearrange.declared import read_table
from rearrange.errors import GenreError
from rearrange.mixtable import (
    Compressor,
    Delay,
    EqBand,
    MixTable,
    Reverb,
    RoleMix,
    Sidechain,
    Tape,
    read_mix_table,
)
from rearrange.score import Role

WHOLE = """
[mix.melody]
level_db = 1.5
pan = -0.25
width = 0.5
reverb_db = -14
delay_db = -20
chorus = 0.2
drive = 0.1
high_pass_hz = 120
low_pass_hz = 9000
eq = [
  { hz = 90, gain_db = 2 },
  { hz = 8000, gain_db = -3, q = 0.7, kind = "high_shelf" },
]
compress = { threshold_db = -20, ratio = 3, attack_ms = 5 }
[mix.vocals]
reverb_db = -12
[mix.reverb]
kind = "plate"
decay_s = 2.5
[mix.delay]
beats = 0.5
feedback = 0.4
[mix.sidechain]
depth_db = 6
release_ms = 150
roles = ["bass", "pad"]
[mix.tape]
wow = 0.3
noise_db = -60
[mix.bus]
threshold_db = -14
ratio = 2
"""


def mix_of(folder: Path, text: str) -> MixTable:
    path = folder / "my.toml"
    path.write_text(text, encoding="utf-8")
    return read_mix_table(read_table(path, GenreError).table("mix"))


def test_an_empty_mix_is_neutral(tmp_path: Path) -> None:
    mix = mix_of(tmp_path, "")
    assert mix == MixTable()
    assert mix.role(Role.BASS) == RoleMix(level_db=0.0, pan=0.0, width=1.0, reverb_db=None, drive=0.0)
    assert (mix.delay, mix.sidechain, mix.tape, mix.bus) == (None, None, None, None)


def test_every_key_arrives(tmp_path: Path) -> None:
    mix = mix_of(tmp_path, WHOLE)
    assert mix.role(Role.MELODY) == RoleMix(
        level_db=1.5,
        pan=-0.25,
        width=0.5,
        reverb_db=-14,
        delay_db=-20,
        chorus=0.2,
        drive=0.1,
        high_pass_hz=120,
        low_pass_hz=9000,
        eq=(EqBand(90, 2), EqBand(8000, -3, 0.7, "high_shelf")),
        compress=Compressor(-20, 3, attack_ms=5, release_ms=120),
    )
    assert mix.vocals == RoleMix(reverb_db=-12)
    assert mix.reverb == Reverb("plate", 2.5)
    assert mix.delay == Delay(0.5, 0.4)
    assert mix.sidechain == Sidechain(6, 150, (Role.BASS, Role.PAD))
    assert mix.tape == Tape(wow=0.3, noise_db=-60)
    assert mix.bus == Compressor(-14, 2)


@pytest.mark.parametrize(
    ("right", "wrong", "line", "complaint"),
    [
        ("pan = -0.25", "pan = -2", 4, "mix.melody.pan: -2 is outside -1 to 1"),
        ("chorus = 0.2", "chorous = 0.2", 8, "mix.melody.chorous: is unknown; did you mean chorus?"),
        ("gain_db = -3", "gain_db = -30", 14, "mix.melody.eq.2.gain_db: -30 is outside -24 to 24"),
        ('"high_shelf"', '"shelf"', 14, "mix.melody.eq.2.kind: 'shelf' is none of bell, low_shelf, high_shelf"),
        ("threshold_db = -20, ", "", 16, "mix.melody.compress.threshold_db: is missing"),
        ('"plate"', '"cave"', 20, "mix.reverb.kind: 'cave' is none of room, hall, plate, spring"),
        ("feedback = 0.4", "feedback = 1", 24, "mix.delay.feedback: 1 is outside 0 to 0.9"),
        ('"pad"]', '"pads"]', 28, "mix.sidechain.roles: 'pads' is none of melody, bass, chords"),
        ('["bass", "pad"]', "[]", 28, "mix.sidechain.roles: must be a list of parts"),
        ("depth_db = 6", "depth_db = true", 26, "mix.sidechain.depth_db: must be a number, not True"),
        ("wow = 0.3", 'wow = "much"', 30, "mix.tape.wow: must be a number, not 'much'"),
        ("ratio = 2\n", "ratio = 0.5\n", 34, "mix.bus.ratio: 0.5 is outside 1 to 20"),
        ("[mix.vocals]", "[mix.singer]", 17, "mix.singer: is unknown; known: arpeggio, bass"),
        ("[mix.delay]\nbeats = 0.5\nfeedback = 0.4\n", "", 7, "mix.melody.delay_db: sends into an echo"),
    ],
)
def test_a_mistake_names_file_line_and_key(
    tmp_path: Path, right: str, wrong: str, line: int, complaint: str
) -> None:
    assert right in WHOLE
    with pytest.raises(GenreError) as caught:
        mix_of(tmp_path, WHOLE.replace(right, wrong, 1))
    assert caught.value.message.startswith(f"{tmp_path / 'my.toml'}, line {line}, key {complaint}")
