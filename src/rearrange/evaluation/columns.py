"""What is measured, declared: each figure's heading, direction and meaning, and which table shows it."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["COLUMNS", "Column", "column"]


@dataclass(frozen=True, slots=True)
class Column:
    """One figure. `better` is higher, lower or neither (a range, or a description); `digits` after the point."""

    name: str
    heading: str
    better: str
    digits: int
    meaning: str


_DECLARED = (
    # the song
    Column("content", "content", "higher", 3, "chroma of the result against the source's, cosine, 2-beat windows"),
    Column(
        "melody", "melody F1", "higher", 3, "the source's melody notes found in the result's melody, octave-folded"
    ),
    Column("chords", "chords", "higher", 3, "chords heard in the result's notes against the source's, majmin"),
    Column("sevenths", "sevenths", "higher", 3, "the same with sevenths"),
    Column("key", "key", "higher", 3, "key heard in the result against the source's, mir_eval's weights"),
    Column(
        "content_audio", "content (sound)", "higher", 3, "chroma of the result's notes against the source's sound"
    ),
    # the genre
    Column("genre", "genre", "higher", 3, "the judge's probability of the target genre"),
    Column("people", "people", "neither", 3, "what the judge says of people's own playing of that genre, unseen"),
    Column("genre_hit", "named", "higher", 3, "how often the judge names the target genre first"),
    Column("rhythm", "rhythm alone", "higher", 3, "the judge's probability from drums and onsets alone"),
    Column("style_fit", "style fit", "higher", 3, "cosine of style histograms against independent references"),
    # variety
    Column("distinct", "distinct bars", "neither", 3, "different rhythms per bar of a part, mean of the parts"),
    Column("groove", "groove sim.", "neither", 3, "likeness of neighbouring bars' rhythms"),
    Column("micro_timing_ms", "micro-timing", "neither", 1, "spread of onsets around the grid, ms"),
    Column("velocity_spread", "velocity", "neither", 1, "spread of velocities within a part"),
    # ears
    Column("sdr_drums", "drums", "higher", 1, "SI-SDR in dB"),
    Column("sdr_bass", "bass", "higher", 1, "SI-SDR in dB"),
    Column("sdr_other", "other", "higher", 1, "SI-SDR in dB"),
    Column("sdr_vocals", "vocals", "higher", 1, "SI-SDR in dB"),
    Column("notes_all", "all notes", "higher", 3, "onset F1, 50 ms, every pitched note of the band"),
    Column("notes_bass", "bass", "higher", 3, "onset F1, 50 ms"),
    Column("notes_other", "chords", "higher", 3, "onset F1, 50 ms"),
    Column("notes_vocals", "melody", "higher", 3, "onset F1, 50 ms"),
    Column("notes_all_offset", "with offsets", "higher", 3, "onset and offset F1"),
    Column("drums_kick", "kick", "higher", 3, "F1, 50 ms"),
    Column("drums_snare", "snare", "higher", 3, "F1, 50 ms"),
    Column("drums_hat", "hat", "higher", 3, "F1, 50 ms"),
    Column("drums_tom", "tom", "higher", 3, "F1, 50 ms"),
    Column("drums_crash", "crash", "higher", 3, "F1, 50 ms"),
    Column("drums_ride", "ride", "higher", 3, "F1, 50 ms"),
    Column("drums_mean", "three voices", "higher", 3, "mean F1 of kick, snare and hat"),
    Column("beats", "beats", "higher", 3, "F1, 70 ms"),
    Column("cmlt", "CMLt", "higher", 3, "share of beats at the right level and phase"),
    Column("amlt", "AMLt", "higher", 3, "the same, half and double tempo and off-beats allowed"),
    Column("downbeats", "downbeats", "higher", 3, "F1, 70 ms"),
    Column("tempo", "tempo", "higher", 3, "Acc1: within 8 %"),
    Column("tempo_octave", "tempo, octaves", "higher", 3, "Acc2: half, double and triple allowed"),
    Column("boundaries", "boundaries", "higher", 3, "section borders, F1, 3 s"),
    # sound
    Column("loudness_lufs", "LUFS", "neither", 1, "integrated loudness"),
    Column("true_peak_dbtp", "dBTP", "lower", 1, "true peak"),
    Column("silence", "silence", "lower", 3, "share of the time below −60 dB"),
    Column("clipping", "clipping", "lower", 5, "share of samples at full scale"),
    Column("spectral_distance", "spectral dist.", "neither", 2, "multi-scale, to the source"),
    Column("chroma_midi", "sound to MIDI", "higher", 3, "chroma of the sound against its own notes"),
    Column("chroma_source", "sound to source", "higher", 3, "beat-synchronous chroma of result against source"),
    Column("genre_heard", "genre heard", "higher", 3, "the judge on what our ears hear in the result's sound"),
    Column("melody_heard", "melody heard", "higher", 3, "melody of the source, as heard, in the result, as heard"),
    # the judge itself
    Column("judge_accuracy", "accuracy", "higher", 3, "how often it names the right genre, of people's playing"),
    Column("judge_separation", "separation", "higher", 3, "area under the ROC curve: this genre against the rest"),
    Column("judge_people", "people", "higher", 3, "mean probability of the right genre, of people's playing"),
    # cost: seconds per second of song
    Column("rtf_separate", "separate", "lower", 3, "seconds per second of song"),
    Column("rtf_transcribe", "transcribe", "lower", 3, "seconds per second of song"),
    Column("rtf_analyse", "analyse", "lower", 3, "seconds per second of song"),
    Column("rtf_arrange", "arrange", "lower", 3, "seconds per second of song"),
    Column("rtf_render", "render", "lower", 3, "seconds per second of song"),
    Column("rtf_mix", "mix", "lower", 3, "seconds per second of song"),
    Column("rtf", "all", "lower", 3, "seconds per second of song, start included"),
    Column("memory_gib", "GiB", "lower", 2, "peak memory"),
)

COLUMNS: Mapping[str, Column] = {declared.name: declared for declared in _DECLARED}


def column(name: str) -> Column:
    """The column of that name.

    Raises
    ------
    KeyError : it is not declared.
    """
    return COLUMNS[name]
