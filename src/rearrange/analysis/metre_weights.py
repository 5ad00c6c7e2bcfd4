"""The weights of the linear model of metre: log odds per unit of each feature of `metre.metre_features`.

From sound and from notes apart, since the cues of the two differ in sharpness.

Source: softmax regression (L2 0.01 on standardised features) over all hypotheses of each of some 560 excerpts of
40 s, a reading being right if its beats reach F1 0.85 and its downbeats 0.75. Rendered sound, and notes both exact
and with the errors of a transcription: Groove MIDI, Freedoom, POP909 alone and with drums and bass (their chords
on and before the beat), OpenScore Lieder, and 90 generated songs in 6/8 and 3/4, which the others lack. The
recordings of MDB Drums, on which beats are measured, took no part. Songs in 3/4 count 1.5, being few.

Five-fold cross-validation by excerpt, beat F1: sound 0.81, notes 0.84, both 0.87; metre right: 0.89, 0.91, 0.91 (a
little too good: a song of POP909 could be in one fold alone and in another with a band).

They were fitted before songs were held out (`evaluation/sets`): their excerpts are likely to hold nearly all of
the Freedoom songs that now measure, and a sixth of those of POP909. `training/metre.py` is the recipe, sees none
of them, and says how its weights compare and why they have not taken the place of these.
"""

from collections.abc import Mapping

__all__ = ["SOURCES", "WEIGHTS"]

SOURCES = ("sound", "notes")

WEIGHTS: Mapping[str, tuple[float, float]] = {
    "bar_line_all_long": (2.41, 1.75),
    "bar_line_all_short": (8.15, 4.03),
    "bar_line_bass_long": (8.56, 0.34),
    "bar_line_bass_short": (2.16, -1.02),
    "compound_thirds_high": (1.01, 0.78),
    "compound_thirds_low": (0.28, 0.24),
    "compound_thirds_mid": (0.32, 1.36),
    "downbeat_bass": (-0.22, 0.32),
    "downbeat_harmony": (1.14, 0.71),
    "downbeat_high": (-0.03, 0.06),
    "downbeat_low": (1.37, 1.09),
    "downbeat_mid": (-0.87, -0.36),
    "halfway_three_bass": (0.88, -0.78),
    "halfway_three_harmony": (-1.13, -0.80),
    "halfway_three_high": (-0.29, -0.20),
    "halfway_three_low": (-0.29, -0.24),
    "halfway_three_mid": (0.07, 0.02),
    "halfway_two_bass": (1.70, 2.14),
    "halfway_two_harmony": (2.22, 1.76),
    "halfway_two_high": (-0.01, 0.67),
    "halfway_two_low": (0.53, 0.28),
    "halfway_two_mid": (0.65, 1.10),
    "late_high": (-0.03, -0.00),
    "late_low": (0.46, 1.17),
    "late_mid": (0.59, 0.57),
    "middle_bass": (0.03, 0.02),
    "middle_harmony": (0.58, 0.58),
    "middle_high": (0.21, -0.16),
    "middle_low": (0.47, 0.16),
    "middle_mid": (-1.12, -0.88),
    "octaves": (-0.36, -0.45),
    "octaves_squared": (-2.94, -2.46),
    "on_bass": (0.95, -0.89),
    "on_harmony": (1.40, 2.25),
    "on_high": (1.65, 1.15),
    "on_low": (2.06, 2.51),
    "on_mid": (0.34, 0.62),
    "repeats_bar": (4.16, 2.97),
    "repeats_two": (-0.11, -0.03),
    "repeats_two_bars": (2.73, 1.50),
    "thirds_high": (-0.49, -0.67),
    "thirds_low": (-0.40, -0.64),
    "thirds_mid": (-0.53, -0.48),
    "three": (-0.81, -0.88),
    "three_octaves": (1.22, 1.24),
    "two": (-1.77, -1.73),
    "two_octaves": (-1.99, -1.75),
    "two_octaves_squared": (1.14, 0.77),
}
