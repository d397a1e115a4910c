"""Everything a meter's store holds, in files that need no ctmeter to be read."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import StoreError
from ..pipeline.describe import SCHEMA_VERSION, plain, program
from ..store.results import write_text, writing
from .logs import LOGGERS, logger, profile, pulse_times, raw
from .meter import Meter
from .readout import readout, to_csv
from .tabular import write_csv, write_parquet

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["NAME", "export", "telegram"]

#: Identification of the read-out.
NAME = "ctmeter"
_README = """\
What the store of a ctmeter meter held, in files that any program reads.

readings.json   every reading with its OBIS code, unit, side and time; indicators, clock, ratios, hashes
readings.csv    the same readings, on both sides of the transformers where they differ
readout.txt     the read-out as the text of IEC 62056-21, mode A without its frame
config.json     the configuration
check.json      whether every row was as it was committed, and what was not

Tables, each as Parquet (units and sides in the metadata of the columns) and as CSV (units in the header):

registers       whole mWs, mvars and mVAs: secondary, and on the primary side; what is left below one; roll-overs
profile         the load profile; both how registers stood and (profile-delta) what they grew
billing         records of the ends of billing periods        logger2   the second billing logger
analysis        the analysis logger, secondary values          events    what happened
ratios          transformer ratios and where registers stood   pulses    when pulses began
recordings      what was fed, with its SHA-256                 audit     who did what when

Times are UTC; columns that end in _local have the meter's local time. The hashes in readings.json stand for the
whole store: a copy of it is the same as this one if they are equal.
"""


def telegram(meter: Meter, side: str | None = None, *, framed: bool = True) -> bytes:
    """The read-out as the text of IEC 62056-21: mode C with its frame, or mode A without.

    Raises
    ------
    InputError
        A text of the configuration that the protocol cannot hold.
    """
    chosen = side or meter.side
    return readout(
        meter.readings(chosen), NAME, side=chosen, decimals=meter.config.decimals, clock=meter.machine.clock,
        mode="C" if framed else "A", framed=framed,
    )  # fmt: skip


def export(store: str | os.PathLike[str], out: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Write everything a store holds into a directory, as of one commit, also while another process feeds it.

    Parameters
    ----------
    store : path
    out : path
        The directory; it is made, whole or not at all.
    force : bool
        Write into one that exists and is not empty; other files in it stay.

    Raises
    ------
    StoreError
        No store, one that cannot be read, or a directory that exists or cannot be written.
    InputError
        A text of the configuration that the read-out cannot hold.
    """
    target = Path(os.path.abspath(out))
    with writing(target):
        if target.exists() and (not target.is_dir() or (not force and any(target.iterdir()))):
            raise StoreError(errno.EEXIST, "exists; choose another place or force it", os.fspath(out))
        target.parent.mkdir(parents=True, exist_ok=True)
        place = target.parent / f".{target.name}.{secrets.token_hex(4)}.partial"
        place.mkdir()
    try:
        copy = _copied(store, place / "copy.db")
        with Meter.open(copy, readonly=True) as meter:
            _fill(meter, place)
        for name in place.glob("copy.db*"):
            name.unlink()
        with writing(target):
            if target.exists():
                for item in place.iterdir():
                    item.replace(target / item.name)
                place.rmdir()
            else:
                place.rename(target)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return target


def _copied(store: str | os.PathLike[str], target: Path) -> Path:
    """The store as of one commit: what is read one after another from one that is written would not be."""
    with Meter.open(store, readonly=True) as meter:
        path = meter.ledger.path
    try:
        with closing(sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
    except sqlite3.Error as error:
        raise StoreError(errno.EIO, f"cannot be copied: {error}", path) from None
    return target


def _fill(meter: Meter, place: Path) -> None:
    write_text(place / "README.txt", _README)
    shown = {"schema_version": SCHEMA_VERSION, "program": program(), **meter.show()}
    _write_json(place / "readings.json", shown)
    _write_json(place / "config.json", meter.config.to_dict())
    findings = meter.check()
    _write_json(place / "check.json", {"ok": not findings, "findings": [vars(f) for f in findings]})
    both = [*meter.readings("primary"), *[r for r in meter.readings("secondary") if r.side]]
    write_text(place / "readings.csv", to_csv(both, ratio=meter.machine.registers.ratio))
    write_text(place / "readout.txt", telegram(meter, framed=False).decode("ascii").replace("\r\n", "\n"))
    tables = {name: raw(meter, name) for name in ("registers", "ratios", "recordings")}
    tables |= {"profile": profile(meter, values="absolute"), "profile-delta": profile(meter, values="delta")}
    tables |= {name: logger(meter, name) for name in LOGGERS}
    for name, table in tables.items():
        write_parquet(place / f"{name}.parquet", [table])
        write_csv(place / f"{name}.csv", [table])
    write_parquet(place / "pulses.parquet", pulse_tables(meter))
    write_csv(place / "pulses.csv", pulse_tables(meter))


def _write_json(path: Path, values: object) -> None:
    write_text(path, json.dumps(plain(values), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def pulse_tables(meter: Meter, stream: str | None = None) -> Iterator[pa.Table]:
    """The instants of pulses as tables of `stream` and `t`, commit by commit; an empty one first.

    Raises
    ------
    SettingsError
        No such train.
    StoreError
        The store cannot be read.
    """
    import pyarrow as pa

    schema = pa.schema([("stream", pa.string()), ("t", pa.timestamp("ns", "UTC"))])
    yield schema.empty_table()
    for name, t_ns in pulse_times(meter, stream):
        yield pa.Table.from_arrays([pa.array(np.full(len(t_ns), name, object), pa.string()), pa.array(t_ns, schema.field("t").type)], schema=schema)
