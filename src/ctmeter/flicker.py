"""Coefficients of the core's flickermeter, for any rate of the decimated frames.

References
----------
IEC 61000-4-15:2010, 5.3 to 5.6
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

__all__ = ["LOWEST_RATE", "decimation", "flicker_coefficients"]

#: Decimated frames per second below which flicker is not measured.
LOWEST_RATE = 600.0
#: Outputs per second, at least.
_OUTPUTS = 400.0
#: k, and lambda, w1, w2, w3, w4 in Hz of the weighting filter; relative change in % that makes Pinst 1 at 8.8 Hz.
_LAMPS = {
    230: (1.74802, 4.05981, 9.15494, 2.27979, 1.22535, 21.9, 0.250),
    120: (1.6357, 4.167375, 9.077169, 2.939902, 1.394468, 17.31512, 0.321),
}
_REFERENCE_HZ, _HIGH_PASS_HZ, _ORDER = 8.8, 0.05, 6
#: Time constants of the level, of the memory of lamp and eye, and of the test for a dead voltage, s.
_LEVEL_S, _MEMORY_S, _ALIVE_S = 27.3, 0.3, 0.05
#: Share of the decimated rate to which its droop is undone, and Hz to which the filters are matched.
_FLAT, _MATCHED_HZ = 0.27, 65.0


def _poles(lamp: int, nominal: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Poles of the weighting filter, its zero but that at 0, and poles of the low pass; rad/s."""
    decay, w1, w2, w3, w4 = (2 * np.pi * x for x in _LAMPS[lamp][1:6])
    resonance = -decay + 1j * np.sqrt(w1**2 - decay**2)
    angles = np.pi * (2 * np.arange(_ORDER) + _ORDER + 1) / (2 * _ORDER)
    low = 2 * np.pi * (35.0 if nominal < 55 else 42.0) * np.exp(1j * angles)
    return np.array([resonance, resonance.conjugate(), -w3, -w4]), np.array([-w2]), low


def _response(f: np.ndarray, lamp: int, nominal: float) -> np.ndarray:
    """The analogue filters between the squarers, without the high pass, at f in Hz."""
    s = 2j * np.pi * f
    weights, zero, low = _poles(lamp, nominal)
    k, w1 = _LAMPS[lamp][0], 2 * np.pi * _LAMPS[lamp][2]
    h = k * w1 * s * (1 - s / zero[0]) / ((s - weights[0]) * (s - weights[1]) * (1 - s / weights[2]) * (1 - s / weights[3]))
    for pole in low:
        h = h / (1 - s / pole)
    result: np.ndarray = h
    return result


def _boxcars(f: np.ndarray, length: int) -> np.ndarray:
    """Gain of three cascaded boxcars at f in cycles per sample."""
    x = np.pi * np.maximum(np.abs(f), 1e-9)
    gain: np.ndarray = (np.sin(length * x) / (length * np.sin(x))) ** 3
    return gain


def _symmetric(f: np.ndarray, target: np.ndarray, weight: np.ndarray, half: int) -> np.ndarray:
    """Least-squares taps 0 to `half` of a symmetric filter with gain `target` at f in cycles per sample."""
    matrix = 2 * np.cos(2 * np.pi * np.outer(f, np.arange(half + 1)))
    matrix[:, 0] = 1.0
    taps: np.ndarray = np.linalg.lstsq(matrix * weight[:, None], target * weight, rcond=None)[0]
    return taps


def decimation(sample_rate: float) -> int:
    """Frames per decimated frame of the core at a sample rate in Hz: odd, for 1600 and more decimated ones per second."""
    return max(1, (int(sample_rate / 1600.0) - 1) | 1)


def output_step(rate: float) -> int:
    """Decimated frames between two outputs, of `rate` a second."""
    return int(rate / _OUTPUTS)


@lru_cache(maxsize=16)
def flicker_coefficients(rate: float, divide: int, nominal: float, lamp: int) -> tuple[float, ...]:
    """What `_kernels/flicker.h` reads into its `flicker_t`, in that order.

    Parameters
    ----------
    rate : float
        Decimated frames per second, at least `LOWEST_RATE`.
    divide : int
        Frames per decimated frame, of which three cascaded boxcars made it.
    nominal : float
        Hz, 50 or 60: the low pass.
    lamp : int
        V, 230 or 120: the weighting filter.

    Notes
    -----
    After the square the rate falls again, to 400-800 per second. There the filters have exactly the
    analogue poles; a symmetric filter of seven taps makes their gain, and undoes the droop of the
    second decimation, to 1e-4 up to 65 Hz. The delay that remains is told, so that every value
    belongs to the time that an analogue flickermeter would give it.
    """
    droop = np.array([1.0, 0.0, 0.0])
    if divide > 1:
        f = np.linspace(0.0, _FLAT, 100)
        droop = _symmetric(f, 1 / _boxcars(f / divide, divide), 1 / (0.05 + f), 2)
    step = output_step(rate)
    outputs = rate / step
    boxcar = np.ones(step) / step
    taps = np.convolve(np.convolve(boxcar, boxcar), boxcar)
    weights, zero, low = _poles(lamp, nominal)
    poles = np.exp(np.concatenate([weights, low]) / outputs)
    high_pass = float(np.exp(-2 * np.pi * _HIGH_PASS_HZ / outputs))
    # zeros of the weighting filter at 0 and -w2, and of the high pass
    plain = np.poly([1.0, float(np.exp(zero[0] / outputs))])

    def digital(f: np.ndarray, numerator: np.ndarray) -> np.ndarray:
        z = np.exp(-2j * np.pi * f / outputs)
        result: np.ndarray = np.polyval(numerator[::-1], z) / np.prod(1 - np.outer(poles, z), axis=0) * _boxcars(f / rate, step)
        return result

    f = np.concatenate([np.linspace(0.25, _MATCHED_HZ, 130), np.linspace(_MATCHED_HZ, 130.0, 30)])
    target = np.abs(_response(f, lamp, nominal) / digital(f, plain))
    half = _symmetric(f / outputs, target, np.where(f <= _MATCHED_HZ, 1.0, 0.02) / target, 3)
    numerator = np.convolve(plain, np.concatenate([half[:0:-1], half]))
    at = np.array([_REFERENCE_HZ])
    lag = float(np.angle(_response(at, lamp, nominal) / digital(at, numerator))[0]) / (2 * np.pi * _REFERENCE_HZ)
    # a change d of amplitude is one of d in the square: Pinst is the mean square of the filtered one, and its ripple
    amplitude = _LAMPS[lamp][6] / 100 * abs(_response(at, lamp, nominal)[0])
    ripple = 1 / np.hypot(1.0, 4 * np.pi * _REFERENCE_HZ * _MEMORY_S)
    numerator = np.convolve(numerator, [1.0, -1.0]) * np.sqrt(2 / (amplitude**2 * (1 + ripple)))
    sections = [np.poly(poles[k]).real for k in ([0, 1], [2, 3], *([4 + j, 9 - j] for j in range(3)))]
    return (
        *map(float, droop), *map(float, numerator), *(float(v) for section in sections for v in section[1:]), high_pass,
        *(float(-np.expm1(-1 / (outputs * tau))) for tau in (_MEMORY_S, _LEVEL_S, _ALIVE_S)),
        outputs, step * divide, lag * rate * divide, *map(float, taps),
    )  # fmt: skip
