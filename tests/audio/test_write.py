"""Writing: exact where it should be, dithered where it must be, and never half a file."""

import logging
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest

from rearrange.audio import (
    AUDIO_FORMATS,
    Audio,
    AudioWriter,
    loudness_lufs,
    read_audio,
    true_peak_dbtp,
    write_audio,
)
from rearrange.errors import OutputError, UsageError
from tests.audio.test_read import tone


@contextmanager
def full_disk(n_bytes: int) -> Iterator[None]:
    """No file may grow beyond n_bytes: the kernel refuses as it would on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("name", "depth", "error"),
    [
        ("wav", "16", 2.5 / 2**15),
        ("wav", "24", 1 / 2**23),
        ("wav", "32f", 0.0),
        ("flac", "16", 2.5 / 2**15),
        ("flac", "24", 1 / 2**23),
    ],
)
def test_exact_formats_are_exact_to_their_depth(tmp_path: Path, name: str, depth: str, error: float) -> None:
    audio = tone(duration_s=11.0)
    write_audio(tmp_path / f"a.{name}", audio, bit_depth=depth)  # type: ignore[arg-type]
    read = read_audio(tmp_path / f"a.{name}")
    assert np.abs(read.samples - audio.samples).max() <= error
    with av.open(str(tmp_path / f"a.{name}")) as container:
        coder = container.streams.audio[0].codec_context.name
    expected = {"16": "pcm_s16le", "24": "pcm_s24le", "32f": "pcm_f32le"}[depth] if name == "wav" else "flac"
    assert coder == expected


def test_sixteen_bits_are_dithered_below_the_last_bit(tmp_path: Path) -> None:
    """A tone of half a step would vanish by rounding; dithered it is still there."""
    time_s = np.arange(44100) / 44100
    quiet = Audio((0.4 / 2**15 * np.sin(2 * np.pi * 1000 * time_s)).astype(np.float32)[None], 44100)
    write_audio(tmp_path / "a.wav", quiet)
    read = read_audio(tmp_path / "a.wav").samples[0]
    spectrum = np.abs(np.fft.rfft(read))
    assert spectrum[1000] > 10 * np.median(spectrum)
    # TPDF: the noise does not depend on the signal, a quarter step squared of power from dither and rounding
    assert np.std(read) == pytest.approx(0.5 / 2**15, rel=0.2)


def test_the_same_audio_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        write_audio(tmp_path / name, tone())
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_beyond_full_scale_is_clipped_and_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    loud = Audio(tone().samples * 3, 44100)
    with caplog.at_level(logging.WARNING):
        write_audio(tmp_path / "a.wav", loud)
    assert "clipped" in caplog.text
    read = read_audio(tmp_path / "a.wav").samples
    assert read.max() == pytest.approx(1.0, abs=1e-4)
    assert read.min() == pytest.approx(-1.0, abs=1e-4)
    write_audio(tmp_path / "b.wav", loud, bit_depth="32f")
    assert np.abs(read_audio(tmp_path / "b.wav").samples).max() == pytest.approx(1.5, abs=1e-3)


@pytest.mark.parametrize("name", ["mp3", "opus", "m4a", "ogg"])
def test_the_bitrate_is_about_what_was_asked_for(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (2, 44100 * 8)).astype(np.float32)
    sizes = {}
    for kbps in (96, 192):
        write_audio(tmp_path / f"{kbps}.{name}", Audio(noise, 44100), bitrate_kbps=kbps)
        sizes[kbps] = (tmp_path / f"{kbps}.{name}").stat().st_size * 8 / 8 / 1000
        assert sizes[kbps] == pytest.approx(kbps, rel=0.25)
    assert sizes[192] > 1.5 * sizes[96]


def test_sample_rate_is_chosen_or_the_nearest_that_the_format_has(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", tone(), sample_rate=22050)
    assert read_audio(tmp_path / "a.wav").sample_rate == 22050
    write_audio(tmp_path / "a.mp3", tone(sample_rate=96000))
    assert read_audio(tmp_path / "a.mp3").sample_rate == 48000
    write_audio(tmp_path / "b.wav", tone(sample_rate=11025), format="opus")
    assert read_audio(tmp_path / "b.wav").sample_rate == 48000  # Opus always decodes at 48 kHz
    with pytest.raises(UsageError, match="44100"):
        write_audio(tmp_path / "a.opus", tone(), sample_rate=44100)


def test_loudness_is_what_was_asked_for_unless_it_would_clip(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_audio(tmp_path / "a.wav", tone(duration_s=4.0), loudness_lufs=-20.0)
    assert loudness_lufs(read_audio(tmp_path / "a.wav")) == pytest.approx(-20, abs=0.1)
    with caplog.at_level(logging.WARNING):
        write_audio(tmp_path / "b.wav", tone(duration_s=4.0), loudness_lufs=3.0)
    assert "would clip" in caplog.text
    assert true_peak_dbtp(read_audio(tmp_path / "b.wav")) == pytest.approx(-1.0, abs=0.05)
    silence = Audio(np.zeros((2, 44100), np.float32), 44100)
    write_audio(tmp_path / "c.flac", silence, loudness_lufs=-14.0)
    assert np.abs(read_audio(tmp_path / "c.flac").samples).max() < 2 / 2**15


@pytest.mark.parametrize(
    "options",
    [
        {"format": "xyz"},
        {"format": "flac", "bit_depth": "32f"},
        {"format": "mp3", "bit_depth": "16"},
        {"format": "wav", "bitrate_kbps": 128},
        {"format": "mp3", "bitrate_kbps": 5000},
    ],
)
def test_options_that_a_format_does_not_have_are_errors(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        write_audio(tmp_path / "a", tone(), **options)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_eight_channels_go_into_wav_and_not_into_mp3(tmp_path: Path) -> None:
    wide = tone(hz=(100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0))
    write_audio(tmp_path / "a.wav", wide, bit_depth="24")
    read = read_audio(tmp_path / "a.wav", max_channels=8)
    np.testing.assert_allclose(read.samples, wide.samples, atol=1e-6)
    with pytest.raises(UsageError, match="8 channels"):
        write_audio(tmp_path / "a.mp3", wide)


@pytest.mark.parametrize("name", AUDIO_FORMATS)
def test_a_full_disk_leaves_the_old_file_as_it_was(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"a.{name}"
    path.write_bytes(b"what was there before")
    noise = np.random.default_rng(0).normal(0, 0.1, (2, 44100 * 6)).astype(np.float32)
    with full_disk(30_000), pytest.raises(OutputError):
        write_audio(path, Audio(noise, 44100))
    assert path.read_bytes() == b"what was there before"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match="cannot be written"):
        write_audio(tmp_path / "file" / "a.wav", tone())


def test_a_writer_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), AudioWriter(tmp_path / "a.flac", 44100, 2) as writer:  # noqa: PT012
        writer.write(tone().samples)
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_a_writer_appends_blocks_of_any_size(tmp_path: Path) -> None:
    audio = tone()
    with AudioWriter(tmp_path / "a.flac", 44100, 2) as writer:
        for start, stop in ((0, 1), (1, 1), (1, 50000), (50000, 88200)):
            writer.write(audio.samples[:, start:stop])
    assert writer.n_samples == 88200
    assert not writer.n_clipped
    np.testing.assert_allclose(read_audio(tmp_path / "a.flac").samples, audio.samples, atol=1e-6)
    with pytest.raises(ValueError, match="closed"):
        writer.write(audio.samples)


def test_an_empty_recording_and_a_single_sample_can_be_written(tmp_path: Path) -> None:
    write_audio(tmp_path / "none.wav", Audio(np.zeros((1, 0), np.float32), 44100))
    write_audio(tmp_path / "one.flac", Audio(np.full((1, 1), 0.5, np.float32), 44100), bit_depth="24")
    assert read_audio(tmp_path / "one.flac").samples.tolist() == [[0.5]]
