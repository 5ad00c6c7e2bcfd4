"""Fetching against a local server that misbehaves in every way that servers do."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from rearrange.errors import ConfigError, FetchError, ModelError, OutputError
from rearrange.models import weights
from rearrange.models.weights import ensure, fetch, find_model, list_models, verify

CONTENT = np.random.default_rng(0).bytes(600_000)
INDEX = f"""
[models.tiny]
kind = "separator"
family = "demucs"
description = "A test."
licence = "CC0"
size_mb = 0.6
url = "http://127.0.0.1:9/nowhere"
files = [{{ name = "a.th", sha256 = "{hashlib.sha256(CONTENT).hexdigest()[:8]}" }}]
"""


@dataclass
class Server:
    """What the next requests get, and what they asked for."""

    url: str = ""
    break_after: list[int] = field(default_factory=list)  # bytes, one entry per request
    status: list[int] = field(default_factory=list)
    ranges: bool = True
    content: bytes = CONTENT
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.asked.append(wanted)
            if state.status and (status := state.status.pop(0)) != 200:
                self.send_error(status)
                return
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and state.ranges else 0
            if wanted and state.ranges and start >= len(state.content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(state.content)}")
                self.end_headers()
                return
            body = state.content[start:]
            self.send_response(206 if wanted and state.ranges else 200)
            if wanted and state.ranges:
                total = len(state.content)
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            limit = state.break_after.pop(0) if state.break_after else len(body)
            self.wfile.write(body[:limit])

        def log_message(self, format: str, *args: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{httpd.server_address[1]}/models/"
    yield state
    httpd.shutdown()
    httpd.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "index.toml").write_text(INDEX)
    monkeypatch.setattr(weights, "asset_dir", lambda kind: assets)
    monkeypatch.setattr(weights, "_PAUSE_S", 0.0)
    monkeypatch.setenv("REARRANGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("REARRANGE_MODELS_URL", server.url)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    return tmp_path / "cache"


def contents(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.rglob("*") if path.is_file()}


def test_fetch_verify_and_do_not_fetch_again(server: Server, cache: Path) -> None:
    assert not find_model("tiny").installed
    seen: list[tuple[float, str]] = []
    folder = fetch("tiny", progress=lambda fraction, message: seen.append((fraction, message)))
    assert (folder / "a.th").read_bytes() == CONTENT
    assert contents(cache) == {"a.th": len(CONTENT)}
    assert "CC0" in seen[0][1]  # the licence, before anything is fetched
    assert [fraction for fraction, _ in seen] == sorted(fraction for fraction, _ in seen)
    assert seen[-1][0] == 1.0
    assert verify("tiny").installed
    assert ensure("tiny") == fetch("tiny") == folder
    assert server.asked == [None]


def test_a_broken_connection_is_taken_up_where_it_stopped(server: Server, cache: Path) -> None:
    server.break_after = [100_000, 250_000]
    assert (fetch("tiny") / "a.th").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=100000-", "bytes=350000-"]


def test_a_connection_that_keeps_breaking_ends_and_the_next_run_goes_on(server: Server, cache: Path) -> None:
    server.break_after = [50_000] * 4
    with pytest.raises(FetchError, match="broke off") as caught:
        fetch("tiny")
    assert "200000" in caught.value.hint
    assert contents(cache) == {"a.th.part": 200_000}
    assert not find_model("tiny").installed
    fetch("tiny")
    assert server.asked[-1] == "bytes=200000-"
    verify("tiny")


def test_a_server_without_ranges_starts_again(server: Server) -> None:
    server.ranges = False
    server.break_after = [100_000]
    seen: list[float] = []
    fetch("tiny", progress=lambda fraction, message: seen.append(fraction))
    assert seen == sorted(seen)
    verify("tiny")


def test_a_complete_part_needs_no_more(server: Server, cache: Path) -> None:
    folder = find_model("tiny").folder
    folder.mkdir(parents=True)
    (folder / "a.th.part").write_bytes(CONTENT)
    fetch("tiny")
    verify("tiny")


def test_a_part_of_something_else_is_thrown_away(server: Server, cache: Path) -> None:
    folder = find_model("tiny").folder
    folder.mkdir(parents=True)
    (folder / "a.th.part").write_bytes(bytes(len(CONTENT) + 5))
    fetch("tiny")
    verify("tiny")


def test_a_wrong_checksum_leaves_nothing(server: Server, cache: Path) -> None:
    server.content = CONTENT[:-1] + b"?"
    with pytest.raises(FetchError, match="sha256"):
        fetch("tiny")
    assert contents(cache) == {}


def test_not_found_says_so_at_once(server: Server) -> None:
    server.status = [404]
    with pytest.raises(FetchError, match="404"):
        fetch("tiny")
    assert len(server.asked) == 1


def test_a_busy_server_is_asked_again(server: Server) -> None:
    server.status = [503, 429]
    fetch("tiny")
    assert len(server.asked) == 3


def test_no_connection_and_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REARRANGE_MODELS_URL", "http://127.0.0.1:9/")
    with pytest.raises(FetchError, match="127"):
        fetch("tiny")
    monkeypatch.setenv("REARRANGE_MODELS_URL", "ftp://somewhere")
    with pytest.raises(FetchError, match="REARRANGE_MODELS_URL"):
        fetch("tiny")


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REARRANGE_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="cannot be written"):
        fetch("tiny")


def test_two_processes_do_not_fill_the_same_file(cache: Path) -> None:
    folder = find_model("tiny").folder
    with weights._opened_alone(folder / "a.th.part"), pytest.raises(FetchError, match="another process"):
        fetch("tiny")


def test_verify_names_what_is_missing_or_damaged(server: Server) -> None:
    with pytest.raises(ModelError, match="missing"):
        verify("tiny")
    (fetch("tiny") / "a.th").write_bytes(b"damaged")
    with pytest.raises(ModelError, match="damaged"):
        verify("tiny")
    fetch("tiny")  # mends it
    verify("tiny")
    with pytest.raises(ModelError, match="tiny"):
        verify("unknown")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('kind = "separator"', 'kind = "toaster"', "kind"),
        ('licence = "CC0"', "", "licence"),
        ('licence = "CC0"', 'license = "CC0"', "licence"),
        ('name = "a.th"', 'name = "../a.th"', "plain file name"),
        ("http://127.0.0.1:9/nowhere", "ftp://x", "url"),
        ("size_mb = 0.6", "size_mb = 0.6\ncolour = 1", "colour"),
        (hashlib.sha256(CONTENT).hexdigest()[:8], "xyz", "hexadecimal"),
    ],
)
def test_a_wrong_index_names_file_line_and_key(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    path = tmp_path / "index.toml"
    path.write_text(INDEX.replace(old, new))
    with pytest.raises(ConfigError, match=complaint) as caught:
        list_models(index=path)
    assert "index.toml, line" in caught.value.message


def test_the_cache_is_where_the_system_puts_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("REARRANGE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert find_model("tiny").folder == tmp_path / "rearrange" / "models" / "tiny"
    monkeypatch.setattr("sys.platform", "darwin")
    assert find_model("tiny").folder.parts[-5:-2] == ("Library", "Caches", "rearrange")
