"""Loggers of a meter as Arrow tables: load profile, billing, second logger, analysis, events, audit trail, pulses.

Times stand in UTC and in the local time of the meter, energies in Wh, varh and VAh; every column has its unit, and
its side where it has one, in its metadata. They are read from the store as it stands, also while it is written.
"""

from __future__ import annotations

import errno
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import SettingsError, StoreError
from ..quantity import QUANTITIES
from .billing import RECORD_FIELDS
from .clock import LocalClock
from .configuring import Opened
from .feeding import streams
from .profile import parse_register
from .pulse_rows import pulse_times as unpacked
from .quality import Quality
from .tables import column_of
from .tabular import write_parquet

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LOGGERS", "archive", "logger", "profile", "pulse_times", "pulses", "raw"]

LOGGERS = ("billing", "logger2", "analysis", "events", "audit")
_MJ = 3_600_000
_UNITS = {column: q.unit for q in QUANTITIES for column in q.columns}
#: Registers of the analysis logger that have a side.
_SIDED = re.compile(r"[IPQSARE](?=[_+\-1-4]|$)")
_WH = {"A": "Wh", "R": "varh", "E": "VAh"}


class _Columns:
    """Columns of a table in the making, each with its metadata."""

    def __init__(self, clock: LocalClock) -> None:
        self._clock = clock
        self._fields: list[Any] = []
        self._arrays: list[Any] = []

    def add(self, name: str, values: Any, kind: str = "", unit: str = "", side: str = "") -> None:
        """A column; `kind` is "f8", "i8", "text" or "t" (ns UTC, null where None)."""
        import pyarrow as pa

        types = {"f8": pa.float64(), "i8": pa.int64(), "text": pa.string(), "t": pa.timestamp("ns", "UTC")}
        if isinstance(values, np.ma.MaskedArray):
            array = pa.array(values.filled(0), types[kind], mask=np.ma.getmaskarray(values))
        else:
            array = pa.array(values, types[kind], from_pandas=kind == "f8")
        meta = {k: v for k, v in (("unit", unit), ("side", side)) if v}
        self._fields.append(pa.field(name, array.type, metadata=meta or None))
        self._arrays.append(array)

    def times(self, name: str, t_ns: np.ndarray) -> None:
        """A column of times, and one of local time beside it."""
        self.add(name, t_ns, "t")
        self.add(f"{name}_local", _local(t_ns, self._clock), "text")

    def quality(self, bits: np.ndarray) -> None:
        """The quality by name."""
        labels = {int(b): Quality(int(b)).label for b in np.unique(bits)}
        self.add("quality", [labels[int(b)] for b in bits.tolist()], "text")

    def table(self) -> pa.Table:
        """All of it."""
        import pyarrow as pa

        return pa.Table.from_arrays(self._arrays, schema=pa.schema(self._fields))


def _local(t_ns: np.ndarray, clock: LocalClock) -> list[str]:
    """Local times as ISO 8601 text with their offset, to the second."""
    if not len(t_ns):
        return []
    stretches = clock.stretches(int(t_ns.min()), int(t_ns.max()) + 1)
    starts = np.array([s for s, _, _ in stretches], np.int64)
    offsets = np.array([offset for _, _, offset in stretches], np.int64)[np.searchsorted(starts, t_ns, side="right") - 1]
    zones = {int(o): _zone(int(o)) for o in np.unique(offsets)}
    texts = np.datetime_as_string((t_ns + offsets).astype("datetime64[ns]"), unit="s")
    return [f"{text}{zones[o]}" for text, o in zip(texts.tolist(), offsets.tolist(), strict=True)]


def _zone(offset_ns: int) -> str:
    minutes = abs(offset_ns) // 60_000_000_000
    return f"{'-' if offset_ns < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


def _within(columns: Mapping[str, np.ndarray], t_ns: np.ndarray, start_ns: int | None, end_ns: int | None) -> dict[str, np.ndarray]:
    wanted = np.ones(len(t_ns), bool)
    if start_ns is not None:
        wanted &= t_ns >= start_ns
    if end_ns is not None:
        wanted &= t_ns < end_ns
    return {name: values[wanted] for name, values in columns.items()}


def profile(meter: Opened, start_ns: int | None = None, end_ns: int | None = None, values: str | None = None) -> pa.Table:
    """The load profile.

    Parameters
    ----------
    meter : Meter
    start_ns, end_ns : int, optional
        Records stamped in [start_ns, end_ns), ns UTC.
    values : {"absolute", "delta"}, optional
        How the registers stood at the end of each period, or what they grew in it; the configuration's where not given.

    Returns
    -------
    pyarrow.Table
        `t` (the end or the start of the period, by the configuration), `t_local`, `start`, `end`, `quality`, `covered` (s measured
        in the period), `ratio`, and each channel by the name of its register, in Wh or varh on the side of the profile.

    Raises
    ------
    SettingsError
        Other values.
    StoreError
        The store cannot be read.
    """
    config = meter.config
    chosen = values or config.profile_values
    if chosen not in ("absolute", "delta"):
        raise SettingsError(f'values: {values!r}, expected "absolute" or "delta"')
    channels = {name: column_of(name) + ("_grown" if chosen == "delta" else "") for name in config.profile_energies}
    stored = meter.ledger.columns("profile", names=("t_ns", "start_ns", "end_ns", "quality", "covered_ns", "ratio", *channels.values()))
    stored = _within(stored, stored["t_ns"], start_ns, end_ns)
    out = _Columns(meter.machine.clock)
    out.times("t", stored["t_ns"])
    out.add("start", stored["start_ns"], "t")
    out.add("end", stored["end_ns"], "t")
    out.quality(stored["quality"])
    out.add("covered", stored["covered_ns"] / 1e9, "f8", "s")
    out.add("ratio", stored["ratio"], "i8")
    for name, column in channels.items():
        out.add(name, _wh(stored[column]), "f8", _WH[name[0]], config.profile_side)
    return out.table()


def _wh(units: np.ndarray) -> np.ndarray:
    return np.ma.filled(np.ma.masked_array(units).astype(np.float64) / _MJ, np.nan)


def logger(meter: Opened, which: str, start_ns: int | None = None, end_ns: int | None = None) -> pa.Table:
    """One of the other loggers.

    Parameters
    ----------
    meter : Meter
    which : {"billing", "logger2", "analysis", "events", "audit"}
    start_ns, end_ns : int, optional
        Rows of times in [start_ns, end_ns), ns UTC.

    Returns
    -------
    pyarrow.Table
        billing and logger2: time, what ended the period, quality, and the fields of the record, energies and powers primary.
        analysis: `t` is the end of the interval; secondary values. events: kind, edge, phase and detail (JSON). audit: who did
        what when, by the clock of the computer.

    Raises
    ------
    SettingsError
        No such logger.
    StoreError
        The store cannot be read, or a row cannot be understood.
    """
    if which not in LOGGERS:
        raise SettingsError(f"logger {which!r}, expected one of {', '.join(LOGGERS)}")
    stored = meter.ledger.columns(which)
    time = "at_ns" if which == "audit" else "t_ns"
    stored = _within(stored, stored[time], start_ns, end_ns)
    out = _Columns(meter.machine.clock)
    out.times("t", stored[time])
    if which in ("billing", "logger2"):
        if which == "billing":
            out.add("stop", stored["stop"], "i8")
            out.add("cause", stored["cause"], "text")
        out.quality(stored["quality"])
        try:
            records = [json.loads(text) for text in stored["record"]]
        except (ValueError, TypeError) as error:
            raise StoreError(errno.EIO, f"table {which}: a record is damaged: {error}", meter.ledger.path) from None
        _records(meter, out, records)
    elif which == "analysis":
        out.add("start", stored["start_ns"], "t")
        out.quality(stored["quality"])
        for k, name in enumerate(meter.config.analysis_registers, 1):
            out.add(name, stored[f"v{k}"], "f8", _unit_of(name), "secondary" if _SIDED.match(name) else "")
    else:
        for name in ("kind", "edge", "phase", "detail") if which == "events" else ("who", "action", "detail"):
            out.add(name, stored[name], "text")
    return out.table()


def raw(meter: Opened, which: str) -> pa.Table:
    """A table of the store as it is kept there, such as "registers", "ratios" or "recordings"; times in ns UTC become times.

    Raises
    ------
    StoreError
        No such table, or the store cannot be read.
    """
    out = _Columns(meter.machine.clock)
    for (name, kind), values in zip(meter.ledger.tables[which].columns, meter.ledger.columns(which).values(), strict=True):
        if name.endswith("_ns") and name != "covered_ns":
            out.add(name.removesuffix("_ns"), values, "t")
        else:
            out.add(name, values, {"INTEGER": "i8", "REAL": "f8"}.get(kind, "text"))
    return out.table()


def _unit_of(register: str) -> str:
    column, kind = parse_register(register)
    if kind == "energy":
        return _WH[column[0]]
    return _UNITS.get(column, "") or {"P": "W", "Q": "var", "S": "VA"}.get(column[0], "")


def _records(meter: Opened, out: _Columns, records: Sequence[Mapping[str, Any]]) -> None:
    """The fields of billing records, those that any of them has; all of them where there are none."""
    for f in RECORD_FIELDS:
        if f.kind == "stamp" or (records and not any(f.name in r for r in records)):
            continue
        values = [r.get(f.name) for r in records]
        if f.kind == "energy":
            out.add(f.name, [None if v is None else v / _MJ for v in values], "f8", f.unit, "primary")
        elif f.kind == "time":
            out.add(f.name, values, "t")
        elif f.kind in ("count", "ratio"):
            out.add(f.name, values, "i8")
        else:
            unit = meter.config.pulse_input_unit if f.kind == "pulses" else f.unit
            out.add(f.name, values, "f8", unit, "primary" if f.kind == "power" else "")


def pulses(meter: Opened) -> list[dict[str, Any]]:
    """What came out of each pulse train: `stream`, `register`, `constant` (imp/kWh), `count`, `lost`, `first_ns`, `last_ns`.

    Raises
    ------
    StoreError
        The store cannot be read.
    """
    state = meter.ledger.state()["outputs"]
    nothing = {"count": 0, "lost": 0, "first_ns": None, "last_ns": None}
    found = {s.name: {"stream": s.name, "register": s.register, "constant": s.constant, "width": s.width, **nothing} for s in streams(meter.config)}
    for name, first, last, count in meter.ledger.rows("pulses", columns=["stream", "first_ns", "last_ns", "count"]):
        # a train of an earlier configuration has no register any more
        of = found.setdefault(name, {"stream": name, "register": None, "constant": None, "width": None, **nothing})
        of["count"] += count
        of["first_ns"] = first if of["first_ns"] is None else of["first_ns"]
        of["last_ns"] = last
    for name, values in state.items():
        if name in found:
            found[name]["lost"] = values[2]
    return list(found.values())


def pulse_times(meter: Opened, stream: str | None = None) -> Iterator[tuple[str, np.ndarray]]:
    """The instants at which pulses began, commit by commit: the train, and int64 ns UTC, ascending within a train.

    Raises
    ------
    SettingsError
        No such train.
    StoreError
        The store cannot be read, or a row cannot be understood.
    """
    rows = meter.ledger.rows("pulses", columns=["seq", "stream"])
    known = {s.name for s in streams(meter.config)} | {name for _, name in rows}
    if stream is not None and stream not in known:
        raise SettingsError(f"stream {stream!r}, expected one of {', '.join(sorted(known))}")
    for seq, name in rows:
        if stream in (None, name):
            # one after another: years of pulses do not fit into memory
            ((first, count, packed),) = meter.ledger.rows("pulses", seq, seq + 1, ["first_ns", "count", "times"])
            try:
                times = unpacked(first, packed)
            except (zlib.error, ValueError, TypeError) as error:
                raise StoreError(errno.EIO, f"table pulses, row {seq}: damaged times: {error}", meter.ledger.path) from None
            if len(times) != count:
                raise StoreError(errno.EIO, f"table pulses, row {seq}: {len(times)} times, expected {count}", meter.ledger.path)
            yield name, times


def archive(meter: Opened, which: str) -> Path:
    """Write a logger, all of it, to a Parquet file beside the store; nothing is replaced.

    Raises
    ------
    StoreError
        It cannot be written.
    """
    store = Path(meter.ledger.path)
    now = meter.machine.now_ns or 0
    stamp = np.datetime_as_string(np.datetime64(now, "ns"), unit="s").replace("-", "").replace(":", "")
    table = profile(meter, values="absolute") if which == "profile" else logger(meter, which)
    number = 1
    while (target := store.with_name(f"{store.stem}.{which}-{stamp}Z{f'-{number}' if number > 1 else ''}.parquet")).exists():
        number += 1
    return write_parquet(target, [table])
