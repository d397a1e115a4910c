"""When each row was sampled: declared rates, time stamps and sample numbers brought together.

Declared rates divide the rows into segments. Within a segment the time stamps decide where they are
plausible: they give the rate unless the declared one agrees with them to their resolution, and a step
of more than one and a half intervals is a gap. Where there are no usable stamps the declared rate
holds, and gaps come from jumps of the sample number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..recording import LOW_RATE, TOO_SLOW, Gap, Segment
from ._comtrade_dat import ALL_ONES, RowClock

__all__ = ["Plan", "plan_time"]

_CHUNK = 1 << 15
#: Rows of a stretch whose steps are believed regular when its ends are: errors within it that cancel do no harm.
_STRETCH = 2048
#: Up to so many rows every step is looked at.
_SHORT = 1 << 16
#: Above this share of irregular steps the stamps say nothing.
_IRREGULAR = 0.01
#: Stamps of which each was rounded for itself give no rate to a stretch shorter than this.
_FEW_ROWS = 100
_WRAPS = (2**16, 2**32, 10**6, 10**9, 10**10)


@dataclass
class Plan:
    """What came out: segments, gaps and what was odd."""

    segments: list[Segment] = field(default_factory=list)
    gaps: list[tuple[int, Gap]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    from_stamps: list[bool] = field(default_factory=list)


@dataclass
class _Steps:
    """The steps between rows of one segment, in units of the stamps."""

    interval: float
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


def plan_time(
    clock: RowClock,
    rates: list[tuple[float, int]],
    *,
    unit: float,
    multiplier: float,
    start_ns: int | None,
    nominal: float | None,
    path: Path,
    forced_rate: float | None = None,
) -> Plan:
    """Segments and gaps of a recording.

    Parameters
    ----------
    clock : RowClock
    rates : list of (float, int)
        Rate in Hz (0: from the stamps) and the row after the last of each segment, covering all rows.
    unit, multiplier : float
        Seconds for one count of a stamp, and the declared time multiplier within it.
    start_ns : int or None
        Time of the first row.
    nominal : float or None
        Hz of the mains.
    path : Path
        For messages.
    forced_rate : float, optional
        The user's rate; the stamps then give gaps alone.

    Raises
    ------
    InputError
        No rate is declared and the stamps give none.
    """
    return _Planner(clock, rates, unit, multiplier, start_ns, nominal, path, forced_rate).run()


def _valid(stamps: np.ndarray) -> np.ndarray:
    return stamps != ALL_ONES if stamps.dtype.kind == "u" else np.isfinite(stamps) & (stamps != ALL_ONES)


class _Planner:
    def __init__(
        self, clock: RowClock, rates: list[tuple[float, int]], unit: float, multiplier: float, start_ns: int | None, nominal: float | None, path: Path, forced: float | None
    ) -> None:
        self.clock, self.rates, self.unit, self.multiplier = clock, rates, unit, multiplier
        self.start_ns, self.nominal, self.path, self.forced = start_ns, nominal, path, forced
        self.plan = Plan()
        self.usable = False
        self.corrected: list[str] = []

    def note(self, sentence: str) -> None:
        self.plan.warnings.append(f"{self.path.name}: {sentence}")

    def run(self) -> Plan:
        self._look_at_stamps()
        bounds = [0, *(end for _, end in self.rates)]
        seconds, before = 0.0, None
        for k, (declared, stop) in enumerate(self.rates):
            start = bounds[k]
            rate = self.forced or declared
            steps = self._steps(start, stop, rate)
            used, by_stamps = self._rate(start, stop, rate, steps)
            if before is not None:
                seconds += self._join(start, before, used)
            seconds = self._place(start, stop, used, steps, seconds)
            self.plan.from_stamps += [by_stamps] * (len(self.plan.segments) - len(self.plan.from_stamps))
            before = used
        self._summarise()
        return self.plan

    # ---- what the stamps are worth as a whole

    def _look_at_stamps(self) -> None:
        rows = self.clock.rows
        start, stop = max(zip([0, *(e for _, e in self.rates)], (e for _, e in self.rates), strict=False), key=lambda s: s[1] - s[0])
        head = self.clock.stamps(start, min(stop, start + 4096))
        valid = _valid(head)
        if not valid.any():
            if all(not _valid(self.clock.stamps(a, min(a + _CHUNK, rows))).any() for a in range(0, rows, _CHUNK)):
                kind = "all ones" if head.dtype.kind == "u" else "empty"
                self.note(f"every time stamp is {kind}; " + self._instead())
            else:
                self.note("most time stamps are missing; " + self._instead())
            return
        steps = np.diff(head[valid].astype(np.float64))
        if rows < 2 or not len(steps):
            return
        if not steps.any():
            self.note(f"the time stamps stand still at {head[valid][0]:.0f}; " + self._instead())
            return
        self.usable = True
        self._check_unit(float(np.median(steps)), self.forced or self._declared(start))
        first = self.clock.stamps(0, 1)
        if _valid(first)[0] and first[0] != 0:
            self.note(f"the first time stamp is {first[0]:.0f}, not 0; the start time of the CFG is taken as that of the first row")

    def _instead(self) -> str:
        return "the declared rate gives the time" if self.forced or any(rate for rate, _ in self.rates) else "nothing gives the time"

    def _declared(self, row: int) -> float:
        return next(rate for rate, end in self.rates if row < end)

    def _check_unit(self, step: float, rate: float) -> None:
        """Stamps in another unit than the standard's are recognised by a declared rate they then agree with."""
        if not rate or step <= 0 or abs(step * self.unit * rate - 1) < 0.02 or abs(step - 1 / (rate * self.unit)) <= 1:
            return
        for factor, what in ((1e-3, "ns"), (1e3, "us, or ms"), (1e6, "ms"), (1 / self.multiplier, "us already, without the multiplier")):
            if abs(step * self.unit * factor * rate - 1) < 0.01:
                self.unit *= factor
                self.note(f"the time stamps step by {step:g}, which fits the declared {rate:g} Hz only if one count is {self.unit:g} s; taken so")
                return

    # ---- steps within a segment

    def _steps(self, start: int, stop: int, rate: float) -> _Steps | None:
        """The steps of a segment, None where its stamps are of no use."""
        if not self.usable or stop - start < 2:
            return None
        head = self.clock.stamps(start, min(stop, start + 4097))
        diffs = np.diff(head[_valid(head)].astype(np.float64))
        if not len(diffs):
            return None
        median = float(np.median(diffs))
        declared = 1 / (rate * self.unit) if rate else 0.0
        coarse = float(diffs[diffs > 0].min()) if (diffs > 0).any() and (diffs == 0).mean() > 0.02 else 0.0
        if self.forced and median > 0 and not coarse and abs(median / declared - 1) > 0.02 and abs(median - declared) > 1:
            return None
        interval = declared if coarse and declared else float(diffs.mean()) if coarse else median
        if interval <= 0:
            return None
        if coarse:
            low, high = 0.0, 1.5 * max(interval, coarse)
        else:
            low, high = min(0.5 * interval, interval - 1), max(1.5 * interval, interval + 1)
        return self._scan(start, stop, _Steps(interval, lowest=float(diffs.min()), highest=float(diffs.max())), max(low, 0.0), high)

    def _scan(self, start: int, stop: int, steps: _Steps, low: float, high: float) -> _Steps:
        """Look at every stretch whose ends are not as far apart in time as its rows say."""
        stretch = max(_STRETCH, (stop - start) // 65536)
        marks = np.append(np.arange(start, stop - 1, stretch), stop - 1)
        ends = np.append(self.clock.stamps(start, stop - 1)[::stretch], self.clock.stamps(stop - 1, stop))
        spans, rows = np.diff(ends), np.diff(marks)  # modulo 2**32 where stamps are uint32, so that a wrap gives the right span
        typical = float(np.median(spans / rows))  # finer than the median of single steps, each a whole number
        if abs(typical - steps.interval) <= 1 or abs(typical / steps.interval - 1) < 0.02:
            steps.interval = typical
        regular = np.abs(spans - rows * steps.interval) <= 0.5 * steps.interval + 1
        regular &= _valid(ends)[1:] & _valid(ends)[:-1]
        if stop - start <= _SHORT:
            regular[:] = False
        steps.regular = int(rows[regular].sum())
        steps.total = float(spans[regular].sum(dtype=np.float64))
        steps.wraps = int((ends[1:] < ends[:-1])[regular].sum())
        odd: list[np.ndarray] = []
        allowed, found = max(8, _IRREGULAR * (stop - start)), 0
        for k in np.flatnonzero(~regular).tolist():
            odd.append(self._scan_stretch(int(marks[k]), int(marks[k + 1]), steps, low, high))
            found += len(odd[-1])
            if found > allowed:
                steps.unusable = True
                return steps
        self._explain(steps, np.concatenate(odd).tolist() if odd else [], stop, low, high)
        return steps

    def _scan_stretch(self, first: int, last: int, steps: _Steps, low: float, high: float) -> np.ndarray:
        """Rows of (first, last] that do not follow the one before them regularly."""
        stamps = np.ascontiguousarray(self.clock.stamps(first, last + 1))
        valid = _valid(stamps)
        diffs = stamps[1:] - stamps[:-1]
        good = (diffs >= low) & (diffs <= high) & valid[1:] & valid[:-1]
        steps.regular += int(good.sum())
        steps.total += float(diffs[good].sum(dtype=np.float64))
        steps.wraps += int((stamps[1:] < stamps[:-1])[good].sum())
        return np.flatnonzero(~good) + first + 1

    def _explain(self, steps: _Steps, rows: list[int], stop: int, low: float, high: float) -> None:
        """Sort the irregular steps: missing stamps, wraps, single wrong stamps, gaps, steps back."""
        done = -1
        last_row, last_stamp = -1, 0.0
        for row in rows:
            if row <= done:
                continue
            if last_row < row - 1 and row - 1 > done:
                previous = self._stamp(row - 1)
                if previous is not None:
                    last_row, last_stamp = row - 1, previous
            stamp = self._stamp(row)
            if stamp is None:
                steps.unstamped += 1
                continue
            if last_row < 0:
                continue
            span, step = row - last_row, stamp - last_stamp
            expected = span * steps.interval
            slack = max(0.5 * steps.interval, 1.0)
            wrap = next((w for w in _WRAPS if step < 0 and abs(step + w - expected) <= slack), 0)
            if wrap or abs(step - expected) <= slack:
                steps.wraps += bool(wrap)
                steps.regular += span
                steps.total += step + wrap
            elif (skip := self._glitch(row, last_row, last_stamp, stop, steps.interval)) is not None:
                steps.unstamped += skip - row
                done = skip - 1
                continue
            elif step > span * steps.interval + (high - steps.interval):
                steps.jumps.append((row, step - (span - 1) * steps.interval))
            elif step < span * low:
                steps.backward.append(row)
            last_row, last_stamp = row, stamp

    def _stamp(self, row: int) -> float | None:
        value = self.clock.stamps(row, row + 1)
        return float(value[0]) if _valid(value)[0] else None

    def _glitch(self, row: int, last_row: int, last_stamp: float, stop: int, interval: float) -> int | None:
        """The row from which on the stamps again continue those before `row`, if that is soon."""
        for later in range(row + 1, min(row + 4, stop)):
            stamp = self._stamp(later)
            if stamp is not None and abs(stamp - last_stamp - (later - last_row) * interval) <= max(0.5 * interval, 1.0):
                return later
        return None

    # ---- the rate of a segment

    def _rate(self, start: int, stop: int, declared: float, steps: _Steps | None) -> tuple[float, bool]:
        where = f"rows {start}-{stop - 1}"
        if steps is not None and steps.unusable:
            if not declared:
                raise InputError(
                    f"{where} have irregular time stamps and no declared rate", path=self.path, expected="a rate, given by the user (--rate)"
                )
            self.note(f"{where}: the time stamps are irregular and were not used; the declared {declared:g} Hz gives the time")
            return declared, False
        if steps is None or steps.regular == 0 or steps.total <= 0:
            if not declared:
                if self.plan.segments and stop - start < 2:
                    return self.plan.segments[-1].sample_rate, False
                raise InputError(f"{where} have neither a declared rate nor usable time stamps", path=self.path, expected="a rate, given by the user (--rate)")
            return declared, False
        measured = steps.regular / (steps.total * self.unit)
        if not declared:
            self.note(f"{where}: no rate is declared; the time stamps give {measured:.6g} Hz")
            return measured, True
        interval = 1 / (declared * self.unit)
        rounded = steps.lowest == steps.highest and abs(steps.lowest - interval) < 1
        if self.forced or rounded or abs(measured / declared - 1) <= 2 / steps.total + 2e-6:
            return declared, False
        if stop - start < _FEW_ROWS and abs(steps.total / steps.regular - interval) <= 1.5:
            return declared, False
        ppm = (measured / declared - 1) * 1e6
        difference = f"{ppm:+.0f} ppm" if abs(ppm) < 1e4 else f"{ppm / 1e4:+.3g} %"
        self.corrected.append(f"{where}: {declared:g} Hz is declared, the time stamps give {measured:.8g} Hz ({difference}) and are used")
        return measured, True

    # ---- placing segments in time

    def _join(self, row: int, before: float, after: float) -> float:
        """Seconds from the last row of a segment to the first of the next; a gap where they are too many."""
        natural = 1 / before
        pair = self.clock.stamps(row - 1, row + 1)
        if not self.usable or not _valid(pair).all():
            return natural
        step = float(pair[1]) - float(pair[0])
        if step < 0:
            step = next((step + w for w in _WRAPS if 0 < (step + w) * self.unit <= 1.5 * max(natural, 1 / after)), step)
        seconds = step * self.unit
        if abs(seconds - natural) <= 1.5 * self.unit:
            return natural
        if seconds <= 0:
            self.note(f"row {row}: the time stamps go back by {-seconds:g} s between two rates; the row is taken to follow at once")
            return natural
        if seconds > 1.5 * max(natural, 1 / after):
            self._gap(row, seconds, after, "time stamps")
        return seconds

    def _gap(self, row: int, seconds: float, rate: float, source: str) -> int:
        samples = max(1, round(seconds * rate) - 1)
        self.plan.gaps.append((row, Gap(samples, f"the {source} jump by {seconds:.6g} s")))
        return samples

    def _place(self, start: int, stop: int, rate: float, steps: _Steps | None, seconds: float) -> float:
        """Append the segment (split where a gap is no whole number of samples); seconds of its last row."""
        if steps is not None and not steps.unusable:
            jumps = [(row, step * self.unit) for row, step in steps.jumps]
            source = "time stamps"
            if steps.backward:
                more = f" and {len(steps.backward) - 1} more" if len(steps.backward) > 1 else ""
                self.note(f"row {steps.backward[0]}{more}: the time stamp does not advance as the rate says; the row is taken to follow at once")
            if steps.unstamped:
                self.note(f"rows {start}-{stop - 1}: {steps.unstamped} time stamps are missing or wrong; the rows are taken to follow their neighbours")
            if steps.wraps:
                self.note(f"rows {start}-{stop - 1}: the time stamps wrap round {steps.wraps} times, which was undone")
        else:
            jumps, source = [(row, (missing + 1) / rate) for row, missing in self._number_jumps(start, stop)], "sample numbers"
        at, lost, tolerance = start, 0, max(0.05 / rate, 1.5 * self.unit)
        for row, jump in jumps:
            samples = self._gap(row, jump, rate, source)
            if source == "sample numbers" or abs(jump - (samples + 1) / rate) <= tolerance:
                lost += samples
                continue
            self._append(at, row, rate, seconds)
            seconds += (row - 1 - at + lost) / rate + jump
            at, lost = row, 0
        self._append(at, stop, rate, seconds)
        return seconds + (stop - 1 - at + lost) / rate

    def _append(self, start: int, stop: int, rate: float, seconds: float) -> None:
        cycle = rate / (self.nominal or 50.0)
        excluded = f"{rate:.6g} Hz is {cycle:.2g} samples per cycle, fewer than {TOO_SLOW}" if cycle < TOO_SLOW else ""
        start_ns = None if self.start_ns is None else self.start_ns + round(seconds * 1e9)
        self.plan.segments.append(Segment(start, stop, rate, start_ns, excluded))

    def _number_jumps(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Rows before which sample numbers are left out, and how many; nothing where the numbers do not count."""
        found: list[tuple[int, int]] = []
        odd = 0
        for a in range(start, stop - 1, _CHUNK):
            numbers = np.ascontiguousarray(self.clock.numbers(a, min(a + _CHUNK, stop - 1) + 1)).astype(np.float64)
            diffs = np.diff(numbers)
            if diffs.min() == diffs.max() == 1:
                continue
            rows = np.flatnonzero(diffs != 1)
            odd += len(rows)
            if odd > max(8, _IRREGULAR * (stop - start)) or 2 * odd > stop - start:
                self.note(f"rows {start}-{stop - 1}: the sample numbers do not count up; gaps cannot be recognised by them")
                return iter(())
            found += [(a + 1 + int(r), int(diffs[r]) - 1) for r in rows if 1 < diffs[r] < 1e9]
        if odd > len(found):
            self.note(f"rows {start}-{stop - 1}: {odd - len(found)} sample numbers repeat or go back; the rows are taken to follow at once")
        return iter(found)

    def _summarise(self) -> None:
        for sentence in self.corrected[:5]:
            self.note(sentence)
        if len(self.corrected) > 5:
            self.note(f"{len(self.corrected) - 5} more stretches have a rate from the time stamps that is not the declared one")
        for row, gap in self.plan.gaps[:5]:
            self.note(f"row {row}: {gap.reason}; a gap of {gap.samples} samples")
        if len(self.plan.gaps) > 5:
            self.note(f"{len(self.plan.gaps) - 5} more gaps, {sum(g.samples for _, g in self.plan.gaps[5:])} samples together")
        slow = [s for s in self.plan.segments if s.excluded]
        for segment in slow[:3]:
            self.note(f"rows {segment.start}-{segment.stop - 1} are excluded: {segment.excluded}")
        if len(slow) > 3:
            self.note(f"{len(slow) - 3} more segments are excluded for too few samples per cycle")
        low = [s for s in self.plan.segments if not s.excluded and s.sample_rate < LOW_RATE * (self.nominal or 50.0)]
        if low:
            rows = sum(s.stop - s.start for s in low)
            self.note(f"{rows} rows in {len(low)} segment{'s' if len(low) > 1 else ''} have fewer than {LOW_RATE} samples per cycle; results from them are rough")
