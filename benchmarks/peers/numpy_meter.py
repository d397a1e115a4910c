"""A good vectorised program in NumPy and SciPy that computes what the chain of the engine computes.

Per 10-cycle window rms of six channels, line-to-line rms, P, Q of the fundamental and frequency; per
half-cycle Urms(1/2) of each phase on its own grid. Windows and half-cycles have fractional edges,
without which Urms(1/2) is off by 0.1 %. With spectra, also harmonic and interharmonic sub-groups, distortion,
phasors and unbalance; with flicker, Pinst and Pst. It works in chunks of a few seconds, holds arrays planar and
uses the fastest NumPy way known to us for each step: `add.reduceat` instead of prefix sums or a loop
over windows, the fundamental and flicker from a decimated copy, resampling as a sparse matrix.

It knows neither gaps nor dips nor dead phases, no other wiring, no resynchronisation, and no input but
three voltages and three currents.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import firwin, oaconvolve, upfirdn

from .numpy_flicker import KEPT, START_S, Flickermeter, short_term
from .numpy_spectra import Resampler, spectra

DECIMATE = 8
TURN = np.exp(2j * np.pi / 3)


def integrals(x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Integrals of the rows of x between fractional edges; a sample stands for half an interval on either side."""
    whole = np.floor(edges + 0.5).astype(np.intp)
    part = edges + 0.5 - whole
    sums = np.add.reduceat(x, whole, axis=-1)[..., :-1]
    at_edges = part * x[..., whole]
    return sums + at_edges[..., 1:] - at_edges[..., :-1]


class Tracker:
    """Phase of the fundamental, from the space vector of the decimated voltages."""

    def __init__(self, rate: float, nominal: float) -> None:
        self.rate, self.nominal = rate, nominal
        self.slow = rate / DECIMATE
        self.lowpass = firwin(8 * DECIMATE + 1, 0.5 / DECIMATE)
        # unit gain where the mains is
        self.lowpass /= abs(self.lowpass @ np.exp(2j * np.pi * nominal / rate * np.arange(len(self.lowpass))))
        cycle = round(self.slow / nominal)
        box = np.ones(cycle) / cycle
        self.smooth = np.convolve(np.convolve(box, box), box)
        #: Frames at either end of a chunk in which the phase is not to be used.
        self.margin = DECIMATE * (len(self.smooth) // 2 + 2) + len(self.lowpass)

    def follow(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Decimated rows, their times in frames of x, phase at those times, angles of the three voltages against it."""
        slow = upfirdn(self.lowpass, x, 1, DECIMATE, axis=-1)[:, : x.shape[1] // DECIMATE]
        times = np.arange(slow.shape[1]) * DECIMATE - (len(self.lowpass) - 1) / 2
        carrier = np.exp(-2j * np.pi * self.nominal / self.rate * times)
        vector = (slow[0] + TURN * slow[1] + TURN.conjugate() * slow[2]) * carrier * 2 / 3
        smooth = oaconvolve(vector, self.smooth, mode="same")
        # of a sine, so that it is 0 where the voltage rises through 0
        phase = np.unwrap(np.angle(smooth)) + 2 * np.pi * self.nominal / self.rate * times + np.pi / 2
        inner = slice(len(self.smooth), -len(self.smooth))
        cycle = round(self.slow / self.nominal)
        count = slow[:3, inner].shape[1] // cycle * cycle
        seen = (slow[:3, inner] * np.exp(-1j * (phase[inner] - np.pi / 2)))[:, :count]
        return slow, times, phase, np.angle(seen.sum(1))


def edges_of(phase: np.ndarray, times: np.ndarray, first: float, last: float, step: float, start: float) -> np.ndarray:
    """Times from `first` to `last` at which the phase is start + k step."""
    low, high = np.interp([first, last], times, phase)
    k = np.arange(np.ceil((low - start) / step - 1e-6), np.floor((high - start) / step) + 1)
    return np.interp(start + k * step, phase, times)


class Flicker:
    """Flicker of a stream of decimated voltages that comes in overlapping chunks."""

    def __init__(self, rate: float, rows: int = 3) -> None:
        self.meter, self.rate = Flickermeter(rate, rows), rate
        self.first: float | None = None  # time of the first sample
        self.fed = 0
        self.kept: list[np.ndarray] = []

    def feed(self, slow: np.ndarray, times: np.ndarray, last: float) -> None:
        """Take what is new of rows at these times (frames of the recording), up to `last`."""
        begin = 0 if self.first is None else round(self.first / DECIMATE + self.fed - times[0] / DECIMATE)
        if self.first is None:
            # the filter's first samples saw no voltage
            begin = int(np.searchsorted(times, 4 * DECIMATE))
            self.first = times[begin]
        end = int(np.searchsorted(times, last))
        sensation = self.meter.feed(slow[:, begin:end])
        self.kept.append(sensation[:, -self.fed % KEPT :: KEPT])
        self.fed += end - begin

    def rows(self, edges: np.ndarray) -> dict[str, np.ndarray]:
        """Largest sensation in each window, and Pst of intervals of ten minutes from the first sample."""
        assert self.first is not None
        all_of_it = np.concatenate(self.kept, axis=1)
        slow = self.rate / KEPT
        places = np.clip(((edges - self.first) / (DECIMATE * KEPT)).astype(np.intp), 0, all_of_it.shape[1] - 1)
        step = round(600 * slow)
        intervals = [all_of_it[:, k : k + step] for k in range(0, all_of_it.shape[1], step)]
        intervals[0] = intervals[0][:, round(START_S * slow) :]
        return {
            "Pinst": np.maximum.reduceat(all_of_it, places, axis=1)[:, : len(edges) - 1].T,
            "Pst": np.array([short_term(part) for part in intervals if part.shape[1]]),
        }


def measure(
    raw: np.ndarray,
    scale: np.ndarray,
    rate: float,
    nominal: float = 50.0,
    chunk: float = 2.0,
    *,
    with_spectra: bool = False,
    with_flicker: bool = False,
) -> dict[str, np.ndarray]:
    """Measure frames of three voltages and three currents.

    Parameters
    ----------
    raw : ndarray, shape (n, 6)
    scale : ndarray, shape (6,)
        V and A for a count.
    rate, nominal : float
        Hz.
    chunk : float
        Seconds worked on at once.
    with_spectra, with_flicker : bool

    Returns
    -------
    dict of name to ndarray
        A row for each window: "t" (frames), "f", "rms" (w, 6), "line" (w, 3), "P" (w, 3), "Q" (w, 3), what
        `numpy_spectra.spectra` gives, "Pinst" (w, 3); "half" (3, h), Urms(1/2) of each phase; "Pst" (intervals, 3).
    """
    tracker = Tracker(rate, nominal)
    resample = Resampler(rate, nominal, 10) if with_spectra else None
    flicker = Flicker(tracker.slow) if with_flicker else None
    size, begin, done = round(chunk * rate), 0, None
    windows: list[dict[str, np.ndarray]] = []
    halves: list[np.ndarray] = []
    while begin + 3 * tracker.margin < len(raw):
        part = raw[begin : begin + size + 2 * tracker.margin]
        x = np.ascontiguousarray((part * scale).T)
        slow, times, phase, angles = tracker.follow(x)
        last = part.shape[0] - tracker.margin
        first = float(tracker.margin) if done is None else done - begin
        start = 0.0 if done is None else float(np.interp(first, times, phase))
        cycle = 2 * np.pi
        if done is None:
            first = edges_of(phase, times, first, last, cycle, 0.0)[0]
            start = float(np.interp(first, times, phase))
        edges = edges_of(phase, times, first, last, 10 * cycle, start)
        if len(edges) < 2:
            break
        rows = window_rows(x, slow, times, phase, edges, begin, rate)
        if resample is not None:
            frames = part.astype(np.float32)
            frames *= scale.astype(np.float32)
            rows |= spectra(resample(frames, edges), resample.gain, 10)
        if flicker is not None:
            flicker.feed(slow[:3], times + begin, begin + edges[-1])
        windows.append(rows)
        cycles = [half_cycles(x[k], edges_of(phase, times, edges[0], edges[-1] + 0.03 * rate, np.pi, -angles[k])) for k in range(3)]
        halves.append(np.stack([r[: min(map(len, cycles))] for r in cycles]))
        done = begin + edges[-1]
        # decimated samples of all chunks lie on one grid
        begin = (int(done) - tracker.margin) // DECIMATE * DECIMATE
    result = {name: np.concatenate([w[name] for w in windows]) for name in windows[0]}
    result["half"] = np.concatenate(halves, axis=1)
    if flicker is not None:
        result |= flicker.rows(np.append(result["t"], done or 0.0))
    return result


def window_rows(
    x: np.ndarray, slow: np.ndarray, times: np.ndarray, phase: np.ndarray, edges: np.ndarray, begin: int, rate: float
) -> dict[str, np.ndarray]:
    n = np.diff(edges)
    square = integrals(x * x, edges) / n
    product = integrals(x[:3] * x[3:], edges) / n
    line = integrals(np.square(x[:3] - x[[1, 2, 0]]), edges) / n
    fundamental = integrals(slow * np.exp(-1j * phase), (edges - times[0]) / DECIMATE) / n * DECIMATE
    q = 2 * (fundamental[:3] * fundamental[3:].conj()).imag
    return {"t": edges[:-1] + begin, "f": 10 * rate / n, "rms": np.sqrt(square).T, "line": np.sqrt(line).T, "P": product.T, "Q": q.T}


def half_cycles(u: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Rms over a cycle, every half-cycle."""
    half = integrals(u * u, edges)
    return np.sqrt((half[1:] + half[:-1]) / (edges[2:] - edges[:-2]))
