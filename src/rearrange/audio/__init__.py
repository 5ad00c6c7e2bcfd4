"""Audio in and out: the value `Audio`, files of any format, resampling and loudness.

Conventions: samples are float32 `(channels, n_samples)`, full scale is ±1; loudness is ITU-R BS.1770-4 in
LUFS; true peak is dBTP. Files are read and written through PyAV (which bundles FFmpeg), Ogg Vorbis is
written through soundfile (FFmpeg's own Vorbis encoder is experimental), block-wise reading of our own
FLAC and WAV artefacts is soundfile's. Everything streams: an hour of stereo is held once, never twice.
"""

from rearrange.audio.loudness import loudness_lufs, true_peak_dbtp
from rearrange.audio.read import AudioInfo, audio_info, read_audio, read_blocks
from rearrange.audio.signal import Audio, resample
from rearrange.audio.write import AUDIO_FORMATS, AudioWriter, BitDepth, replacing, write_audio

__all__ = [
    "AUDIO_FORMATS",
    "Audio",
    "AudioInfo",
    "AudioWriter",
    "BitDepth",
    "audio_info",
    "loudness_lufs",
    "read_audio",
    "read_blocks",
    "replacing",
    "resample",
    "true_peak_dbtp",
    "write_audio",
]
