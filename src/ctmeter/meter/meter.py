"""The meter as people use it: a store, recordings that go into it, and what can be read from it."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any, Self

from ..errors import InputError, SettingsError, StoreError
from ..pipeline.describe import program
from ..pipeline.drive import Progress, drive
from ..pipeline.run import Layers, detected, open_recording
from ..pipeline.summary import nearest_mains
from ..recording import Recording, nanoseconds
from ..store.ledger import Finding, Ledger
from .clock import drifted, retimed
from .config import MeterConfig
from .configuring import adapted, changed, cleared, ready, refused
from .feeding import Feeding, Place, streams
from .incoming import Fed, content_of, measuring, moved, phases
from .inputs import Change, changes, check_selection, checked_events
from .legal import program_hash
from .machine import Machine
from .profile import depth_of
from .pulse_rows import PulseRows
from .pulses import Output
from .quality import GOOD, Quality
from .readings import Indicators, Reading
from .tables import TABLES
from .trail import audit_row
from .values import readings
from .watch import Event

__all__ = ["Fed", "Meter"]

_NS = 1_000_000_000


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
        self._findings: list[Finding] = []
        try:
            if not state and ledger.last_commit[0] == 1:
                # the store was made, and no more: its making may have been interrupted here
                state = _first_state(json.loads(ledger.meta["config"]))
                if not ledger.readonly:
                    ledger.commit({"audit": [audit_row("create", {"config": state["config"]})]}, state=state)
            self.config = MeterConfig.from_dict(state["config"])
            self._load(state)
            known = state["program"] == program_hash()
        except (SettingsError, InputError, KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
            raise StoreError(5, f"is damaged: its state cannot be used ({error}); check it", ledger.path) from None
        if not ledger.readonly and not known:
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
        self._pulse_rows = PulseRows(tuple(self._outputs))
        self._pulse_rows.resume(state["pulses"])

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
            What happened beside the recordings: tampering, tariffs by register. Those in time that is in the registers
            already are left out.
        progress : callable, optional
            Gets the share that is done of the recording at hand.
        every_s : float
            s of recording between commits.
        rate : float, optional
            Sample rate in Hz, where the file's cannot be believed.
        keep_going : bool
            Go on with the next one where a recording cannot be fed; its `Fed` has the error.
        **overrides
            Settings of the recording: `map`, `ct_ratio`, `vt_ratio`, `nominal_frequency`, `corrections`.

        Returns
        -------
        list of Fed

        Raises
        ------
        InputError
            A recording that cannot be read, that has no time, or that overlaps with what is in; an event that is none.
        SettingsError
            Faulty settings, or such as contradict the meter's; inputs are to choose the tariff, and their status channels are not named.
        StoreError
            The store cannot be written; what was committed stands, and the same recordings can be fed again.

        Notes
        -----
        A recording that is in already, known by its content, is left out.

        What is in the store in the end does not depend on `every_s`, nor on interruptions.
        """
        given = [sources] if isinstance(sources, (Recording, str, os.PathLike)) else list(sources)
        legal = measuring(self.config)
        faults = [f"{k}: {v!r}, but the meter measures with {legal[k]!r}" for k, v in overrides.items() if k in legal and legal[k] != v]
        if start not in (None, "next"):
            faults += [f"start: {fault}" for fault in _time_faults(start)]
            if len(given) > 1:
                faults.append(f'start: one time for {len(given)} recordings; feed them one by one, or with "next"')
        if faults:
            raise SettingsError(faults)
        check_selection(self.config)
        extra = checked_events(events, self.config)
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
            return [*self._feed_all(todo, start, extra, progress, every_s, keep_going), *failed]

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
        quality = GOOD
        if self.config.overlap == "last" and start != "next":
            for (longer, _, a), (inner, _, b) in pairwise(order):
                if b / _NS + inner.duration < a / _NS + longer.duration:
                    inside = Path(inner.path).name if inner.path is not None else "a later recording"
                    raise InputError(f"{inside} lies inside it, what comes after that would be lost", path=longer.path, expected="overlap = first")
        for (recording, layers, at), following in zip_longest(order, order[1:]):
            span: tuple[float | None, float | None] = (None, None)
            if following is not None and self.config.overlap == "last" and start != "next":
                until = (following[2] - at) / _NS
                span = (None, until if until < recording.duration else None)
            try:
                begins = self._start_of(recording, start) if start == "next" else at
                if start is not None and recording.start_ns not in (None, begins):
                    quality |= Quality.CLOCK_SET
                fed = self._feed(recording, layers, begins, span, events, progress, every_s, quality)
            except (InputError, SettingsError, StoreError) as error:
                if isinstance(error, InputError) and error.path is None:
                    error = InputError(error.problem, path=recording.path, expected=error.expected)
                # what the store itself refuses, the next recording would meet too
                if not keep_going or (isinstance(error, StoreError) and error.errno != errno.EBUSY):
                    raise error from None
                fed = Fed(os.fspath(recording.path or "samples"), "failed", error=error)
            quality = GOOD if span[1] is None else Quality.OVERLAP
            yield fed

    def _start_of(self, recording: Recording, start: str | None) -> int:
        if start == "next":
            if self.machine.now_ns is None:
                raise InputError('no recording to follow: "next" needs one', path=recording.path)
            # which is half a sample after its last one
            now = drifted(self.machine.now_ns, self.config.clock_ppm, self.config.clock_sync_ns or 0)
            return now + round(_NS / (2 * recording.sample_rate))
        at = recording.start_ns if start is None else nanoseconds(start)
        if at is None:
            raise InputError("the recording has no clock", path=recording.path, expected="the time of its first sample (--start TIME, or next)")
        return at

    def _feed(
        self,
        recording: Recording,
        layers: Layers,
        start_ns: int,
        limits: tuple[float | None, float | None],
        events: list[Change],
        progress: Progress | None,
        every_s: float,
        quality: Quality,
    ) -> Fed:
        source = Path(recording.path).name if recording.path is not None else "samples"
        content = content_of(recording)
        if any(sha == content for (sha,) in self.ledger.rows("recordings", columns=["sha256"])):
            return Fed(source, "duplicate", notes=("its content is in the registers already",))
        missing = phases(recording, str(self.config.wiring))
        begin, place, notes = self.machine.now_ns, self._resumed(content, source), list[str]()
        resumed = place is not None
        if place is None:
            low, over, notes = self._overlap(recording, start_ns)
            if low >= recording.duration:
                return Fed(source, "skipped", notes=("all of its time is in the registers already",))
            quality |= over
            carry = [self._carry.get(s.name, 0.0) for s in streams(self.config)]
            place = Place(content, source, start_ns, [low or None, limits[1]], carry=carry, running=self._running)
        if missing:
            notes.append(f"no voltage with a current on {' and '.join(missing)}: nothing is registered there")
        layers.of_file(recording)
        settings = layers.settings()
        settings = replace(settings, nominal_frequency=settings.nominal_frequency or nearest_mains(detected(recording) or 50.0))
        try:
            said = [] if resumed else self._said(recording, place.start_ns)
            notes += self._schedule(events)
            if Quality.CLOCK_SET in quality and not resumed:
                self.machine.event(Event(self._true(start_ns), "clock", detail={"recorder": recording.start_ns, "set": start_ns}))
            feeding = Feeding(
                self.machine, self._outputs, settings, recording.channels, place, said, lambda: self._store(feeding.place),
                every_s=every_s, quality=quality,
            )  # fmt: skip
            drive(moved(recording, place.start_ns), feeding, (place.limits[0], place.limits[1]), progress)
            feeding.finish()
            place = feeding.place
            true_ns = self._true(place.start_ns + round((place.limits[0] or 0.0) * _NS))
            row = (true_ns, self.machine.now_ns, source, content, feeding.samples, json.dumps(place.counts, sort_keys=True))
            self._carry |= {s.name: c for s, c in zip(streams(self.config), place.carry, strict=True)}
            self._running = place.running
            self._store(None, {"recordings": [row]}, [("feed", {"source": source, "sha256": content})])
        except BaseException:
            # back to the last commit, which is what the store has
            self._load(self.ledger.state())
            raise
        first = true_ns if begin is None else max(true_ns, begin)
        return Fed(source, "resumed" if resumed else "fed", first, self.machine.now_ns, feeding.samples, (*notes, *feeding.notes))

    def _said(self, recording: Recording, start_ns: int) -> list[Change]:
        """What the inputs say during a recording, in true time."""
        found = changes(recording, self.config.terminals, (self.config.input_1, self.config.input_2), start_ns)
        heard = [c for c in found if c.kind != "tariff" or self.config.tariff_source == "port"]
        return [replace(c, t_ns=self._true(c.t_ns)) for c in heard] if self.config.clock_ppm else heard

    def _schedule(self, events: list[Change]) -> list[str]:
        """Take up events, each once; notes on those that come too late."""
        now, late = self.machine.now_ns, 0
        for event in events:
            if now is not None and event.t_ns <= now:
                late += 1
            elif not self.machine.awaits(event):
                self.machine.schedule(event)
        return [f"{late} events lie in time that is in the registers already"] if late else []

    def _true(self, t_ns: int) -> int:
        """True time of an instant of the recorder's clock."""
        config = self.config
        return retimed(t_ns, 1.0, config.clock_ppm, config.clock_sync_ns or 0)[0] if config.clock_ppm else t_ns

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
        if now is None or self._true(start_ns) >= now - round(2 * _NS / recording.sample_rate):
            return 0.0, GOOD, []
        over = (drifted(now, self.config.clock_ppm, self.config.clock_sync_ns or 0) - start_ns) / _NS
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
        for name, starts in rows.pop("due", []):
            self._pulse_rows.add(name, starts)
        rows |= {"pulses": self._pulse_rows.take(None if place is None else self.machine.now_ns), **(appends or {})}
        self._place = place
        state = {
            "machine": self.machine.state(),
            "place": None if place is None else asdict(place),
            "carry": self._carry,
            "running": self._running,
            "outputs": {name: output.state() for name, output in self._outputs.items()},
            "pulses": self._pulse_rows.state(),
        }
        if keep is not None:
            # the configuration has changed
            state["config"] = json.loads(json.dumps(self.config.to_dict(), default=list))
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
        rows = {**(appends or {}), "audit": [audit_row(action, detail) for action, detail in audit]}
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
        if at is not None and _time_faults(at):
            raise SettingsError(f"ratio: {_time_faults(at)[0]}")
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
        from .logs import archive

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
        """What makes the error symbol: another program than the one that wrote, and what the last `check` found."""
        found = []
        if self.ledger.state()["program"] != program_hash():
            found.append("the program is not the one that wrote the store last")
        return found + [f"{f.place}: {f.what}" for f in self._findings]

    def check(self) -> list[Finding]:
        """Prove the whole store: every committed row is as it was written."""
        self._findings = self.ledger.check()
        return self._findings

    def show(self, side: str | None = None) -> dict[str, Any]:
        """What `ctmeter meter show --json` prints, without the schema version."""
        from .show import shown

        return shown(self, side or self.side)


def _config_of(config: MeterConfig | Mapping[str, Any] | str | os.PathLike[str] | None) -> MeterConfig:
    if isinstance(config, MeterConfig):
        return config
    if config is None:
        return MeterConfig()
    return MeterConfig.from_dict(config) if isinstance(config, Mapping) else MeterConfig.load(config)


def _time_faults(text: str) -> list[str]:
    try:
        nanoseconds(text)
    except InputError:
        return [f"{text!r} is no ISO 8601 time such as 2026-01-01T00:00:00Z"]
    return []


def _first_state(config: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a meter that has measured nothing."""
    empty: dict[str, Any] = {name: {} for name in ("carry", "outputs", "pulses")}
    return {**empty, "config": config, "program": program_hash(), "machine": None, "place": None, "running": False}
