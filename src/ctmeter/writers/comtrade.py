"""COMTRADE: .cfg with .dat, or .cff, of revision 2013 or 1999.

Options: `revision` (2013, the default, or 1999), `encoding` of the data: "BINARY" (16 bit), "BINARY32", "FLOAT32", "ASCII".
Where it is not given, 16-bit counts give BINARY, wider ones BINARY32 and floats FLOAT32, or BINARY in revision 1999, which
knows nothing else. Counts that fit are written as they are, with their a and b; others, and floats as counts, get a and b of
their own that use the whole range. FLOAT32 keeps a, b and 24 bits of the raw number.

Channels keep their names, unless reading those would give other roles (after a map, or where a pair such as U21 has turned
the channel): then the roles are the names.

Missing samples are 0x8000 (BINARY), 0x80000000 (BINARY32), NaN (FLOAT32) or 99999 (ASCII). Missing rows are left out: the
time stamps jump. Stamps are fine enough to tell a twentieth of a sample, in ns where the start time is (2013), in us
otherwise, with the time multiplier that this takes. The time is UTC (time code 0,0). A recording without a clock starts at
1970-01-01 and, in 2013, carries the time quality F (clock failure), by which the reader knows it. Every channel has to
say P or S: one of which it is not known on which side its values are says P, comes back as primary, and a warning says so.
Of segments that are not measured the reader judges for itself, by their rate; of others a warning says that they are lost as such.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from ..errors import CtmeterWarning, InputError, SettingsError
from ..recording import TOO_SLOW, Channel, Recording
from ..roles import resolve
from ._counts import Scaling, plan_counts
from ._output import atomic, check_options, pieces, played_names, starts, warn_lost

__all__ = ["WRITER", "ComtradeWriter", "write_files"]

_REVISIONS = {1999: ("BINARY", "ASCII"), 2013: ("BINARY", "BINARY32", "FLOAT32", "ASCII")}
_DTYPES = {"BINARY": "<i2", "BINARY32": "<i4", "FLOAT32": "<f4"}
_LIMITS = {"BINARY": 32767, "BINARY32": 2147483647}
_MISSING = {"BINARY": -32768.0, "BINARY32": -2147483648.0, "ASCII": 99999.0}
_ASCII_LIMITS = {1999: 99998, 2013: 2147483647}
_LARGEST_STAMP = 0xFFFFFFFE
_PHASES = {"L1": "A", "L2": "B", "L3": "C", "_N": "N", "L12": "AB", "L23": "BC", "L31": "CA"}
_NAME_LENGTH = {1999: 64, 2013: 128}


class _Stamps(NamedTuple):
    """Ns for one count, and what the CFG says of it."""

    ns: int
    multiplier: float
    fine: bool


class ComtradeWriter:
    """See the module."""

    name = "COMTRADE"
    extensions = (".cfg", ".cff")

    def write(self, recording: Recording, path: Path, **options: Any) -> None:
        """Write a recording; see the module for the options.

        Raises
        ------
        InputError
            A recording without rows.
        StoreError
            A place that cannot be written.
        SettingsError
            Options that do not exist or do not go together.
        """
        check_options(options, ("revision", "encoding"), path)
        write_files(recording, path, options)
        _warn(recording, path)


WRITER = ComtradeWriter()


def write_files(recording: Recording, path: Path, options: dict[str, Any]) -> None:
    """Write a recording, without a word about what does not come back; options as in the module."""
    revision, encoding = _checked(recording, path, options)
    if not recording.samples:
        raise InputError("a recording without samples cannot be written", path=path)
    scalings = _scalings(recording, encoding, revision)
    stamps = _stamp_unit(recording, revision)
    cfg = _cfg(recording, revision, encoding, _named([s.channel for s in scalings], revision), stamps)
    if path.suffix.lower() == ".cff":
        with atomic(path) as (file,):
            _write_cff(file, recording, cfg, encoding, scalings, stamps)
        return
    dat = path.with_suffix(".DAT" if path.suffix.isupper() else ".dat")
    with atomic(dat, path) as (data, head):
        _write_data(data, recording, encoding, scalings, stamps)
        head.write(cfg)


def _warn(recording: Recording, path: Path) -> None:
    """Say what does not come back as it is."""
    unknown = [c.role or c.name for c in recording.channels if c.side is None]
    if unknown:
        names = ", ".join(unknown[:8]) + (" and more" if len(unknown) > 8 else "")
        text = f"{path.name}: COMTRADE has to say primary or secondary: {names}, of unknown side, are written as primary"
        warnings.warn(text, CtmeterWarning, stacklevel=3)
    slow = TOO_SLOW * (recording.nominal_frequency or 50.0)
    if any(s.excluded and s.sample_rate >= slow for s in recording.segments):
        warn_lost(recording, path, "COMTRADE", channels=False, status=False, others=["that segments are not measured"])


def _checked(recording: Recording, path: Path, options: dict[str, Any]) -> tuple[int, str]:
    faults = []
    revision = options.get("revision") or 2013
    try:
        revision = int(revision)
    except (TypeError, ValueError):
        revision = 0
    if revision not in _REVISIONS:
        faults.append(f"revision: {options['revision']!r}, expected 2013 or 1999")
        revision = 2013
    encoding = options.get("encoding")
    if encoding is None:
        kind = recording.source.raw(0, 0).dtype
        encoding = {"i2": "BINARY", "i4": "BINARY32"}.get(kind.str[1:], "FLOAT32")
        encoding = encoding if encoding in _REVISIONS[revision] else "BINARY"
        if encoding == "BINARY" and revision == 2013 and _has(recording, -32768.0):
            encoding = "BINARY32"
    encoding = str(encoding).upper()
    if encoding not in _REVISIONS[2013]:
        faults.append(f"encoding: {options['encoding']!r}, expected one of {', '.join(_REVISIONS[revision])}")
    elif encoding not in _REVISIONS[revision]:
        faults.append(f"encoding: {encoding} is not in revision {revision}, expected one of {', '.join(_REVISIONS[revision])}")
    if path.suffix.lower() == ".cff" and revision < 2013:
        faults.append(f"revision: {revision} has no .cff files, expected 2013 or a .cfg file")
    if faults:
        raise SettingsError(faults)
    return revision, encoding


def _has(recording: Recording, count: float) -> bool:
    """Whether a count that will mean "missing" stands for a sample."""
    columns = [k for k, c in enumerate(recording.channels) if c.missing != count]
    return bool(columns) and any((p.raw == count)[:, columns].any() for p in pieces(recording))


def _scalings(recording: Recording, encoding: str, revision: int) -> list[Scaling]:
    if encoding == "FLOAT32":
        return [Scaling(c, c, True) for c in recording.channels]
    limit = _ASCII_LIMITS[revision] if encoding == "ASCII" else _LIMITS[encoding]
    return plan_counts(recording, limit, _MISSING[encoding])


def _stamp_unit(recording: Recording, revision: int) -> _Stamps:
    begin = starts(recording)
    last = recording.segments[-1]
    lost = sum(g.samples for row, g in recording.gaps if row > last.start)
    span = begin[-1] - begin[0] + (last.stop - last.start + lost) / last.sample_rate * 1e9
    interval = 1e9 / max(s.sample_rate for s in recording.segments)
    finest = 1 if recording.start_ns is not None and recording.start_ns % 1000 and revision >= 2013 else 1000
    unit = 1000
    while unit > 1 and unit > interval / 20:
        unit //= 10
    whole = math.ceil(span / _LARGEST_STAMP)
    longest = max((g.samples for _, g in recording.gaps), default=0) * interval
    # stamps that would overflow count in a longer unit; where that could not tell samples apart they wrap instead,
    # unless a gap is so long that nothing else shows it
    if whole > unit and (whole <= interval / 2 or 2 * longest > unit * _LARGEST_STAMP):
        digits = 10 ** max(0, len(str(whole)) - 3)
        unit = -(-whole // digits) * digits
    fine = finest == 1
    return _Stamps(unit, unit / (1.0 if fine else 1000.0), fine)


# CFG


def _named(channels: list[Channel], revision: int) -> list[Channel]:
    """Channels with names that give them the same roles when they are read."""
    plain = [replace(c, name=_text(c.name, _NAME_LENGTH[revision]) or f"A{k}", phase=_phase(c), role=None) for k, c in enumerate(channels, 1)]
    found = resolve(plain).channels
    if all((f.role or None) == (c.role or None) and f.scale == c.scale for f, c in zip(found, channels, strict=True)):
        return plain
    return [replace(c, name=name, phase=_phase(c)) for name, c in zip(played_names(channels), channels, strict=True)]


def _phase(c: Channel) -> str:
    return _text(c.phase, 2) or next((p for end, p in _PHASES.items() if c.role and c.role.endswith(end)), "")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _text(text: str, length: int) -> str:
    """Without what would break the line."""
    clean = "".join(" " if ch in ',"' or ord(ch) < 32 or ch == "\x7f" else ch for ch in text)
    return " ".join(clean.split())[:length]


def _time(ns: int, digits: int) -> str:
    whole, part = divmod(ns, 1_000_000_000)
    date, clock = str(np.datetime64(whole, "s")).split("T")
    year, month, day = date.split("-")
    return f"{day}/{month}/{year},{clock}.{f'{part:09}'[:digits]}"


def _analog(k: int, c: Channel, encoding: str, length: int) -> str:
    low, high = c.range or (-99999.0, 99999.0)
    if encoding == "FLOAT32":
        low, high = c.range or (-3.4028235e38, 3.4028235e38)
    ratio = (c.ratio, 1.0) if c.ratio != 1.0 else (1.0, 1.0)
    fields = [str(k), _text(c.name, length) or f"A{k}", c.phase, "", _text(c.unit, 32), repr(float(c.scale)), repr(float(c.offset))]
    fields += [_number(c.skew * 1e6), _number(low), _number(high), *map(_number, ratio), "S" if c.side == "secondary" else "P"]
    return ",".join(fields)


def _cfg(recording: Recording, revision: int, encoding: str, channels: list[Channel], stamps: _Stamps) -> bytes:
    length = _NAME_LENGTH[revision]
    meta = recording.metadata
    status = recording.status_channels
    lines = [
        f"{_text(str(meta.get('station', '')), length)},{_text(str(meta.get('device', '')), length) or 'ctmeter'},{revision}",
        f"{len(channels) + len(status)},{len(channels)}A,{len(status)}D",
    ]
    lines += [_analog(k, c, encoding, length) for k, c in enumerate(channels, 1)]
    lines += [f"{k},{_text(name, length) or f'D{k}'},,,0" for k, name in enumerate(status, 1)]
    lines += [_number(recording.nominal_frequency or 0.0), str(len(recording.segments))]
    lines += [f"{_number(s.sample_rate)},{s.stop}" for s in recording.segments]
    begin = recording.start_ns or 0
    trigger = meta.get("trigger_ns")
    digits = 9 if stamps.fine else 6
    lines += [_time(begin, digits), _time(trigger if isinstance(trigger, int) else begin, digits), encoding, _number(stamps.multiplier)]
    if revision >= 2013:
        lines += ["0,0", "F,3" if recording.start_ns is None else "0,3"]
    return "".join(line + "\r\n" for line in lines).encode()


# DAT


def _write_cff(file: IO[bytes], recording: Recording, cfg: bytes, encoding: str, scalings: list[Scaling], stamps: _Stamps) -> None:
    file.write(b"--- file type: CFG ---\r\n" + cfg + b"--- file type: INF ---\r\n\r\n--- file type: HDR ---\r\n\r\n")
    if encoding == "ASCII":
        file.write(b"--- file type: DAT ASCII ---\r\n")
    else:
        size = _record(encoding, recording).itemsize * recording.samples
        file.write(f"--- file type: DAT {encoding}: {size} ---\r\n".encode())
    _write_data(file, recording, encoding, scalings, stamps)


def _record(encoding: str, recording: Recording) -> np.dtype:
    words = -(-len(recording.status_channels) // 16)
    return np.dtype([("n", "<u4"), ("t", "<u4"), ("a", _DTYPES[encoding], (len(recording.channels),)), ("d", "u1", (2 * words,))])


def _write_data(file: IO[bytes], recording: Recording, encoding: str, scalings: list[Scaling], stamps: _Stamps) -> None:
    begin = starts(recording)[0]
    nudged = 0
    for piece in pieces(recording):
        numbers = np.arange(piece.start + 1, piece.stop + 1, dtype=np.int64)
        counts = np.rint((piece.ns - begin) / stamps.ns).astype(np.int64) % (_LARGEST_STAMP + 2)
        # all ones would say that there is no stamp
        counts = np.where(counts > _LARGEST_STAMP, _LARGEST_STAMP, counts)
        status = recording.source.status(piece.start, piece.stop) if recording.status_channels else None
        if encoding == "ASCII":
            nudged += _ascii(file, piece.raw, numbers, counts, status, scalings)
            continue
        rows = np.zeros(piece.stop - piece.start, _record(encoding, recording))
        rows["n"], rows["t"] = numbers, counts
        for k, scaling in enumerate(scalings):
            rows["a"][:, k] = _float32(piece.raw[:, k], scaling) if encoding == "FLOAT32" else scaling.counts(piece.raw[:, k], _MISSING[encoding])
        if status is not None:
            packed = np.packbits(np.asarray(status, bool), axis=1, bitorder="little")
            rows["d"][:, : packed.shape[1]] = packed
        file.write(rows.tobytes())
    if nudged:
        warnings.warn(f"{nudged} counts of 99999, which means missing in ASCII, are written as 99998", CtmeterWarning, stacklevel=4)


def _float32(raw: np.ndarray, scaling: Scaling) -> np.ndarray:
    out = raw.astype(np.float64)
    if scaling.source.missing is not None:
        out[out == scaling.source.missing] = math.nan
    out[~(np.abs(out) < 3.4028235e38)] = math.nan
    return out


def _ascii(file: IO[bytes], raw: np.ndarray, numbers: np.ndarray, stamps: np.ndarray, status: np.ndarray | None, scalings: list[Scaling]) -> int:
    """Rows of text; how many counts had to make way for the number that means missing."""
    import pyarrow as pa
    from pyarrow import csv

    columns, nudged = [numbers, stamps], 0
    for k, scaling in enumerate(scalings):
        counts = np.asarray(scaling.counts(raw[:, k], math.nan), np.float64)
        clash = counts == _MISSING["ASCII"]
        nudged += int(np.count_nonzero(clash))
        counts = np.where(clash, _MISSING["ASCII"] - 1, counts)
        columns.append(np.where(np.isnan(counts), _MISSING["ASCII"], counts).astype(np.int64))
    if status is not None:
        columns += [status[:, k] for k in range(status.shape[1])]
    sink = pa.BufferOutputStream()
    table = pa.table({str(k): column for k, column in enumerate(columns)})
    csv.write_csv(table, sink, csv.WriteOptions(include_header=False))
    file.write(sink.getvalue().to_pybytes().replace(b"\n", b"\r\n"))
    return nudged
