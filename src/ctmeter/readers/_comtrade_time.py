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
from ..recording import LOW_RATE, LOWEST_RATE, TOO_SLOW, Gap, Segment
from ._comtrade_dat import RowClock
from ._comtrade_steps import WRAPS, Steps, measure_steps, valid
from ._comtrade_wraps import unwrapped

__all__ = ["Plan", "plan_time"]

_CHUNK = 1 << 15
#: Above this share of irregular sample numbers they say nothing.
_IRREGULAR = 0.01
#: Stamps of which each was rounded for itself give no rate to a stretch shorter than this.
_FEW_ROWS = 100
_GIVE_RATE = "a rate, given by the user (--rate)"


@dataclass
class Plan:
    """What came out: segments, gaps and what was odd."""

    segments: list[Segment] = field(default_factory=list)
    gaps: list[tuple[int, Gap]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    from_stamps: list[bool] = field(default_factory=list)


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
        No rate is declared and the stamps give none, or one below `LOWEST_RATE` is.
    """
    return _Planner(clock, rates, unit, multiplier, start_ns, nominal, path, forced_rate).run()


@dataclass
class _Planner:
    clock: RowClock
    rates: list[tuple[float, int]]
    unit: float
    multiplier: float
    start_ns: int | None
    nominal: float | None
    path: Path
    forced: float | None
    plan: Plan = field(default_factory=Plan)
    usable: bool = False
    corrected: list[str] = field(default_factory=list)

    def note(self, sentence: str) -> None:
        self.plan.warnings.append(f"{self.path.name}: {sentence}")

    def run(self) -> Plan:
        self._look_at_stamps()
        bounds = [0, *(end for _, end in self.rates)]
        seconds, before = 0.0, None
        for k, (declared, stop) in enumerate(self.rates):
            start = bounds[k]
            if not self.forced and 0 < declared < LOWEST_RATE:
                wanted = f"at least {LOWEST_RATE:g} Hz, 0, or --rate HZ"
                raise InputError(f"a declared sample rate of {declared:g} Hz", path=self.path, expected=wanted)
            rate = self.forced or declared
            steps = measure_steps(self.clock, start, stop, rate, self.unit, bool(self.forced)) if self.usable else None
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
        going_on = unwrapped(self.clock)
        if going_on is not None:
            self.clock = going_on
            self.note(f"the time stamps have 16 bits and wrap round {len(going_on.wraps)} times, which was undone")
        rows = self.clock.rows
        start, stop = max(zip([0, *(e for _, e in self.rates)], (e for _, e in self.rates), strict=False), key=lambda s: s[1] - s[0])
        head = self.clock.stamps(start, min(stop, start + 4096))
        there = valid(head)
        if not there.any():
            if all(not valid(self.clock.stamps(a, min(a + _CHUNK, rows))).any() for a in range(0, rows, _CHUNK)):
                kind = "all ones" if head.dtype.kind == "u" else "empty"
                self.note(f"every time stamp is {kind}; " + self._instead())
            else:
                self.note("most time stamps are missing; " + self._instead())
            return
        steps = np.diff(head[there].astype(np.float64))
        if rows < 2 or not len(steps):
            return
        if not steps.any():
            self.note(f"the time stamps stand still at {head[there][0]:.0f}; " + self._instead())
            return
        self.usable = True
        self._check_unit(float(np.median(steps)), self.forced or self._declared(start))
        first = self.clock.stamps(0, 1)
        if valid(first)[0] and first[0] != 0:
            self.note(f"the first time stamp is {first[0]:.0f}, not 0; the start time of the CFG is taken as that of the first row")

    def _instead(self) -> str:
        return "the declared rate gives the time" if self.forced or any(rate for rate, _ in self.rates) else "nothing gives the time"

    def _declared(self, row: int) -> float:
        return next(rate for rate, end in self.rates if row < end)

    def _check_unit(self, step: float, rate: float) -> None:
        """Stamps in another unit than the standard's are recognised by a declared rate they then agree with."""
        if not rate or step <= 0 or abs(step * self.unit * rate - 1) < 0.02 or abs(step - 1 / (rate * self.unit)) <= 1:
            return
        for factor in (1e-3, 1e3, 1e6, 1 / self.multiplier):
            if abs(step * self.unit * factor * rate - 1) < 0.01:
                self.unit *= factor
                self.note(f"the time stamps step by {step:g}, which fits the declared {rate:g} Hz only if one count is {self.unit:g} s; taken so")
                return
        if not 0.5 < step * self.unit * rate < 2:
            self.unit = 1 / (step * rate)
            self.note(f"the time stamps step by {step:g}, which fits the declared {rate:g} Hz in no unit; the steps are taken as sample intervals")

    # ---- the rate of a segment

    def _rate(self, start: int, stop: int, declared: float, steps: Steps | None) -> tuple[float, bool]:
        where = f"rows {start}-{stop - 1}"
        if steps is not None and steps.unusable:
            if not declared:
                raise InputError(f"{where} have irregular time stamps and no declared rate", path=self.path, expected=_GIVE_RATE)
            self.note(f"{where}: the time stamps are irregular and were not used; the declared {declared:g} Hz gives the time")
            return declared, False
        if steps is None or steps.regular == 0 or steps.total <= 0:
            if not declared:
                if self.plan.segments and stop - start < 2:
                    return self.plan.segments[-1].sample_rate, False
                raise InputError(f"{where} have neither a declared rate nor usable time stamps", path=self.path, expected=_GIVE_RATE)
            return declared, False
        measured = steps.regular / (steps.total * self.unit)
        if not declared:
            self.note(f"{where}: no rate is declared; the time stamps give {measured:.6g} Hz")
            return measured, True
        interval = 1 / (declared * self.unit)
        rounded = steps.lowest == steps.highest and abs(steps.lowest - interval) < 1
        if self.forced or rounded or abs(measured / declared - 1) <= 2 * steps.resolution / steps.total + 2e-6:
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
        if not self.usable or not valid(pair).all():
            return natural
        step = float(pair[1]) - float(pair[0])
        if step < 0:
            step = next((step + w for w in WRAPS if 0 < (step + w) * self.unit <= 1.5 * max(natural, 1 / after)), step)
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

    def _place(self, start: int, stop: int, rate: float, steps: Steps | None, seconds: float) -> float:
        """Append the segment (split where a gap is no whole number of samples); seconds of its last row."""
        if steps is not None and not steps.unusable:
            jumps = [(row, step * self.unit) for row, step in steps.jumps]
            source = "time stamps"
            if steps.backward:
                more = f" and {len(steps.backward) - 1} more" if len(steps.backward) > 1 else ""
                self.note(f"row {steps.backward[0]}{more}: the time stamp does not advance as the rate says; the row is taken to follow at once")
            if steps.unstamped:
                self.note(f"rows {start}-{stop - 1}: {steps.unstamped} time stamps are missing or wrong; the rows follow their neighbours")
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
            where = f"{rows} rows in {len(low)} segment{'s' if len(low) > 1 else ''}"
            self.note(f"{where} have fewer than {LOW_RATE} samples per cycle; results from them are rough")
