"""The declared folders are found in a checkout and in an installed wheel."""

from pathlib import Path

import pytest

from rearrange import assets
from rearrange.assets import asset_dir
from rearrange.errors import ConfigError


@pytest.mark.parametrize("kind", ["models", "soundfonts"])
def test_the_index_is_there(kind: str) -> None:
    assert (asset_dir(kind) / "index.toml").is_file()  # type: ignore[arg-type]


def test_the_wheels_copy_comes_first_and_nothing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "lib" / "python" / "rearrange"
    monkeypatch.setattr(assets, "_PACKAGE", package)
    with pytest.raises(ConfigError, match="models"):
        asset_dir("models")
    inside = package / "_assets" / "models"
    inside.mkdir(parents=True)
    (inside / "index.toml").write_text("")
    assert asset_dir("models") == inside
