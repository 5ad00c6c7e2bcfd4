"""Reading: what a listener would hear must arrive, and what is not audio must say so."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rearrange.audio import AUDIO_FORMATS, Audio, audio_info, read_audio, read_blocks, write_audio
from rearrange.errors import AudioFormatError


def tone(*, sample_rate: int = 44100, duration_s: float = 2.0, hz: tuple[float, ...] = (440.0, 660.0)) -> Audio:
    """One sine per channel, at half scale."""
    time_s = np.arange(int(sample_rate * duration_s)) / sample_rate
    return Audio(np.stack([0.5 * np.sin(2 * np.pi * f * time_s) for f in hz]).astype(np.float32), sample_rate)


def peak_hz(samples: np.ndarray, sample_rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * sample_rate / len(samples))


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_every_wav_depth_reads_at_its_level(tmp_path: Path, subtype: str) -> None:
    audio = tone()
    soundfile.write(tmp_path / "a.wav", audio.samples.T, 44100, subtype)
    read = read_audio(tmp_path / "a.wav")
    assert read.samples.shape == audio.samples.shape
    assert np.abs(read.samples - audio.samples).max() < (1 / 100 if subtype == "PCM_U8" else 1 / 30000)


@pytest.mark.parametrize("sample_rate", [8000, 11025, 22050, 48000, 96000, 192000])
def test_every_rate_reads_and_resamples_in_tune_and_in_time(tmp_path: Path, sample_rate: int) -> None:
    soundfile.write(tmp_path / "a.wav", tone(sample_rate=sample_rate).samples.T, sample_rate)
    assert read_audio(tmp_path / "a.wav").sample_rate == sample_rate
    audio = read_audio(tmp_path / "a.wav", sample_rate=44100)
    assert audio.sample_rate == 44100
    assert abs(audio.n_samples - 88200) <= 1
    inner = slice(2000, 86000)
    assert np.abs(audio.samples[:, inner] - tone().samples[:, inner]).max() < 2e-3


@pytest.mark.parametrize("channels", range(1, 9))
def test_every_number_of_channels_folds_to_stereo_without_clipping(tmp_path: Path, channels: int) -> None:
    samples = np.full((channels, 44100), 1.0, np.float32)
    soundfile.write(tmp_path / "a.wav", samples.T, 44100, "FLOAT")
    audio = read_audio(tmp_path / "a.wav")
    assert audio.channels == min(channels, 2)
    assert 0.5 < np.abs(audio.samples).max() <= 1.0 + 1e-6
    assert read_audio(tmp_path / "a.wav", mono=True).channels == 1
    assert read_audio(tmp_path / "a.wav", max_channels=8).channels == channels


def test_surround_keeps_its_sides(tmp_path: Path) -> None:
    samples = np.zeros((6, 44100), np.float32)  # FL FR FC LFE BL BR
    samples[4] = tone(duration_s=1.0).samples[0]
    soundfile.write(tmp_path / "a.wav", samples.T, 44100, "FLOAT")
    left, right = read_audio(tmp_path / "a.wav").samples
    assert np.abs(left).max() > 0.1
    assert np.abs(right).max() == 0.0


def test_mono_of_stereo_is_the_mean(tmp_path: Path) -> None:
    audio = tone()
    soundfile.write(tmp_path / "a.wav", audio.samples.T, 44100, "FLOAT")
    mono = read_audio(tmp_path / "a.wav", mono=True)
    np.testing.assert_allclose(mono.samples[0], audio.samples.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(audio.mono().samples, mono.samples, atol=1e-6)


@pytest.mark.parametrize("name", AUDIO_FORMATS)
def test_every_written_format_reads_back_in_tune_in_time_at_its_level(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"Über – 東京.{name}"
    write_audio(path, tone())
    audio = read_audio(path, sample_rate=44100)
    assert abs(audio.n_samples - 88200) < 2000
    for channel, hz in zip(audio.samples, (440.0, 660.0), strict=True):
        assert peak_hz(channel, 44100) == pytest.approx(hz, abs=1.0)
    inner = slice(8000, 80000)
    error = audio.samples[:, inner] - tone().samples[:, inner]
    assert np.sqrt(np.mean(error**2)) < 0.02  # a shift of two samples would be 0.05


def test_aiff_and_large_blocks_stream_to_the_same_samples(tmp_path: Path) -> None:
    audio = tone(duration_s=11.3)
    soundfile.write(tmp_path / "a.aiff", audio.samples.T, 44100, "PCM_24")
    np.testing.assert_allclose(read_audio(tmp_path / "a.aiff").samples, audio.samples, atol=1e-6)
    write_audio(tmp_path / "a.flac", audio, bit_depth="24")
    assert audio_info(tmp_path / "a.flac").duration_s == pytest.approx(11.3, abs=1e-3)
    blocks = list(read_blocks(tmp_path / "a.flac", block_s=2.0))
    assert len(blocks) == 6
    np.testing.assert_allclose(np.concatenate(blocks, axis=1), audio.samples, atol=1e-6)
    late = np.concatenate(list(read_blocks(tmp_path / "a.flac", start_s=10.0)), axis=1)
    np.testing.assert_allclose(late, audio.samples[:, 441000:], atol=1e-6)


def test_a_header_that_lies_about_the_length_does_no_harm(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone().samples.T, 44100)
    whole = (tmp_path / "a.wav").read_bytes()
    at = whole.index(b"data") + 4
    (tmp_path / "long.wav").write_bytes(whole[:at] + b"\xff\xff\xff\x7f" + whole[at + 4 :])
    assert read_audio(tmp_path / "long.wav").n_samples == 88200


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "ogg", "opus"])
def test_a_truncated_file_is_read_as_far_as_it_goes(tmp_path: Path, name: str) -> None:
    write_audio(tmp_path / f"a.{name}", tone(duration_s=6.0))
    path = tmp_path / f"cut.{name}"
    path.write_bytes((tmp_path / f"a.{name}").read_bytes()[: (tmp_path / f"a.{name}").stat().st_size // 2])
    audio = read_audio(path, sample_rate=44100)
    assert 2.0 < audio.duration_s < 5.0
    assert peak_hz(audio.samples[0, 4410:88200], 44100) == pytest.approx(440, abs=2)


def test_a_truncated_m4a_has_lost_its_index(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.m4a", tone(duration_s=6.0))
    whole = (tmp_path / "a.m4a").read_bytes()
    (tmp_path / "cut.m4a").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AudioFormatError, match=r"cut\.m4a"):
        read_audio(tmp_path / "cut.m4a")


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("empty.wav", b"", "empty"),
        ("text.wav", b"This is not music, it is a letter.\n" * 50, "not a sound file"),
        ("text.mp3", b"This is not music, it is a letter.\n" * 50, "not a sound file"),
        ("zeros.mp3", bytes(5000), "not a sound file"),
        ("picture.wav", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "not a sound file"),
        ("header.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ", "not a sound file"),
        # Formats that would make FFmpeg read other files or the network.
        ("playlist.wav", b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/passwd\n", "not a sound file"),
        ("concat.wav", b"ffconcat version 1.0\nfile /etc/passwd\n", "not a sound file"),
    ],
)
def test_what_is_not_audio_is_refused_by_name(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AudioFormatError, match=complaint) as caught:
        read_audio(tmp_path / name)
    assert name in caught.value.message


def test_missing_files_folders_and_random_bytes_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.wav", tmp_path):
        with pytest.raises(AudioFormatError):
            read_audio(path)
    (tmp_path / "noise.mp3").write_bytes(np.random.default_rng(1).bytes(20000))
    with pytest.raises(AudioFormatError):
        read_audio(tmp_path / "noise.mp3")
    with pytest.raises(AudioFormatError):
        audio_info(tmp_path / "noise.mp3")
    with pytest.raises(AudioFormatError):
        list(read_blocks(tmp_path / "none.flac"))


def test_a_wav_without_samples_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((0, 2)), 44100)
    with pytest.raises(AudioFormatError):
        read_audio(tmp_path / "a.wav")


def test_a_wrong_ending_is_read_by_its_content(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.flac", tone())
    shutil.copy(tmp_path / "a.flac", tmp_path / "a.mp3")
    assert read_audio(tmp_path / "a.mp3").n_samples == 88200


def test_a_few_samples_that_are_not_numbers_are_silenced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    samples = tone().samples.copy()
    samples[0, 100:110] = np.nan
    samples[1, 5000] = np.inf
    soundfile.write(tmp_path / "a.wav", samples.T, 44100, "FLOAT")
    with caplog.at_level(logging.WARNING):
        audio = read_audio(tmp_path / "a.wav")
    assert "11 samples" in caplog.text
    assert np.isfinite(audio.samples).all()
    assert not audio.samples[0, 100:110].any()


def test_many_samples_that_are_not_numbers_are_an_error(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full((44100, 2), np.nan), 44100, "FLOAT")
    with pytest.raises(AudioFormatError, match="not numbers"):
        read_audio(tmp_path / "a.wav")


def test_a_float_file_at_integer_scale_is_brought_to_full_scale(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone().samples.T * 32768, 44100, "FLOAT")
    assert np.abs(read_audio(tmp_path / "a.wav").samples).max() == pytest.approx(1.0)
    soundfile.write(tmp_path / "hot.wav", tone().samples.T * 3, 44100, "FLOAT")
    assert np.abs(read_audio(tmp_path / "hot.wav").samples).max() == pytest.approx(1.5, abs=0.01)


def test_progress_rises_to_one(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.flac", tone(duration_s=9.0))
    seen: list[float] = []
    read_audio(tmp_path / "a.flac", progress=lambda fraction, message: seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["wav", "mp3", "opus"])
def test_reading_a_part_gives_what_the_whole_begins_with(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"song.{name}"
    write_audio(path, tone(sample_rate=48000, duration_s=12.0), format=name)
    whole = read_audio(path, sample_rate=44100)
    part = read_audio(path, sample_rate=44100, until_s=3.5)
    assert part.n_samples == round(3.5 * 44100)
    np.testing.assert_allclose(part.samples, whole.samples[:, : part.n_samples], atol=1e-5)
    assert read_audio(path, until_s=60.0).duration_s == pytest.approx(12.0, abs=0.1)
