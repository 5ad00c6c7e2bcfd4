"""The weights of the linear model of metre: log odds per unit of each feature of `metre.metre_features`.

From sound and from notes apart, since the cues of the two differ in sharpness.

Source: softmax regression (L2 0.01 on standardised features) over all hypotheses of each of some 560 excerpts of
40 s, a reading being right if its beats reach F1 0.85 and its downbeats 0.75. Rendered sound, and notes both exact
and with the errors of a transcription: Groove MIDI, Freedoom, POP909 alone and with drums and bass (their chords
on and before the beat), OpenScore Lieder, and 90 generated songs in 6/8 and 3/4, which the others lack. The
recordings of MDB Drums, on which beats are measured, took no part. Five-fold cross-validation by song, beat F1: sound 0.81, notes 0.85, both 0.87;
metre right: 0.88, 0.91, 0.91.
"""

from collections.abc import Mapping

__all__ = ["SOURCES", "WEIGHTS"]

SOURCES = ("sound", "notes")

WEIGHTS: Mapping[str, tuple[float, float]] = {
    "bar_line_all_long": (2.65, 1.79),
    "bar_line_all_short": (8.11, 3.91),
    "bar_line_bass_long": (9.69, 0.38),
    "bar_line_bass_short": (0.85, -1.14),
    "compound_thirds_high": (1.07, 0.80),
    "compound_thirds_low": (0.29, 0.27),
    "compound_thirds_mid": (0.31, 1.38),
    "downbeat_bass": (-0.23, 0.29),
    "downbeat_harmony": (1.09, 0.70),
    "downbeat_high": (-0.04, 0.07),
    "downbeat_low": (1.34, 1.06),
    "downbeat_mid": (-0.87, -0.39),
    "halfway_three_bass": (0.84, -0.81),
    "halfway_three_harmony": (-1.06, -0.71),
    "halfway_three_high": (-0.28, -0.20),
    "halfway_three_low": (-0.24, -0.18),
    "halfway_three_mid": (-0.01, -0.04),
    "halfway_two_bass": (1.65, 2.18),
    "halfway_two_harmony": (2.23, 1.70),
    "halfway_two_high": (-0.06, 0.54),
    "halfway_two_low": (0.31, 0.21),
    "halfway_two_mid": (0.74, 1.11),
    "late_high": (-0.10, -0.03),
    "late_low": (0.46, 1.14),
    "late_mid": (0.57, 0.54),
    "middle_bass": (0.04, 0.01),
    "middle_harmony": (0.57, 0.59),
    "middle_high": (0.23, -0.16),
    "middle_low": (0.48, 0.16),
    "middle_mid": (-1.12, -0.86),
    "octaves": (-0.35, -0.44),
    "octaves_squared": (-2.91, -2.44),
    "on_bass": (0.96, -0.99),
    "on_harmony": (1.39, 2.29),
    "on_high": (1.61, 1.12),
    "on_low": (2.01, 2.50),
    "on_mid": (0.29, 0.57),
    "repeats_bar": (3.84, 2.77),
    "repeats_two": (-0.10, -0.08),
    "repeats_two_bars": (2.87, 1.42),
    "thirds_high": (-0.47, -0.65),
    "thirds_low": (-0.42, -0.64),
    "thirds_mid": (-0.54, -0.48),
    "three": (-1.09, -1.09),
    "three_octaves": (1.16, 1.20),
    "two": (-1.74, -1.72),
    "two_octaves": (-2.07, -1.82),
    "two_octaves_squared": (1.12, 0.78),
}
