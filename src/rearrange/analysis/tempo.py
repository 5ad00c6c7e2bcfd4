"""How fast: the tempo over time, and the metrical levels that could be the beat.

Conventions: a *period* is the time from beat to beat in seconds; tempo in beats per minute is 60 / period. The
*tempogram* is the normalised autocorrelation of the onset strength in windows of `WINDOW_S`, one every
`HOP_S`. Which of several related periods (half, double, triple) is the beat is decided in `beats.py`, where
the beats themselves can be looked at.

Sources: comb of the autocorrelation's multiples as in D. P. W. Ellis, "Beat tracking by dynamic programming",
JNMR 2007; log-normal tempo preference after M. McKinney and D. Moelants, ICMC 2004.
"""

import numpy as np
from numpy.typing import NDArray

from rearrange.analysis.onsets import FRAME_RATE_HZ

__all__ = [
    "HOP_S",
    "WINDOW_S",
    "candidate_periods",
    "period_path",
    "pulse_salience",
    "tempo_preference",
    "tempogram",
]

Floats = NDArray[np.float64]

WINDOW_S = 10.0  # five beats at the slowest tempo
HOP_S = 1.0
SLOWEST_BPM, FASTEST_BPM = 46.0, 220.0
_LONGEST_LAG_S = 6.0
_PREFERRED_BPM, _PREFERENCE_OCTAVES = 112.0, 0.55
_RELATIVES = (2.0, 0.5, 3.0, 1 / 3, 1.5, 2 / 3, 4.0, 0.25)
_DRIFT_PER_HOP = 0.012  # standard deviation of log period from window to window: 1.2% a second
_DRIFT_RANGE = 0.16  # a song's tempo stays within ±16% of its candidate


def tempogram(strength: NDArray[np.floating]) -> Floats:
    """Normalised autocorrelation of onset strength (n_windows, n_lags); lag i is i / FRAME_RATE_HZ seconds.

    One window at least, however short the song; values are in [-1, 1], and 0 where there are no onsets.
    """
    length, hop = int(WINDOW_S * FRAME_RATE_HZ), int(HOP_S * FRAME_RATE_HZ)
    n_lags = int(_LONGEST_LAG_S * FRAME_RATE_HZ) + 1
    n_windows = max(1, -(-len(strength) // hop))
    # Windows are centred on multiples of the hop.
    padded = np.pad(strength.astype(np.float64), (length // 2, length + hop))
    size = 2 ** int(np.ceil(np.log2(length + n_lags)))
    taper = np.hanning(length + 2)[1:-1]
    # The autocorrelation of the taper undoes the loss of overlap at long lags.
    taper_power = np.fft.irfft(np.abs(np.fft.rfft(taper, size)) ** 2, size)[:n_lags]
    taper_power = np.maximum(taper_power / taper_power[0], 0.1)
    out = np.zeros((n_windows, n_lags))
    for i in range(n_windows):
        frame = padded[i * hop : i * hop + length]
        # The mean is taken out, or every lag would correlate.
        frame = (frame - frame.mean()) * taper
        power = np.fft.irfft(np.abs(np.fft.rfft(frame, size)) ** 2, size)[:n_lags]
        if power[0] > 1e-9:
            out[i] = np.clip(power / power[0] / taper_power, -1.0, 1.0)
    return out


def tempo_preference(period_s: NDArray[np.float64] | float) -> Floats:
    """How likely people tap at a period, before hearing anything: log-normal, 1 at its peak."""
    octaves = np.log2(60.0 / np.asarray(period_s, dtype=np.float64) / _PREFERRED_BPM)
    return np.asarray(np.exp(-0.5 * (octaves / _PREFERENCE_OCTAVES) ** 2), dtype=np.float64)


def _comb(correlation: Floats, periods_s: Floats) -> Floats:
    """Salience of each period: the autocorrelation at its first four multiples; (..., n_periods)."""
    lags = np.arange(correlation.shape[-1]) / FRAME_RATE_HZ
    total = np.zeros((*correlation.shape[:-1], len(periods_s)))
    weight_sum = np.zeros(len(periods_s))
    for multiple, weight in ((1, 1.0), (2, 0.7), (3, 0.35), (4, 0.5)):
        at = periods_s * multiple
        inside = at <= lags[-1]
        index = np.clip(at * FRAME_RATE_HZ, 0, len(lags) - 1.001)
        low = index.astype(int)
        fraction = index - low
        values = correlation[..., low] * (1 - fraction) + correlation[..., low + 1] * fraction
        total += np.where(inside, weight, 0.0) * values
        weight_sum += np.where(inside, weight, 0.0)
    return total / np.maximum(weight_sum, 1e-9)


def pulse_salience(correlations: Floats, period_s: float) -> float:
    """How strongly a period repeats over the song, as mean autocorrelation in [-1, 1]; drift does not count."""
    near = period_s * np.exp(np.linspace(-0.06, 0.06, 13))
    sounding = correlations[:, 0] > 0.5
    if not sounding.any():
        return 0.0
    return float(_comb(correlations[sounding], near).max(axis=1).mean())


def candidate_periods(correlations: Floats, *, limit: int = 10) -> Floats:
    """Periods that could be the beat, most salient first; (n_candidates,) seconds.

    Peaks of the comb over the whole song and their simple relatives, none within 9% of another (each may
    drift further than that). Empty if nothing repeats.
    """
    grid = 60.0 / np.geomspace(FASTEST_BPM, SLOWEST_BPM, 400)
    # Drift smears a mean of correlations; the mean of each window's best neighbourhood does not suffer so.
    salience = _comb(correlations, grid)
    kernel = 2  # grid steps, 0.8%
    widened = np.max([np.roll(salience, shift, axis=1) for shift in range(-kernel, kernel + 1)], axis=0)
    mean = widened.mean(axis=0)
    inner = (mean[1:-1] >= mean[:-2]) & (mean[1:-1] >= mean[2:]) & (mean[1:-1] > 0.02)
    peaks = [int(i) + 1 for i in np.flatnonzero(inner)]
    peaks.sort(key=lambda i: -mean[i] * float(tempo_preference(grid[i])))
    chosen: list[float] = []
    wishes = [float(grid[i]) for i in peaks[:5]]
    wishes += [float(grid[i]) * ratio for i in peaks[:2] for ratio in _RELATIVES]
    for period in wishes:
        if not 60.0 / FASTEST_BPM <= period <= 60.0 / SLOWEST_BPM:
            continue
        if all(abs(np.log(period / other)) > 0.09 for other in chosen):
            chosen.append(period)
    return np.asarray(chosen[:limit])


def period_path(correlations: Floats, period_s: float, *, drift_range: float = _DRIFT_RANGE) -> Floats:
    """The period in each window of a tempogram, near a candidate and free to drift; (n_windows,) seconds.

    Viterbi over log periods within `drift_range`: salience against a Gaussian cost of change.
    """
    steps = np.arange(-int(drift_range / 0.004), int(drift_range / 0.004) + 1)
    periods = period_s * np.exp(steps * 0.004)
    salience = _comb(correlations, periods) * 6.0 - 0.5 * (steps * 0.004 / 0.10) ** 2
    cost = 0.5 * ((steps[:, None] - steps[None, :]) * 0.004 / (_DRIFT_PER_HOP * HOP_S)) ** 2
    best = salience[0]
    back = np.zeros(salience.shape, dtype=np.int32)
    for i in range(1, len(salience)):
        options = best[None, :] - cost
        back[i] = np.argmax(options, axis=1)
        best = options[np.arange(len(steps)), back[i]] + salience[i]
    path = np.empty(len(salience), dtype=np.int64)
    path[-1] = int(np.argmax(best))
    for i in range(len(salience) - 1, 0, -1):
        path[i - 1] = back[i, path[i]]
    return np.asarray(periods[path], dtype=np.float64)
