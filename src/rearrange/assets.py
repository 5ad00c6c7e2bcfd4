"""Where the declared assets lie: `models/` and `soundfonts/` of a checkout, or the copies inside the wheel."""

from pathlib import Path
from typing import Literal

from rearrange.errors import ConfigError

__all__ = ["asset_dir"]

_PACKAGE = Path(__file__).parent


def asset_dir(kind: Literal["models", "soundfonts"]) -> Path:
    """Return the folder that holds the `index.toml` of models or of soundfonts.

    Raises
    ------
    ConfigError : the installation is incomplete.
    """
    # pyproject.toml puts the folders of the repository's root under _assets in a wheel.
    for folder in (_PACKAGE / "_assets" / kind, _PACKAGE.parents[1] / kind):
        if (folder / "index.toml").is_file():
            return folder
    raise ConfigError(f"{kind}/index.toml is missing from this installation", "install rearrange again")
