"""The streaming measurement: samples in, rows out, a result at the end."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from ..engine import Engine, Registration, detect_frequency
from ..errors import InputError, SettingsError
from ..recording import Block, Channel, Gap, Timebase, Wiring, nanoseconds, positive_rate, scaled
from ..settings import Settings
from .collector import Collector, Completed, Taker
from .describe import iso, plain
from .result import Result
from .rows import intake, pack, unpack
from .sides import on_side
from .stages import Stages
from .summary import Quality, add_energy, nearest_mains, summarise

__all__ = ["BLIND", "Analyzer", "settings_of"]

_RAW = (np.int16, np.int32, np.float32, np.float64)
#: Seconds looked at to find the nominal frequency, and seconds after which it is given up.
_DETECT, _GIVE_UP = 0.5, 10.0
#: Seconds of frames held until a first window shows that there is one: what is shorter is measured by cycles.
_HOLD = 1.0
#: Share of a sample by which clocks may be rounded: a sample at an instant comes after it, wherever the stretch began.
_ROUNDED = 0.1
#: A frame that no stream reaches.
_FAR = 1e14
#: A longer gap is a mistake, s: a century.
_LONGEST_GAP = 100 * 365.25 * 86_400.0
_VERSION = 5
#: What is said then.
BLIND = "a voltage without a fundamental at the start: no Urms(1/2) and no events until one is found"
#: What snapshots begin with, before the digest of the rest.
_MAGIC = b"ctmeter snapshot\n"
_DIGEST = 16


def _packed(items: Sequence[np.ndarray | Gap]) -> list[Any]:
    return [{"gap": [i.samples, i.reason]} if isinstance(i, Gap) else i for i in items]


def _unpacked(items: Sequence[Any]) -> list[np.ndarray | Gap]:
    return [Gap(*i["gap"]) if isinstance(i, dict) else i for i in items]


def settings_of(settings: Settings | Mapping[str, Any] | str | os.PathLike[str] | None) -> Settings:
    """Settings from any form in which they may be given.

    Raises
    ------
    SettingsError
        Faulty settings, or something else.
    """
    if settings is None:
        return Settings()
    if isinstance(settings, Settings):
        return settings
    if isinstance(settings, Mapping):
        return Settings.from_dict(settings)
    if not isinstance(settings, (str, os.PathLike)):
        raise SettingsError(f"settings: {settings!r}, expected Settings, a mapping or the path of a TOML file")
    return Settings.load(settings)


def _sealed(state: bytes) -> bytes:
    """A snapshot: the state behind its digest, by which damage shows."""
    return _MAGIC + hashlib.blake2b(state, digest_size=_DIGEST).digest() + state


def _opened(snapshot: bytes) -> bytes:
    """The inverse of `_sealed`; ValueError where it is damaged."""
    view = bytes(snapshot)
    head, rest = len(_MAGIC), len(_MAGIC) + _DIGEST
    if view[:head] != _MAGIC:
        raise ValueError("it does not begin as one")
    if hashlib.blake2b(view[rest:], digest_size=_DIGEST).digest() != view[head:rest]:
        raise ValueError("it is damaged: its digest does not fit")
    return view[rest:]


def _checked_channels(given: Any) -> tuple[Channel, ...]:
    """The channels, of which no two play one part."""
    if not isinstance(given, Sequence) or not all(isinstance(c, Channel) for c in given):
        raise InputError(f"channels {given!r:.200}", expected="a sequence of ctmeter.Channel")
    channels: tuple[Channel, ...] = tuple(given)
    roles = [c.role for c in channels if c.role]
    if not roles:
        names = ", ".join(c.name for c in channels) or "none"
        raise InputError(f"no channel has a role; channels: {names}", expected="a map such as U_L1=NAME,I_L1=NAME")
    twice = sorted({r for r in roles if roles.count(r) > 1})
    if twice:
        which = "; ".join(f"{r}: " + ", ".join(f"#{k} {c.name}" for k, c in enumerate(channels, 1) if c.role == r) for r in twice)
        raise InputError(f"several channels play the same part ({which})", expected="each role once")
    return channels


class Analyzer:
    """Measures a stream of samples.

    Parameters
    ----------
    settings : Settings, mapping, path of a TOML file or None
    sample_rate : float
        Hz.
    channels : sequence of Channel
        One for each column of the blocks; those with a role are measured.
    start : ISO text, datetime with zone, numpy.datetime64 (UTC) or None
        Time of the first sample.
    out : path, optional
        Directory to which rows are written as they complete; memory then stays flat.
    force : bool
        Write into a directory that ctmeter did not make.
    taker : callable, optional
        Gets the name of a table and columns of its rows, many at a time and the last ones by `finish`, instead of memory.
    instants : sequence of int
        Times, ns UTC and rising, at which the registers are read, before the first sample that is not earlier: see `readings`.

    Raises
    ------
    SettingsError, InputError, StoreError
        Faulty settings; no channel with a role, or two with one; a rate that is none; a place that holds something else.

    Notes
    -----
    Results do not depend on how the samples are split into blocks, nor on snapshots: they are the
    same to the last bit.
    """

    def __init__(
        self,
        settings: Settings | Mapping[str, Any] | str | os.PathLike[str] | None = None,
        *,
        sample_rate: float,
        channels: Sequence[Channel],
        start: str | dt.datetime | np.datetime64 | int | None = None,
        out: str | os.PathLike[str] | None = None,
        force: bool = False,
        taker: Taker | None = None,
        instants: Sequence[int] = (),
    ) -> None:
        self._instants = np.unique(np.array(instants, np.int64))
        self._settings = self._given_settings = settings_of(settings)
        self._given_channels = _checked_channels(channels)
        self._rate, self._start_ns = positive_rate(sample_rate), nanoseconds(start)
        self._first_start_ns = self._start_ns
        roles = [c.role for c in self._given_channels if c.role]
        self._channels, sides, self._notes = on_side(self._given_channels, self._settings)
        self._sides = sides
        self._wiring = Wiring(self._settings.wiring) if self._settings.wiring else Wiring.of(roles)
        self._engine: Engine | None = None
        self._stages: Stages | None = None
        self._pending: list[np.ndarray | Gap] = []
        self._held: list[np.ndarray | Gap] | None = None
        self._quality = Quality()
        self._energy: dict[str, float | None] = {}
        self._frames = self._lost = self._offset_ns = self._segment_frames = 0
        self._finished = False
        self._collector = Collector(self._settings, sides, taker)
        if out is not None:
            self._collector.write_to(out, force)

    def feed(self, block: np.ndarray | Block | Gap) -> Completed:
        """Measure some more samples.

        Parameters
        ----------
        block : ndarray, shape (n, n_channels), or Gap
            Raw frames of any number dtype, any strides.

        Returns
        -------
        mapping of table name to pyarrow.RecordBatch
            The rows completed by this call.

        Raises
        ------
        InputError
            Another shape or dtype, a gap of a century, or the analyzer has finished.
        """
        self._must_be_open()
        item: np.ndarray | Gap
        if isinstance(block, Gap):
            item = block
            if item.samples > _LONGEST_GAP * self._rate:
                raise InputError(f"a gap of {item.samples} samples at {self._rate:g} Hz", expected="one shorter than a century")
            self._lost += item.samples
            self._segment_frames += item.samples
        else:
            item = self._raw(block)
            self._collector.keep_frames(item, self._channels, self._rate)
            self._frames += len(item)
            self._segment_frames += len(item)
            if not len(item) and self._engine is None:
                return self._collector.note(0)
        lasting = isinstance(block, Block)
        if not lasting and isinstance(item, np.ndarray) and (self._engine is None or self._held is not None):
            # a caller may use the memory of its block again
            item, lasting = item.copy(), True
        if self._engine is None:
            self._pending.append(item)
            return self._start()
        waiting = self._engine.feed(item)
        full = self._stages is not None and self._stages.keep(item, lasting)
        completed = self._collector.note(waiting)
        if full:
            self._collector.gather()
        if self._held is not None:
            self._hold(item)
        return completed

    def _hold(self, *items: np.ndarray | Gap) -> None:
        """Hold the first frames of a segment, until a window completes, for `_by_cycles`."""
        enough = self._collector.windows or self._segment_frames > _HOLD * self._rate
        self._held = None if enough or self._settings.cycle else [*(self._held or ()), *items]

    def _by_cycles(self) -> None:
        """A stretch without a single window is measured again, cycle by cycle."""
        if not self._held or self._collector.windows:
            return
        engine = Engine(replace(self._settings, cycle=True), self._rate, self._channels, self._start_ns, self._wiring)
        for item in self._held:
            engine.feed(item)
        engine.flush()
        rows = engine.take().get("cycle")
        if rows is not None:
            self._collector.add({"cycle": intake(rows, self._offset_ns)})

    def _must_be_open(self) -> None:
        if self._finished:
            raise InputError("the analyzer has finished", expected="a new one")

    def _raw(self, block: np.ndarray | Block) -> np.ndarray:
        raw = block.raw if isinstance(block, Block) else np.asarray(block)
        if raw.ndim != 2 or raw.shape[1] != len(self._channels):
            raise InputError(f"a block of shape {raw.shape}", expected=f"(n, {len(self._channels)})")
        if raw.dtype in _RAW and raw.dtype.isnative:
            return raw
        if raw.dtype.kind not in "iuf":
            raise InputError(f"a block of dtype {raw.dtype}", expected="integers or floats")
        fits = raw.dtype.kind in "iu" and (raw.dtype.itemsize < 4 or (raw.dtype.kind == "i" and raw.dtype.itemsize == 4))
        return raw.astype(np.int32 if fits else np.float64)

    def _start(self, last: bool = False) -> Completed:
        """Begin measuring once the nominal frequency is known."""
        if self._settings.nominal_frequency is None:
            found = self._detect(last)
            if found is None:
                return self._collector.note(0)
            self._settings = replace(self._settings, nominal_frequency=found)
        self._engine = Engine(self._settings, self._rate, self._channels, self._start_ns, self._wiring, registration=self._registration())
        if self._stages is None:
            self._stages = Stages(self._settings, self._channels, self._wiring)
        self._collector.add(self._stages.begin(Timebase(self._start_ns, self._rate), self._offset_ns))
        self._collector.follow(self._engine, self._offset_ns, self._stages)
        waiting = 0
        for item in self._pending:
            waiting = self._engine.feed(item)
            self._stages.keep(item, True)
        rows = self._collector.note(waiting)
        self._held = []
        self._hold(*self._pending)
        self._pending = []
        return rows

    def _registration(self) -> Registration | None:
        """What is wanted of the registers in the stretch that begins; None where nothing is."""
        if not len(self._instants):
            return None
        return Registration(instants=self._ahead(Timebase(self._start_ns, self._rate)).tolist())

    def _ahead(self, timebase: Timebase) -> np.ndarray:
        """The instants behind the first frame of a timebase, as its frames."""
        begin = timebase.start_ns or 0
        # a second more than is needed: there may be one for each of ten thousand files
        after = self._instants[np.searchsorted(self._instants, begin - 1_000_000_000) :] - begin
        whole, rest = np.divmod(after, 1_000_000_000)
        frames = np.unique(np.ceil(whole * timebase.sample_rate + rest * 1e-9 * timebase.sample_rate - _ROUNDED) - 0.5)
        frames = frames[frames > -0.5]
        # with no instant ahead registers are read at the end of the run all the same
        return frames if len(frames) else np.array([_FAR])

    @property
    def events(self) -> Sequence[Mapping[str, Any]]:
        """The events found so far: rows of the table `events` as mappings, times in ns."""
        return self._collector.events

    def readings(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """How the registers stood, where `instants` were asked for.

        Returns
        -------
        t : ndarray of int64, shape (n,)
            The instants that lie in what was measured, and each end of a run, or of what had its times by one clock; ns UTC.
        energy : ndarray of float64, shape (n, 40)
            Ws since the first sample: total, L1, L2, L3, each as in `ctmeter.quantity.ENERGIES`.
        stretch : ndarray of int64, shape (n,)
            How often a segment had begun, or the clock been set, before.
        """
        found = self._collector.readings
        if not found:
            return np.zeros(0, np.int64), np.zeros((0, 40)), np.zeros(0, np.int64)
        t, energy, stretch = (np.concatenate(values) for values in zip(*found, strict=True))
        return t, energy, stretch

    def _detect(self, last: bool) -> float | None:
        """The nominal frequency, by runs of frames that do not depend on how they were split."""
        need = max(int(_DETECT * self._rate), 1)
        for piece in self._runs(need, last):
            found = detect_frequency(piece, self._rate)
            if found is not None and np.isfinite(found) and found > 0:
                nominal = nearest_mains(found)
                self._notes.append(f"nominal frequency {nominal:g} Hz, detected ({found:.5g} Hz)")
                return nominal
        waited = sum(len(i) if isinstance(i, np.ndarray) else i.samples for i in self._pending)
        if last or waited >= _GIVE_UP * self._rate:
            self._notes.append("no frequency could be detected: nominal frequency taken as 50 Hz (--fn)")
            return 50.0
        return None

    def _runs(self, need: int, last: bool) -> list[np.ndarray]:
        """Voltages (else what there is) of the waiting frames, `need` at a time, never across a gap."""
        voltages = [k for k, c in enumerate(self._channels) if c.role and c.role[0] == "U"]
        voltages = voltages or [k for k, c in enumerate(self._channels) if c.role]
        pieces: list[np.ndarray] = []
        run: list[np.ndarray] = []
        for item in [*self._pending, None]:
            if isinstance(item, np.ndarray):
                run.append(item)
            elif run:
                values = scaled(np.concatenate(run), self._channels)[:, voltages]
                cut = [values[k : k + need] for k in range(0, len(values), need)]
                whole = item is not None or last or len(cut[-1]) == need
                pieces += cut if whole else cut[:-1]
                run = []
        return pieces

    def set_clock(self, ns: int) -> bool:
        """Go on with the next sample as if nothing were missing, at a time of its own that differs a little from what the samples say.

        Parameters
        ----------
        ns : int
            ns UTC.

        Returns
        -------
        bool
            Whether that is possible: not before the measurement has begun, nor without a clock.
        """
        self._must_be_open()
        if self._engine is None or self._start_ns is None:
            return False
        seam = self._segment_frames
        # the registers are read at the seam, as the clock before leaves them; what it has not reached there is reached
        later = self._engine.set_clock(ns, seam + np.append(-0.5, self._ahead(Timebase(ns, self._rate))))
        if self._stages is not None:
            self._stages.set_clock(seam, later)
        return True

    def next_segment(
        self, sample_rate: float, start: str | dt.datetime | np.datetime64 | int | None = None, *, elapsed_ns: int | None = None
    ) -> None:
        """Go on at another sample rate or after a jump of the clock; energies and rows are one result.

        Parameters
        ----------
        sample_rate : float
            Hz.
        start : ISO text, datetime with zone, numpy.datetime64 (UTC) or None
            Time of the next sample.
        elapsed_ns : int, optional
            Where there is no clock, its time since the start of the recording; that of what was fed where not given.
        """
        self._must_be_open()
        self._end_segment(more=True)
        if elapsed_ns is not None and start is None:
            self._offset_ns = elapsed_ns
        self._rate, self._start_ns = positive_rate(sample_rate), nanoseconds(start)
        if not self._frames:
            self._first_start_ns = self._start_ns

    def _end_segment(self, more: bool) -> None:
        """Let the engine give out what it still holds, and add up its energies and counts; `more` where another segment follows."""
        if not self._segment_frames:
            return
        if self._engine is None:
            self._start(last=True)
        if self._engine is not None:
            self._engine.flush()
            self._collector.end(more)
            self._by_cycles()
            self._energy = add_energy(self._energy, self._engine.energy)
            self._quality.add(self._engine.quality, self._rate)
            if self._engine.blind and BLIND not in self._notes:
                self._notes.append(BLIND)
        if self._start_ns is None:
            self._offset_ns += round(self._segment_frames / self._rate * 1e9)
        self._engine, self._held, self._segment_frames = None, None, 0

    def finish(self, *, recording: dict[str, Any] | None = None, notes: Sequence[str] = (), excluded: Mapping[str, int] | None = None) -> Result:
        """End the stream.

        Parameters
        ----------
        recording : dict, optional
            What the recording is, for the summary; made from the stream where not given.
        notes : sequence of str
            Further warnings for the summary.
        excluded : mapping of reason to samples, optional
            Samples of the recording that were never fed.

        Returns
        -------
        Result
        """
        self._must_be_open()
        self._end_segment(more=False)
        self._finished = True
        for reason, samples in (excluded or {}).items():
            self._quality.exclude(samples, reason)
        table, statistics, events = self._collector.close()
        summary = summarise(
            recording=recording or self._describe(),
            settings=self._settings,
            wiring=self._wiring,
            sides=self._sides,
            energy=self._energy,
            statistics=statistics,
            source_table=table,
            events=events,
            quality=self._quality,
            notes=[*notes, *self._notes],
        )
        return self._collector.result(summary, [c.role for c in self._channels])

    def _describe(self) -> dict[str, Any]:
        start, duration = self._first_start_ns, (self._frames + self._lost) / self._rate
        return {
            "source": None,
            "size": None,
            "format": "stream",
            "start": iso(start),
            "end": None if start is None else iso(start + round(duration * 1e9)),
            "duration_s": duration,
            "sample_rate_hz": self._rate,
            "segments": [{"start": iso(start), "samples": self._frames, "sample_rate_hz": self._rate, "excluded": None}],
            "samples": self._frames,
            "channels": [plain(asdict(c)) for c in self._channels],
            "warnings": [],
        }

    def discard(self) -> None:
        """Give up; an unfinished output directory is removed."""
        self._finished = True
        self._collector.discard()

    def snapshot(self) -> bytes:
        """The whole state, for `restore`; written output is closed up to here."""
        import msgspec

        self._must_be_open()
        if len(self._instants):
            raise InputError("an analyzer that reads registers at instants", expected="one without, for a snapshot")
        self._collector.gather()  # before the engine is asked, so that no row is in both
        state = {
            "version": _VERSION,
            "settings": self._given_settings.to_dict(),
            "nominal_frequency": self._settings.nominal_frequency,
            "channels": [asdict(c) for c in self._given_channels],
            "times": [self._rate, self._start_ns, self._first_start_ns, self._offset_ns],
            "counts": [self._frames, self._lost, self._segment_frames],
            "notes": self._notes,
            "engine": None if self._engine is None else self._engine.snapshot(),
            "pending": _packed(self._pending),
            "held": None if self._held is None else _packed(self._held),
            "quality": [self._quality.state(), self._quality.seconds],
            "energy": self._energy,
            "collector": self._collector.state(),
        }
        encoded: bytes = msgspec.msgpack.encode(pack(state))
        return _sealed(encoded)

    @classmethod
    def restore(cls, snapshot: bytes) -> Analyzer:
        """An analyzer that goes on where `snapshot` was taken.

        Raises
        ------
        InputError
            Not a snapshot of this version, or a damaged one.
        StoreError
            The unfinished output directory is gone.
        """
        import msgspec

        try:
            state = unpack(msgspec.msgpack.decode(_opened(snapshot)))
            if state["version"] != _VERSION:
                raise ValueError(f"version {state['version']}")
            settings = Settings.from_dict(state["settings"])
            channels = [Channel(**{**c, "range": c["range"] and tuple(c["range"])}) for c in state["channels"]]
        except (msgspec.DecodeError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"not a snapshot that can be restored: {error}") from None
        made = cls(settings, sample_rate=state["times"][0], channels=channels)
        made._rate, made._start_ns, made._first_start_ns, made._offset_ns = state["times"]
        made._frames, made._lost, made._segment_frames = state["counts"]
        made._notes = state["notes"]
        made._settings = replace(settings, nominal_frequency=state["nominal_frequency"])
        if state["engine"] is not None:
            made._engine = Engine.restore(state["engine"])
        made._pending = _unpacked(state["pending"])
        made._held = None if state["held"] is None else _unpacked(state["held"])
        made._quality, made._energy = Quality(state["quality"][0]), state["energy"]
        made._quality.seconds = state["quality"][1]
        stages = state["collector"]["stages"]
        if stages is not None:
            made._stages = Stages(made._settings, made._channels, made._wiring)
            made._stages.resume(stages, Timebase(made._start_ns, made._rate), made._offset_ns)
        made._collector.follow(made._engine, made._offset_ns, made._stages)
        made._collector.resume(state["collector"])
        return made
