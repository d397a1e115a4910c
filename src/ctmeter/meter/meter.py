"""The meter as people use it: a store, recordings that go into it, and what can be read from it."""

from __future__ import annotations

import errno
import getpass
import json
import os
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from ..errors import CtmeterError, InputError, SettingsError, StoreError
from ..pipeline.describe import program
from ..pipeline.drive import Progress, drive
from ..pipeline.run import Layers, detected, open_recording
from ..pipeline.summary import nearest_mains
from ..recording import Recording, nanoseconds
from ..store.ledger import Finding, Ledger
from .config import MeterConfig
from .configuring import adapted, changed, cleared, ready, refused
from .feeding import Feeding, Place, streams
from .incoming import content_of, measuring, moved, phases
from .inputs import Change, changes
from .legal import program_hash
from .logs import archive
from .machine import Machine
from .profile import depth_of
from .pulses import Output
from .quality import GOOD, Quality
from .readings import Indicators, Reading
from .show import shown
from .tables import TABLES
from .values import readings
from .watch import Event

__all__ = ["Fed", "Meter"]

_NS = 1_000_000_000


@dataclass(frozen=True)
class Fed:
    """What became of one recording.

    Parameters
    ----------
    source : str
    status : {"fed", "resumed", "duplicate", "skipped", "failed"}
    start_ns, end_ns : int or None
        The time that it added, ns UTC.
    samples : int
    notes : tuple of str
        What a user should know.
    error : Exception, optional
        Why it failed.
    """

    source: str
    status: str
    start_ns: int | None = None
    end_ns: int | None = None
    samples: int = 0
    notes: tuple[str, ...] = ()
    error: CtmeterError | None = None


class Meter:
    """A meter with its store.

    Made by `create` or `open`; a context manager that closes it.

    Attributes
    ----------
    config : MeterConfig
    machine : Machine
        The state of the last commit; of a meter opened for reading too.
    ledger : Ledger
        The store.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        state = ledger.state()
        self.config = MeterConfig.from_dict(state["config"])
        self._load(state)
        if not ledger.readonly and state["program"] != program_hash():
            self._commit(state={"program": program_hash()}, audit=[("program", {"old": state["program"], "new": program_hash()})])

    def _load(self, state: Mapping[str, Any]) -> None:
        """The state of the last commit."""
        self.machine = Machine(self.config)
        if state["machine"] is not None:
            self.machine.resume(state["machine"])
        self._place = None if state["place"] is None else Place(**state["place"])
        self._carry: dict[str, float] = dict(state["carry"])
        self._running = bool(state["running"])
        self._outputs = {s.name: Output(s.width, self.config.pulse_queue) for s in streams(self.config)}
        for name, values in state["outputs"].items():
            if name in self._outputs:
                self._outputs[name].resume(values)

    # -- making and opening -----------------------------------------------------------------------------------

    @classmethod
    def create(cls, path: str | os.PathLike[str], config: MeterConfig | Mapping[str, Any] | str | os.PathLike[str] | None = None) -> Self:
        """Make a store for a new meter.

        Parameters
        ----------
        path : path
            The file; it does not exist yet.
        config : MeterConfig, mapping, path of a TOML file, optional

        Raises
        ------
        SettingsError
            A faulty configuration; it names every fault.
        StoreError
            The file exists, or cannot be written.
        """
        chosen = ready(_config_of(config))
        values = json.dumps(chosen.to_dict(), default=list)
        facts = program()
        ledger = Ledger.create(path, TABLES, {"program": facts["name"], "version": facts["version"], "legal": program_hash(), "config": values})
        try:
            state = {
                "config": json.loads(values), "program": program_hash(), "machine": None, "place": None, "carry": {}, "running": False, "outputs": {},
            }  # fmt: skip
            ledger.commit(state=state, appends={"audit": [_audit("create", {"config": json.loads(values)})]})
            return cls(ledger)
        except BaseException:
            ledger.close()
            raise

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, readonly: bool = False) -> Self:
        """Open a store.

        Raises
        ------
        StoreError
            No store, one that another process writes, a damaged one, or one of a newer version.
        """
        ledger = Ledger.open(path, readonly)
        try:
            if "registers" not in ledger.tables:
                raise StoreError(errno.EIO, "is a register store, but not that of a meter", os.fspath(path))
            return cls(ledger)
        except BaseException:
            ledger.close()
            raise

    def close(self) -> None:
        """Give the store free."""
        self.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- feeding ----------------------------------------------------------------------------------------------

    def feed(
        self,
        sources: Recording | str | os.PathLike[str] | Sequence[Recording | str | os.PathLike[str]],
        *,
        start: str | None = None,
        events: Iterable[Change] = (),
        progress: Progress | None = None,
        every_s: float = 600.0,
        rate: float | None = None,
        keep_going: bool = False,
        **overrides: Any,
    ) -> list[Fed]:
        """Measure recordings into the registers, in the order of their time.

        Parameters
        ----------
        sources : Recording, path, or a sequence of them
        start : str, optional
            ISO 8601 time of the first sample, or "next" for where the last recording ended; for a recording without a clock.
        events : iterable of Change
            What happened beside the recordings: tampering, tariffs by register. Of a time that is in the registers
            already they are left out.
        progress : callable, optional
            Gets the share that is done of the recording at hand.
        every_s : float
            s of recording between commits.
        rate : float, optional
            Sample rate in Hz, where the file's cannot be believed.
        keep_going : bool
            Go on with the next one where a recording cannot be fed; its `Fed` has the error.
        **overrides
            Settings of the recording: `map`, `ct_ratio`, `vt_ratio`, `nominal_frequency`.

        Returns
        -------
        list of Fed

        Raises
        ------
        InputError
            A recording that cannot be read, that has no time, or that overlaps with what is in.
        SettingsError
            Faulty settings, or such as contradict the meter's.
        StoreError
            The store cannot be written; what was committed stands, and the same recordings can be fed again.

        Notes
        -----
        A recording that is in already, known by its content, is left out.
        """
        given = [sources] if isinstance(sources, (Recording, str, os.PathLike)) else list(sources)
        legal = measuring(self.config)
        faults = [f"{k}: {v!r}, but the meter measures with {legal[k]!r}" for k, v in overrides.items() if k in legal and legal[k] != v]
        if start not in (None, "next") and len(given) > 1:
            faults.append(f'start: one time for {len(given)} recordings; feed them one by one, or with "next"')
        if faults:
            raise SettingsError(faults)
        failed: list[Fed] = []
        todo: list[tuple[Recording, Layers, int]] = []
        with ExitStack() as closing:
            for source in given:
                layers = Layers(legal, overrides)
                try:
                    recording, ours = open_recording(source, layers, rate)
                    if ours:
                        closing.callback(recording.close)
                    # where the one before will have ended is not known yet
                    todo.append((recording, layers, 0 if start == "next" else self._start_of(recording, start)))
                except (InputError, SettingsError) as error:
                    if not keep_going:
                        raise
                    failed.append(Fed(str(source), "failed", error=error))
            return [*self._feed_all(todo, start, list(events), progress, every_s, keep_going), *failed]

    def _feed_all(
        self,
        todo: Sequence[tuple[Recording, Layers, int]],
        start: str | None,
        events: list[Change],
        progress: Progress | None,
        every_s: float,
        keep_going: bool,
    ) -> Iterator[Fed]:
        """Feed recordings that are open, in the order of their time; of "next", in the order given."""
        order = sorted(todo, key=lambda t: t[2])
        for place, (recording, layers, begins) in enumerate(order):
            until = order[place + 1][2] if place + 1 < len(order) and self.config.overlap == "last" and start != "next" else None
            try:
                at = self._start_of(recording, start) if start == "next" else begins
                fed = self._feed(recording, layers, at, until, events, progress, every_s)
            except (InputError, SettingsError, StoreError) as error:
                # what the store itself refuses, the next recording would meet too
                if isinstance(error, InputError) and error.path is None:
                    error = InputError(error.problem, path=recording.path, expected=error.expected)
                if not keep_going or (isinstance(error, StoreError) and error.errno != errno.EBUSY):
                    raise error from None
                fed = Fed(os.fspath(recording.path or "samples"), "failed", error=error)
            if fed.status == "fed":
                events = []
            yield fed

    def _start_of(self, recording: Recording, start: str | None) -> int:
        if start == "next":
            if self.machine.now_ns is None:
                raise InputError('no recording to follow: "next" needs one', path=recording.path)
            return self.machine.now_ns
        at = recording.start_ns if start is None else nanoseconds(start)
        if at is None:
            raise InputError("the recording has no clock", path=recording.path, expected="the time of its first sample (--start TIME, or next)")
        return at

    def _feed(
        self,
        recording: Recording,
        layers: Layers,
        start_ns: int,
        until_ns: int | None,
        events: list[Change],
        progress: Progress | None,
        every_s: float,
    ) -> Fed:
        source = Path(recording.path).name if recording.path is not None else "samples"
        content = content_of(recording)
        if any(sha == content for (sha,) in self.ledger.rows("recordings", columns=["sha256"])):
            return Fed(source, "duplicate", notes=("its content is in the registers already",))
        missing = phases(recording, str(self.config.wiring))
        place = self._resumed(content, source)
        low, quality, notes = (place.low, GOOD, []) if place else self._overlap(recording, start_ns)
        if place is not None:
            start_ns = place.start_ns
        if low >= recording.duration:
            return Fed(source, "skipped", notes=("all of its time is in the registers already",))
        if missing:
            notes.append(f"no voltage with a current on {' and '.join(missing)}: nothing is registered there")
        layers.of_file(recording)
        settings = layers.settings()
        settings = replace(settings, nominal_frequency=settings.nominal_frequency or nearest_mains(detected(recording) or 50.0))
        resumed, begin = place is not None, self.machine.now_ns
        if place is None:
            carry = [self._carry.get(s.name, 0.0) for s in streams(self.config)]
            place = Place(content, source, start_ns, low, carry=carry, running=self._running)
        names = (self.config.input_1, self.config.input_2)
        said: list[Change] = []
        if not resumed:
            beside = [e for e in events if (begin is None or e.t_ns > begin) and e not in self.machine.ordered]
            said = [*changes(recording, self.config.terminals, names, start_ns), *beside]
            if len(beside) < len(events):
                notes.append(f"{len(events) - len(beside)} of {len(events)} events are of a time that is in the registers already, and were left out")
        feeding = Feeding(
            self.machine, self._outputs, settings, recording.channels, place, said, lambda: self._store(feeding.place),
            every_s=every_s, quality=quality,
        )  # fmt: skip
        try:
            drive(moved(recording, start_ns), feeding, (low or None, None if until_ns is None else max((until_ns - start_ns) / _NS, 0.0)), progress)
            feeding.finish()
            counts = json.dumps(feeding.counts, sort_keys=True)
            first = start_ns if begin is None else max(start_ns, begin)
            row = (start_ns, self.machine.now_ns, source, content, feeding.samples, counts)
            self._carry |= {s.name: c for s, c in zip(streams(self.config), feeding.place.carry, strict=True)}
            self._running = feeding.place.running
            self._store(None, {"recordings": [row]}, [("feed", {"source": source, "sha256": content})])
        except BaseException:
            # back to the last commit, which is what the store has
            self._load(self.ledger.state())
            raise
        return Fed(source, "resumed" if resumed else "fed", first, self.machine.now_ns, feeding.samples, (*notes, *feeding.notes))

    def _resumed(self, content: str, source: str) -> Place | None:
        """Where to go on with a recording that was begun."""
        if self._place is None:
            return None
        if self._place.sha256 != content:
            raise StoreError(
                errno.EBUSY,
                f"{self._place.source} was begun and has not ended: feed it again before {source}, or give it up (abandon)",
                self.ledger.path,
            )
        return self._place

    def _overlap(self, recording: Recording, start_ns: int) -> tuple[float, Quality, list[str]]:
        """Seconds of a recording to leave out because their time is in already."""
        now = self.machine.now_ns
        # half a sample interval of the last recording, and one of this one, belong to neither
        if now is None or start_ns >= now - round(2 * _NS / recording.sample_rate):
            return 0.0, GOOD, []
        over = (now - start_ns) / _NS
        if self.config.overlap == "first":
            return over, Quality.OVERLAP, [f"its first {over:.6g} s are in the registers already and were left out"]
        what = "its time is in the registers already" if over >= recording.duration else f"its first {over:.6g} s are in the registers already"
        raise InputError(what, path=recording.path, expected="a recording that begins where the last one ended (or overlap = first)")

    # -- storing ----------------------------------------------------------------------------------------------

    def _store(
        self,
        place: Place | None,
        appends: Mapping[str, list[tuple[Any, ...]]] | None = None,
        audit: Sequence[tuple[str, Mapping[str, Any]]] = (),
        keep: Mapping[str, int] | None = None,
    ) -> None:
        """One commit: everything that has become final, and where the machine and the recording stand."""
        rows: dict[str, Any] = self.machine.take()
        due = rows.pop("due", [])
        pulses = [_pulse_row(name, [t for n, t in due if n == name]) for name in dict.fromkeys(name for name, _ in due)]
        rows |= {"pulses": [p for p in pulses if p is not None], **(appends or {})}
        self._place = place
        state = {
            "machine": self.machine.state(),
            "place": None if place is None else asdict(place),
            "carry": self._carry,
            "running": self._running,
            "outputs": {name: output.state() for name, output in self._outputs.items()},
            "config": json.loads(json.dumps(self.config.to_dict(), default=list)),
        }
        self._commit(rows, state, audit, keep)

    def _commit(
        self,
        appends: Mapping[str, Any] | None = None,
        state: Mapping[str, Any] | None = None,
        audit: Sequence[tuple[str, Mapping[str, Any]]] = (),
        keep: Mapping[str, int] | None = None,
    ) -> None:
        """Registers as they stand and what else is given; of the loggers named in `keep` only so many rows stay."""
        registers = self.machine.registers
        totals = [(n, registers.value(n), registers.value(n, "primary")) for n in registers.names()]
        current = [(n, s, p, registers.remainder(n) if "_T" not in n else 0.0, p // (10**7 * 3_600_000_000)) for n, s, p in totals]
        rows = {**(appends or {}), "audit": [_audit(action, detail) for action, detail in audit]}
        depth = depth_of(self.config.profile_depth, len(self.config.profile_energies), self.config.period, self.config.country)
        trims = {"logger2": self.config.logger_2_depth} | ({} if depth is None else {"profile": depth}) | dict(keep or {})
        self.ledger.commit(rows, {"registers": current}, trims, state)

    def change_ratio(self, ratio: int | str, *, at: str | None = None, reason: str = "") -> None:
        """Another transformer ratio, from now on or from a later instant.

        Parameters
        ----------
        ratio : int or str
            1 to 600, or "200/5".
        at : str, optional
            ISO 8601 time; it may lie within a recording yet to be fed. Now is where the last recording ended.
        reason : str
            For the audit trail.

        Raises
        ------
        SettingsError
            Not a ratio, a time that has passed, or the ratio is locked; the attempt stands in the audit trail.
        """
        old = self.machine.registers.ratio
        try:
            new = MeterConfig(ct_ratio=ratio).ct_ratio  # type: ignore[arg-type]
        except SettingsError as error:
            raise SettingsError([f.replace("ct_ratio", "ratio") for f in error.faults]) from None
        detail = {"old": old, "new": new, "at": at, "reason": reason}
        if self.config.ratio_locked:
            self._commit(audit=[("ratio refused", {**detail, "why": "locked"})])
            raise SettingsError("ratio: it is locked (Z22)")
        if self._place is not None:
            raise SettingsError(f"ratio: {self._place.source} was begun and has not ended; feed it first")
        now = self.machine.now_ns
        at_ns = (0 if now is None else now) if at is None else nanoseconds(at)
        if at_ns is None or (now is not None and at_ns < now):
            raise SettingsError(f"ratio: {at} has passed, expected a time from where the last recording ended")
        if at is None:
            self.machine.change_ratio(at_ns, new)
        else:
            self.machine.schedule(Change(at_ns, "ratio", new))
        self._store(self._place, audit=[("ratio", detail)])

    def configure(self, *, archive_old: bool = False, reason: str = "", **changes: Any) -> list[Path]:
        """Change fields of the configuration from where the last recording ended.

        Parameters
        ----------
        archive_old : bool
            Write loggers whose rows cannot go on with the change to Parquet files beside the store, and begin them anew.
        reason : str
            For the audit trail.
        **changes
            Fields of `MeterConfig` that are not legally relevant (`configuring.LEGAL`), with their new values.

        Returns
        -------
        list of Path
            The archives.

        Raises
        ------
        SettingsError
            A legally relevant field, or a change that would drop rows without `archive_old`: the attempt stands in the audit
            trail. Faulty values; it names every fault.
        StoreError
            An archive or the store cannot be written; nothing has changed then.
        """
        faults = refused(self.config, changes)
        if faults:
            self._commit(audit=[("configuration refused", {"changes": changes, "why": faults, "reason": reason})])
            raise SettingsError(faults)
        old, new = self.config, changed(self.config, changes)
        before, after = old.to_dict(), new.to_dict()
        differ = {name: {"old": before[name], "new": after[name]} for name in after if before[name] != after[name]}
        if not differ:
            return []
        if self._place is not None:
            raise SettingsError(f"configuration: {self._place.source} was begun and has not ended; feed it first")
        rows = {name: len(self.ledger.rows(name, columns=["seq"])) for name in ("profile", "analysis", "logger2")}
        keep = cleared(old, new, rows)
        if keep and not archive_old:
            what = ", ".join(differ)
            why = [f"{what}: {rows[k] - n} of {rows[k]} rows of {k} would be lost; archive_old keeps them in a file" for k, n in keep.items()]
            self._commit(audit=[("configuration refused", {"changes": differ, "why": why, "reason": reason})])
            raise SettingsError(why)
        archives = [archive(self, name) for name in keep]
        detail = {"changes": differ, "reason": reason, "archives": [p.name for p in archives]}
        state = self.ledger.state()
        try:
            self.config = new
            self._load({**state, "machine": None if state["machine"] is None else adapted(state["machine"], old, new)})
            self.machine.event(Event(self.machine.now_ns or 0, "configuration", detail=detail))
            self._store(None, audit=[("configuration", detail)], keep=keep)
        except BaseException:
            self.config = old
            self._load(self.ledger.state())
            raise
        return archives

    def abandon(self) -> str | None:
        """Give up a recording that was begun and cannot be fed to its end.

        What is in of it stays, the rest of it is missing time. The way of its pulse trains to their next pulse begins anew.

        Returns
        -------
        str or None
            The recording; None where none was begun.

        Raises
        ------
        StoreError
            The store cannot be written.
        """
        if self._place is None:
            return None
        place = self._place
        self._carry, self._running = {}, place.running
        row = (place.start_ns, self.machine.now_ns, place.source, place.sha256, None, json.dumps({"abandoned": True}))
        self._store(None, {"recordings": [row]}, [("abandon", {"source": place.source, "sha256": place.sha256})])
        return place.source

    # -- reading ----------------------------------------------------------------------------------------------

    @property
    def side(self) -> str:
        """The side that is shown unless another is asked for: primary once there is a ratio."""
        return "primary" if any(e.ratio != 1 for e in self.machine.registers.epochs) else "secondary"

    def readings(self, side: str | None = None) -> list[Reading]:
        """Every reading there is; of energies, demands, powers and currents those of one side."""
        return readings(self.machine, side or self.side, int(bool(self.faults())))

    def indicators(self) -> Indicators:
        """The marks of the display."""
        machine = self.machine
        return machine.watch.indicators(machine.tariff if machine.uses_tariffs else None, bool(self.faults()), machine.tamper)

    def faults(self) -> list[str]:
        """What makes the error symbol: of the store and of the program, as far as can be told without proving all of it."""
        found = []
        if self.ledger.state()["program"] != program_hash():
            found.append("the program is not the one that wrote the store last")
        return found

    def check(self) -> list[Finding]:
        """Prove the whole store: every committed row is as it was written."""
        return self.ledger.check()

    def show(self, side: str | None = None) -> dict[str, Any]:
        """What `ctmeter meter show --json` prints, without the schema version."""
        return shown(self, side or self.side)


def _config_of(config: MeterConfig | Mapping[str, Any] | str | os.PathLike[str] | None) -> MeterConfig:
    if isinstance(config, MeterConfig):
        return config
    if config is None:
        return MeterConfig()
    return MeterConfig.from_dict(config) if isinstance(config, Mapping) else MeterConfig.load(config)


def _audit(action: str, detail: Mapping[str, Any]) -> tuple[int, str, str, str]:
    try:
        who = getpass.getuser()
    except (OSError, KeyError, ImportError):
        who = str(os.getuid()) if hasattr(os, "getuid") else ""
    return time.time_ns(), who, action, json.dumps(detail, sort_keys=True, default=str)


def _pulse_row(stream: str, parts: list[np.ndarray]) -> tuple[Any, ...] | None:
    t = np.concatenate(parts)
    if not len(t):
        return None
    times = zlib.compress(np.diff(t, prepend=t[:1]).astype("<i8").tobytes(), 1)
    return stream, int(t[0]), int(t[-1]), len(t), times


