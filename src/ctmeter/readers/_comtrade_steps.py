"""The steps between the time stamps of consecutive rows: what is regular, what is a gap, what is a fault."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ._comtrade_dat import ALL_ONES, RowClock

__all__ = ["WRAPS", "Steps", "measure_steps", "valid"]

#: Rows of a stretch whose steps are believed regular when its ends are: errors within it that cancel do no harm.
_STRETCH = 2048
#: Up to so many rows every step is looked at.
_SHORT = 1 << 16
#: Above this share of irregular steps the stamps say nothing.
_IRREGULAR = 0.01
#: Values at which stamps are seen to start again.
WRAPS = (2**16, 2**32, 10**6, 10**9, 10**10)


@dataclass
class Steps:
    """The steps between rows of one segment, in units of the stamps."""

    interval: float
    #: What a single stamp can be wrong by.
    resolution: float = 1.0
    regular: int = 0
    total: float = 0.0
    lowest: float = np.inf
    highest: float = -np.inf
    #: Row and step of each place where time is missing.
    jumps: list[tuple[int, float]] = field(default_factory=list)
    backward: list[int] = field(default_factory=list)
    unstamped: int = 0
    wraps: int = 0
    unusable: bool = False


def valid(stamps: np.ndarray) -> np.ndarray:
    """Which stamps are there at all."""
    there: np.ndarray = stamps != ALL_ONES
    return there if stamps.dtype.kind == "u" else there & np.isfinite(stamps)


def measure_steps(clock: RowClock, start: int, stop: int, rate: float, unit: float, forced: bool) -> Steps | None:
    """The steps of a segment, None where its stamps are of no use.

    Parameters
    ----------
    clock : RowClock
    start, stop : int
        Rows of the segment.
    rate : float
        Hz declared, 0 where none is.
    unit : float
        Seconds for one count of a stamp.
    forced : bool
        The rate is the user's; stamps that contradict it are of no use.
    """
    if stop - start < 2:
        return None
    head = clock.stamps(start, min(stop, start + 4097))
    diffs = np.diff(head[valid(head)].astype(np.float64))
    if not len(diffs):
        return None
    median = float(np.median(diffs))
    declared = 1 / (rate * unit) if rate else 0.0
    coarse = float(diffs[diffs > 0].min()) if (diffs > 0).any() and (diffs == 0).mean() > 0.02 else 0.0
    if forced and median > 0 and not coarse and abs(median / declared - 1) > 0.02 and abs(median - declared) > 1:
        return None
    interval = declared if coarse and declared else float(diffs.mean()) if coarse else median
    if interval <= 0:
        return None
    if coarse:
        low, high = 0.0, 1.5 * max(interval, coarse)
    else:
        low, high = min(0.5 * interval, interval - 1), max(1.5 * interval, interval + 1)
    return _scan(clock, start, stop, Steps(interval, max(1.0, coarse), lowest=float(diffs.min()), highest=float(diffs.max())), max(low, 0.0), high)


def _scan(clock: RowClock, start: int, stop: int, steps: Steps, low: float, high: float) -> Steps:
    """Look at every stretch whose ends are not as far apart in time as its rows say."""
    stretch = max(_STRETCH, (stop - start) // clock.places)
    marks = np.append(np.arange(start, stop - 1, stretch), stop - 1)
    ends = clock.stamps_at(marks)
    spans, rows = np.diff(ends), np.diff(marks)  # modulo 2**32 where stamps are uint32, so that a wrap gives the right span
    typical = float(np.median(spans / rows))  # finer than the median of single steps, each a whole number
    if abs(typical - steps.interval) <= 1 or abs(typical / steps.interval - 1) < 0.02:
        steps.interval = typical
    regular = np.abs(spans - rows * steps.interval) <= 0.5 * steps.interval + steps.resolution
    regular &= valid(ends)[1:] & valid(ends)[:-1]
    if stop - start <= _SHORT:
        regular[:] = False
    steps.regular = int(rows[regular].sum())
    steps.total = float(spans[regular].sum(dtype=np.float64))
    steps.wraps = int((ends[1:] < ends[:-1])[regular].sum())
    odd: list[np.ndarray] = []
    allowed, found = max(8, _IRREGULAR * (stop - start)), 0
    for k in np.flatnonzero(~regular).tolist():
        odd.append(_scan_stretch(clock, int(marks[k]), int(marks[k + 1]), steps, low, high))
        found += len(odd[-1])
        if found > allowed:
            steps.unusable = True
            return steps
    _explain(clock, steps, np.concatenate(odd).tolist() if odd else [], stop, low, high)
    return steps


def _scan_stretch(clock: RowClock, first: int, last: int, steps: Steps, low: float, high: float) -> np.ndarray:
    """Rows of (first, last] that do not follow the one before them regularly."""
    stamps = np.ascontiguousarray(clock.stamps(first, last + 1))
    stamped = valid(stamps)
    diffs = stamps[1:] - stamps[:-1]
    good = (diffs >= low) & (diffs <= high) & stamped[1:] & stamped[:-1]
    steps.regular += int(good.sum())
    steps.total += float(diffs[good].sum(dtype=np.float64))
    steps.wraps += int((stamps[1:] < stamps[:-1])[good].sum())
    return np.flatnonzero(~good) + first + 1


def _explain(clock: RowClock, steps: Steps, rows: list[int], stop: int, low: float, high: float) -> None:
    """Sort the irregular steps: missing stamps, wraps, single wrong stamps, gaps, steps back."""
    done = -1
    last_row, last_stamp = -1, 0.0
    for row in rows:
        if row <= done:
            continue
        if last_row < row - 1 and row - 1 > done:
            previous = _stamp(clock, row - 1)
            if previous is not None:
                last_row, last_stamp = row - 1, previous
        stamp = _stamp(clock, row)
        if stamp is None:
            steps.unstamped += 1
            continue
        if last_row < 0:
            continue
        span, step = row - last_row, stamp - last_stamp
        expected = span * steps.interval
        slack = max(0.5 * steps.interval, 1.0)
        wrap = next((w for w in WRAPS if step < 0 and abs(step + w - expected) <= slack), 0)
        if wrap or abs(step - expected) <= slack:
            steps.wraps += bool(wrap)
            steps.regular += span
            steps.total += step + wrap
        elif (skip := _glitch(clock, row, last_row, last_stamp, stop, steps.interval)) is not None:
            steps.unstamped += skip - row
            done = skip - 1
            continue
        elif step > span * steps.interval + (high - steps.interval):
            steps.jumps.append((row, step - (span - 1) * steps.interval))
        elif step < span * low:
            steps.backward.append(row)
        last_row, last_stamp = row, stamp


def _stamp(clock: RowClock, row: int) -> float | None:
    value = clock.stamps(row, row + 1)
    return float(value[0]) if valid(value)[0] else None


def _glitch(clock: RowClock, row: int, last_row: int, last_stamp: float, stop: int, interval: float) -> int | None:
    """The row from which on the stamps again continue those before `row`, if that is soon."""
    for later in range(row + 1, min(row + 4, stop)):
        stamp = _stamp(clock, later)
        if stamp is not None and abs(stamp - last_stamp - (later - last_row) * interval) <= max(0.5 * interval, 1.0):
            return later
    return None
