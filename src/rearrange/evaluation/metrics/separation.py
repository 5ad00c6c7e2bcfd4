"""Separation: how clean the stems are.

Conventions: estimate and reference start together. Decibels; more is better.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rearrange.audio import Audio
from rearrange.evaluation.measure import NotMeasurable

__all__ = ["SDR_CEILING_DB", "SDR_FLOOR_DB", "separation_sdr", "si_sdr"]

# A copy would be infinitely clean, an empty stem infinitely dirty: neither can stand in a mean.
SDR_CEILING_DB, SDR_FLOOR_DB = 100.0, -50.0
_SILENCE_DBFS = -60.0  # RMS of a second; hardly heard under other stems
_FRAME_S = 1.0


def si_sdr(reference: NDArray[np.floating], estimate: NDArray[np.floating]) -> float:
    """Scale-invariant signal-to-distortion ratio in dB, within SDR_FLOOR_DB and SDR_CEILING_DB.

    10 log10(|a s|² / |a s - e|²) with a = <s, e> / <s, s>: the part of the estimate e that is the reference s at
    some gain, against all the rest. Channels are taken as one signal, with one gain.

    Parameters
    ----------
    reference, estimate : of one shape, (n_samples,) or (channels, n_samples)

    Raises
    ------
    NotMeasurable : the reference is digital silence, or a sample is not a number.
    ValueError : the shapes differ.

    Source: J. Le Roux et al., "SDR - half-baked or well done?" (ICASSP 2019), without removal of the mean.
    """
    if reference.shape != estimate.shape:
        raise ValueError(f"estimate and reference differ in shape: {estimate.shape}, {reference.shape}")
    if not (np.isfinite(reference).all() and np.isfinite(estimate).all()):
        raise NotMeasurable("not a number in the audio")
    s, e = reference.astype(np.float64).ravel(), estimate.astype(np.float64).ravel()
    power = float(s @ s)
    if power == 0.0:
        raise NotMeasurable("the reference is silent")
    target = (float(s @ e) / power) * s
    rest = e - target
    wanted, unwanted = float(target @ target), float(rest @ rest)
    if wanted == 0.0:
        return SDR_FLOOR_DB
    if unwanted == 0.0:
        return SDR_CEILING_DB
    return float(np.clip(10.0 * np.log10(wanted / unwanted), SDR_FLOOR_DB, SDR_CEILING_DB))


def separation_sdr(reference: Mapping[str, Audio], estimate: Mapping[str, Audio]) -> dict[str, float]:
    """SI-SDR of every stem of the reference that sounds, over the whole excerpt.

    Silent stems: a stem of which no second reaches -60 dBFS (RMS) is left out, since there is nothing to be right
    about. A stem that rests for a while is measured over all of it, so that what leaks into its rests counts
    against it. A stem that the estimate lacks, or that is silent there, scores the floor. An estimate longer or
    shorter than its reference by up to a second is cut or filled with silence (separators pad); where one is mono
    and the other is not, both are folded to mono.

    Raises
    ------
    NotMeasurable : all stems of the reference are silent, or a sample is not a number.
    ValueError : an estimate differs in sample rate, or in length by more than a second.

    Source: `si_sdr`; the rule for silent stems is ours (mir_eval.separation refuses silent references outright).
    """
    scores: dict[str, float] = {}
    for name, truth in reference.items():
        if not _sounds(truth):
            continue
        stem = estimate.get(name)
        scores[name] = SDR_FLOOR_DB if stem is None else _stem_sdr(truth, stem)
    if not scores:
        raise NotMeasurable("every stem of the reference is silent")
    return scores


def _sounds(audio: Audio) -> bool:
    """Whether any second of a stem is loud enough to be heard."""
    if not np.isfinite(audio.samples).all():
        raise NotMeasurable("not a number in the audio")
    if audio.n_samples == 0:
        return False
    frame = max(int(_FRAME_S * audio.sample_rate), 1)
    power = np.square(audio.samples, dtype=np.float64).mean(axis=0)
    starts = np.arange(0, len(power), frame)
    loudest = (np.add.reduceat(power, starts) / np.minimum(frame, len(power) - starts)).max()
    return bool(loudest >= 10.0 ** (_SILENCE_DBFS / 10.0))


def _stem_sdr(reference: Audio, estimate: Audio) -> float:
    if reference.sample_rate != estimate.sample_rate:
        raise ValueError(f"sample rates differ: {estimate.sample_rate}, {reference.sample_rate}")
    missing = reference.n_samples - estimate.n_samples
    if abs(missing) > reference.sample_rate:
        raise ValueError(f"estimate and reference differ by {abs(missing) / reference.sample_rate:.1f} s")
    if reference.channels != estimate.channels:
        reference, estimate = reference.mono(), estimate.mono()
    samples = np.pad(estimate.samples, ((0, 0), (0, max(missing, 0))))[:, : reference.n_samples]
    return si_sdr(reference.samples, samples)
