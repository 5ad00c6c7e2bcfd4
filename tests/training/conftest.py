"""What several tests of training share: a few songs of ours, and a studio that takes are made in."""

from pathlib import Path

import pytest

from rearrange.training.audio import Studio
from rearrange.training.fonts import FontUse
from rearrange.training.scenes import Library, library
from tests.synth.sf2 import write_sf2
from tests.training.planted_songs import FREE, some_held_out, write_song

_SETS = ("gmd", "pop909", "freedoom")


@pytest.fixture(scope="module")
def unpacked_sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sets, unpacked, with songs of ours under ids that are held out and ids that are not."""
    folder = tmp_path_factory.mktemp("sets")
    for name in _SETS:
        for song in [*FREE[name], *some_held_out(name)]:
            write_song(name, folder / name, song)
    return folder


@pytest.fixture(scope="module")
def songs(unpacked_sets: Path) -> Library:
    """Both shares of them together: there are too few songs for two."""
    both = [library(unpacked_sets, unpacked_sets, share) for share in ("training", "validation")]
    return Library(
        *(sum((getattr(each, name) for each in both), ()) for name in ("pop909", "freedoom", "clips", "fills"))
    )


@pytest.fixture(scope="module")
def studio(songs: Library, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """These songs, on a tiny font."""
    font = write_sf2(tmp_path_factory.mktemp("font") / "tiny.sf2")
    return Studio(songs, (FontUse("tiny", font, band=True, kits=(0,), keys=(), instead=()),))
