"""Frequency of a stretch of waveform from nothing but the waveform; slow, for the start of a run only."""

from __future__ import annotations

import numpy as np

from ._dsp import LARGEST

__all__ = ["HIGHEST", "LOWEST", "detect_frequency", "discontinuity", "fit_phase", "main_tone"]

#: Band in which a fundamental is looked for, Hz.
LOWEST, HIGHEST = 12.0, 130.0


def _power(values: np.ndarray, window: np.ndarray, f: float, rate: float) -> np.ndarray:
    """Phasors of the columns at frequency f, under a window."""
    turn = np.exp(-2j * np.pi * f / rate * np.arange(len(values)))
    phasors: np.ndarray = (turn * window) @ values
    return phasors


def detect_frequency(values: np.ndarray, sample_rate: float) -> float | None:
    """Frequency of the fundamental.

    Parameters
    ----------
    values : ndarray, float64, shape (n, k)
        Voltages or currents; NaN counts as 0, and so does what the core takes for no number.
    sample_rate : float
        Hz.

    Returns
    -------
    float or None
        Hz; None where nothing between 12 and 130 Hz stands out, or less than half a cycle is there.
    """
    values = np.asarray(values, np.float64)[: max(int(sample_rate), 1)]
    values = np.where(np.abs(values) < LARGEST, values, 0.0)
    # means of a few samples: harmonics are of no interest here, speed is
    few = max(int(sample_rate // (16 * HIGHEST)), 1)
    values = values[: len(values) // few * few].reshape(-1, few, values.shape[1]).mean(1)
    sample_rate /= few
    values = values - values.mean(0) if len(values) else values
    total = float(np.sum(values**2))
    n = len(values)
    if n < 4 or total == 0.0 or n < 0.5 * sample_rate / HIGHEST:
        return None
    window = np.hanning(n + 2)[1:-1]
    size = 1 << int(np.ceil(np.log2(max(4 * n, 16 * sample_rate / LOWEST))))
    spectrum = (np.abs(np.fft.rfft(values * window[:, None], size, axis=0)) ** 2).sum(1)
    axis = np.arange(len(spectrum)) * sample_rate / size
    band = np.flatnonzero((axis >= LOWEST) & (axis <= min(HIGHEST, 0.45 * sample_rate)))
    if not len(band):
        return None
    peak = int(band[np.argmax(spectrum[band])])
    # a tone fills what the window lets it; noise and steps do not
    share = spectrum[peak] * 4 / (np.sum(window) ** 2 * max(total / n, 1e-300)) / 2
    if share < 0.2 or peak in (band[0], band[-1]):
        return None
    return _refined(values, sample_rate, float(axis[peak]))


def main_tone(values: np.ndarray) -> float | None:
    """The tone that stands out of a waveform, whatever its sample rate.

    Parameters
    ----------
    values : ndarray, float64, shape (n, k)
        Voltages or currents; NaN counts as 0, and so does what the core takes for no number.

    Returns
    -------
    float or None
        Cycles per sample, to a percent; None where no tone stands out, or less than two cycles of it are there,
        or where its rms is below the mean: that is a course of rms values.
    """
    values = np.where(np.abs(values) < LARGEST, values, 0.0)
    n = len(values)
    if n < 8:
        return None
    mean = values.mean(0)
    values = values - mean
    total = float(np.sum(values**2))
    if total <= n * float(np.sum(mean**2)):
        return None
    window = np.hanning(n + 2)[1:-1]
    size = 4 << int(np.ceil(np.log2(n)))
    power = (np.abs(np.fft.rfft(values * window[:, None], size, axis=0)) ** 2).sum(1)
    peak = int(np.argmax(power))
    share = power[peak] * 4 / (np.sum(window) ** 2 * total / n) / 2
    if share < 0.2 or peak * n < 2 * size or peak == len(power) - 1:
        return None
    # the crest of a parabola through the peak and its neighbours
    low, mid, high = np.log(np.maximum(power[peak - 1 : peak + 2], 1e-300))
    return float(peak + 0.5 * (low - high) / (low - 2 * mid + high)) / size


def _refined(values: np.ndarray, rate: float, f: float) -> float:
    """Frequency from the turn of the phasors between the first and the last part."""
    n = len(values)
    part = 2 * n // 3
    if part < 1.5 * rate / f:
        return f
    apart = n - part
    for _ in range(6):
        # whole cycles under the window, so that the image of the tone itself falls on its zeros
        length = max(round(np.floor(part * f / rate) * rate / f), 4)
        window = np.hanning(length + 1)[:length]
        first = _power(values[:length], window, f, rate)
        second = _power(values[apart : apart + length], window, f, rate) * np.exp(-2j * np.pi * f / rate * apart)
        f = min(max(f + float(np.angle(np.sum(second * np.conj(first)))) / (2 * np.pi) * rate / apart, LOWEST), HIGHEST)
    return f


def discontinuity(before: np.ndarray, after: np.ndarray, sample_rate: float) -> float | None:
    """How much of the fundamental is missing between two stretches of samples.

    Parameters
    ----------
    before, after : ndarray, float64, shape (n, k)
        The last and the first samples, about a tenth of a second each.
    sample_rate : float
        Hz.

    Returns
    -------
    float or None
        s, to some microseconds, within half a cycle; negative where a part comes twice. None where no fundamental can be followed that long.
    """
    frequency = detect_frequency(before, sample_rate)
    if frequency is None:
        return None
    period = sample_rate / frequency
    if min(len(before), len(after)) < 4 * period + 2 or not (np.isfinite(before).all() and np.isfinite(after).all()):
        return None

    def phasors(values: np.ndarray, first: float, cycles: float) -> np.ndarray:
        """About a time that lies some cycles from the seam, of which sample 0 is `first` samples away: every harmonic is on a zero."""
        n = first + np.arange(len(values))
        x = np.abs(n / period - cycles)
        weights = np.where(x < 0.5, 0.75 - x * x, 0.5 * np.maximum(1.5 - x, 0.0) ** 2)
        found: np.ndarray = (weights * np.exp(-2j * np.pi * n / period)) @ values
        return found

    far, near = (phasors(before, 0.5 - len(before), -c) for c in (2.5, 1.5))
    close, away = (phasors(after, 0.5, c) for c in (1.5, 2.5))
    largest = max(float(np.abs(near).max()), float(np.abs(close).max()))
    if largest == 0.0 or np.abs(np.abs(near).max() - np.abs(close).max()) > 0.05 * largest:
        return None
    # the phase goes on as it went in the cycle before, on either side
    left = np.angle((near * np.conj(far)).sum()) * 1.5
    right = np.angle((away * np.conj(close)).sum()) * 1.5
    turned = np.angle((close * np.conj(near)).sum()) - left - right
    angle = (turned + np.pi) % (2 * np.pi) - np.pi
    return float(angle / (2 * np.pi * frequency))


def fit_phase(values: np.ndarray, sample_rate: float, frequency: float, free: bool = True) -> tuple[float, list[float]]:
    """Least-squares fit of offset and fundamental to a stretch too short for the tracker.

    Parameters
    ----------
    values : ndarray, float64, shape (n, 3)
    sample_rate : float
        Hz.
    frequency : float
        Hz, where to start from.
    free : bool
        Whether the frequency is fitted too.

    Returns
    -------
    frequency : float
        Hz.
    phases : list of 6 float
        rad, of a sine at sample 0: of each column, and of their differences 1-2, 2-3, 3-1.
    """
    n = len(values)
    t = np.arange(n) / sample_rate

    def fit(f: float) -> tuple[float, np.ndarray]:
        columns = [np.ones(n)]
        # harmonics take part as far as the stretch can tell them apart
        for order in range(1, 1 + max(1, min(9, int(n / 4), int(0.4 * sample_rate / f)))):
            columns += [np.sin(2 * np.pi * f * order * t), np.cos(2 * np.pi * f * order * t)]
            if n * f / sample_rate < 1.0:
                break
        matrix = np.stack(columns, 1)
        solution = np.linalg.lstsq(matrix, values, rcond=1e-6)[0]
        return float(np.sum((values - matrix @ solution) ** 2)), solution

    if free:
        step = 0.02 * frequency
        while step > 1e-7 * frequency:
            trials = [frequency - step, frequency, frequency + step]
            best = trials[int(np.argmin([fit(f)[0] for f in trials]))]
            step = step / 2 if best == frequency else step
            frequency = best
            if not LOWEST <= frequency <= HIGHEST:
                break
        frequency = min(max(frequency, LOWEST), HIGHEST)
    solution = fit(frequency)[1]
    phasors = solution[1] + 1j * solution[2]
    # a dead voltage takes the place it would have beside the first live one
    live = np.abs(phasors) > 0.05 * max(float(np.abs(phasors).max()), 1e-300)
    lead = int(np.argmax(live))
    for k in range(3):
        if not live[k]:
            phasors[k] = 1e-9 * phasors[lead] * np.exp(-2j * np.pi * (k - lead) / 3)
    lines = phasors - np.roll(phasors, -1)
    return frequency, [float(a) for a in np.angle(np.concatenate([phasors, lines]))]
