"""Models by name: what models/index.toml declares, and fetching, verifying and finding their files.

Files are fetched once into the cache (`REARRANGE_CACHE`, or the user's cache folder), under a `.part` name
until their sha256 is right. A connection that breaks is taken up again where it stopped, within a run and
between runs. `REARRANGE_MODELS_URL` replaces the declared addresses: a mirror. Files put into the folder by
hand are as good. Nothing is fetched but by `fetch` and `ensure`.
"""

import hashlib
import logging
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO

from rearrange.assets import asset_dir
from rearrange.declared import Table, read_table
from rearrange.errors import ConfigError, FetchError, ModelError, OutputError
from rearrange.progress import Progress, silent, span

__all__ = ["ModelInfo", "WeightFile", "ensure", "fetch", "find_model", "list_models", "verify"]

logger = logging.getLogger(__name__)

_KINDS = ("separator", "transcriber", "arranger", "synthesiser", "critic")
_TIMEOUT_S = 30.0
_ATTEMPTS = 4
_PAUSE_S = 1.0  # before the second attempt; doubled for each further one
_CHUNK = 1 << 18
_MIN_DIGITS = 8
_TEMPORARY = (408, 429)  # the client's errors that a second attempt may cure


@dataclass(frozen=True)
class WeightFile:
    """A file of a model; `sha256` may be the first digits only."""

    name: str
    sha256: str


@dataclass(frozen=True)
class ModelInfo:
    """A model that is known by name."""

    name: str
    kind: str
    family: str
    description: str
    licence: str
    size_mb: float
    url: str
    files: tuple[WeightFile, ...]

    @property
    def folder(self) -> Path:
        """Where its files lie once fetched."""
        return _cache_dir() / "models" / self.name

    @property
    def installed(self) -> bool:
        """Whether all files are there; their contents are `verify`'s business."""
        return all((self.folder / file.name).is_file() for file in self.files)


def list_models(*, index: Path | None = None) -> tuple[ModelInfo, ...]:
    """Return the declared models, in the order of models/index.toml.

    Raises
    ------
    ConfigError : the index is wrong; names file, line and key.
    """
    root = read_table(index or asset_dir("models") / "index.toml", ConfigError)
    models = root.table("models")
    infos = tuple(_parse_model(name, models.table(name)) for name in list(models.keys()))
    root.finish()
    return infos


def find_model(name: str) -> ModelInfo:
    """Return the declared model of that name.

    Raises
    ------
    ModelError : there is none.
    """
    infos = list_models()
    for info in infos:
        if info.name == name:
            return info
    raise ModelError(f"no model is called {name!r}", f"one of {', '.join(info.name for info in infos)}")


def ensure(name: str, *, progress: Progress = silent) -> Path:
    """Return the folder of a model's files, fetching what is missing.

    Raises
    ------
    As `fetch`.
    """
    info = find_model(name)
    return info.folder if info.installed else fetch(name, progress=progress)


def fetch(name: str, *, progress: Progress = silent) -> Path:
    """Fetch the files of a model that are missing or damaged, and return their folder.

    The licence is logged and is the first progress message.

    Raises
    ------
    FetchError : no connection, not found, broken off for good, or a wrong checksum.
    ModelError : there is no model of that name.
    OutputError : the cache cannot be written.
    """
    info = find_model(name)
    logger.info("%s: %s", info.name, info.licence)
    progress(0.0, f"fetching {info.name}, {info.size_mb:.0f} MB ({info.licence})")
    base = os.environ.get("REARRANGE_MODELS_URL") or info.url
    if info.files and not base.startswith(("https://", "http://")):
        raise FetchError(f"REARRANGE_MODELS_URL is {base!r}", "it must start with https:// or http://")
    for i, file in enumerate(info.files):
        target = info.folder / file.name
        part = span(progress, i / len(info.files), (i + 1) / len(info.files))
        if target.is_file() and _has_checksum(target, file.sha256):
            continue
        _fetch_file(f"{base.rstrip('/')}/{file.name}", target, file, part)
    progress(1.0, f"{info.name} is there")
    return info.folder


def verify(name: str) -> ModelInfo:
    """Read a model's files and compare their checksums.

    Raises
    ------
    ModelError : no such model, or a file is missing or damaged.
    """
    info = find_model(name)
    for file in info.files:
        path = info.folder / file.name
        if not path.is_file():
            raise ModelError(f"{name}: {path} is missing", f"rearrange models fetch {name}")
        if not _has_checksum(path, file.sha256):
            raise ModelError(f"{name}: {path} is damaged", f"rearrange models fetch {name}")
    return info


def _parse_model(name: str, table: Table) -> ModelInfo:
    files = []
    for entry in table.tables("files"):
        file = WeightFile(entry.string("name"), entry.string("sha256").lower())
        entry.finish()
        if Path(file.name).name != file.name:
            raise entry.fail("name", f"{file.name!r} is not a plain file name")
        if len(file.sha256) < _MIN_DIGITS or set(file.sha256) - set("0123456789abcdef"):
            raise entry.fail("sha256", f"must be at least {_MIN_DIGITS} hexadecimal digits")
        files.append(file)
    url = table.string("url", "")
    if files and not url.startswith(("https://", "http://")):
        raise table.fail("url", "must start with https:// or http://")
    info = ModelInfo(
        name=name,
        kind=table.string("kind", one_of=_KINDS),
        family=table.string("family"),
        description=table.string("description"),
        licence=table.string("licence"),
        size_mb=table.number("size_mb", 0.0, low=0, high=1e6),
        url=url,
        files=tuple(files),
    )
    table.finish()
    return info


def _cache_dir() -> Path:
    if chosen := os.environ.get("REARRANGE_CACHE"):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "rearrange"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rearrange"


def _has_checksum(path: Path, sha256: str) -> bool:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().startswith(sha256)


def _fetch_file(url: str, target: Path, file: WeightFile, progress: Progress) -> None:
    by_hand = f"or put {file.name} into {target.parent}"
    part = target.with_name(target.name + ".part")
    highest = 0.0

    def rising(fraction: float, message: str) -> None:  # a download that starts anew does not go back
        nonlocal highest
        highest = max(highest, fraction)
        progress(highest, message)

    with _opened_alone(part) as out:
        for attempt in range(_ATTEMPTS):
            try:
                if _continue(url, out, file.name, rising):
                    break
                reason = "the connection broke off"
            except urllib.error.HTTPError as exc:
                exc.close()
                if exc.code < 500 and exc.code not in _TEMPORARY:
                    raise FetchError(f"{url}: the server answers {exc.code} {exc.reason}", by_hand) from exc
                reason = f"the server answers {exc.code}"
            except urllib.error.URLError as exc:  # no connection at all
                raise FetchError(f"{url}: {exc.reason}", f"is there a connection? {by_hand}") from exc
            except (HTTPException, OSError) as exc:
                reason = f"the connection broke off: {str(exc) or type(exc).__name__}"
            if attempt == _ATTEMPTS - 1:
                raise FetchError(f"{url}: {reason}", f"again, it goes on from {out.tell()} bytes; {by_hand}")
            logger.info("%s: %s; trying again", url, reason)
            time.sleep(_PAUSE_S * 2**attempt)
    if not _has_checksum(part, file.sha256):
        part.unlink()
        raise FetchError(f"{url}: its sha256 is not {file.sha256}; deleted", f"try a mirror, {by_hand}")
    part.replace(target)


@contextmanager
def _opened_alone(part: Path) -> Iterator[BinaryIO]:
    """Open a partial file for appending; two processes must not fill the same one."""
    import fcntl

    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        out = part.open("ab")
    except OSError as exc:
        raise OutputError(f"{part}: cannot be written: {exc.strerror or exc}") from exc
    with out:
        try:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise FetchError(f"{part.name} is being fetched by another process", "wait for it") from exc
        yield out


def _continue(url: str, out: BinaryIO, name: str, progress: Progress) -> bool:
    """Append to `out` what the server has beyond its end; return whether the file is then complete."""
    have = out.seek(0, os.SEEK_END)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as exc:
        if exc.code != 416:  # nothing lies beyond our end: complete, or another file's remains
            raise
        exc.close()
        if exc.headers.get("Content-Range", "").strip() == f"bytes */{have}":
            return True
        out.truncate(0)
        return False
    with response:
        if have and (
            response.status != 206 or not response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        ):
            out.truncate(0)  # the server starts from the beginning
            have = 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        while chunk := response.read(_CHUNK):
            try:
                out.write(chunk)
                out.flush()
            except OSError as exc:
                raise OutputError(f"{out.name}: cannot be written: {exc.strerror or exc}") from exc
            have += len(chunk)
            progress(have / total if total else 0.0, f"fetching {name}, {have / 1e6:.1f} MB")
    return total is None or have >= total
