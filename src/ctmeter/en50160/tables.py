"""Tables from elsewhere: Parquet and CSV, brought to the columns, units and grid of ctmeter's own.

Columns are named as in ctmeter's tables or by a map; harmonics stand in a list or in one column for each order (`HU_L1_5`).
Units come from the metadata of a Parquet field or from the heading (`U_L1 [kV]`); a column without one is in SI without prefix.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError, SettingsError
from ..measurements import iso, list_values
from ..quantity import LINES, LIST_LENGTH, PHASES, Column, columns

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["EVENT_TYPES", "LENGTHS", "TABLES", "check_events", "read_table", "split_map", "whole_flags"]

#: Tables that can be read, and the lengths of their intervals, ns; rows of `3s` follow the mains and of `events` nothing.
LENGTHS = {"10min": 600_000_000_000, "2h": 7_200_000_000_000, "frequency": 10_000_000_000}
TABLES = ("10min", "2h", "frequency", "3s", "events")
#: A time may be so far from the grid, ns: recorders stamp when they write.
_OFF_GRID = 1_000_000_000

_PREFIXES = {"k": 1e3, "M": 1e6, "m": 1e-3, "u": 1e-6, "µ": 1e-6, "": 1.0}
_ALIASES = {"pct": "%", "percent": "%", "prozent": "%", "volt": "V", "v": "V", "hertz": "Hz", "hz": "Hz", "sec": "s", "p.u.": "pu", "-": "1"}
_HEADING = re.compile(r"^(?P<name>.*?)\s*[\[(](?P<unit>[^\])]*)[\])]\s*$")
_ORDER = re.compile(r"^(?P<list>HU_L[0-9]+)_h?(?P<order>[0-9]{1,2})$")
#: Names for the columns of time that need no map.
_TIMES = ("t", "time", "timestamp", "datetime", "date time", "utc")
_EVENT_TEXT = {"type", "phases"}
#: Types of events, as ctmeter names its own.
EVENT_TYPES = ("dip", "swell", "interruption", "rvc", "msv", "transient")
#: Columns that only ctmeter itself can fill.
_OWN = {"detail", "snippet"}


def split_map(text: str) -> tuple[str, str | None]:
    """The heading and the unit that `Urms [kV]` names.

    Examples
    --------
    >>> split_map("Urms L1 [kV]"), split_map("Urms")
    (('Urms L1', 'kV'), ('Urms', None))
    """
    match = _HEADING.match(text)
    return (match["name"], match["unit"].strip()) if match and match["name"] else (text.strip(), None)


def read_table(
    path: str | os.PathLike[str],
    table: str,
    *,
    columns_map: Mapping[str, str] | None = None,
    nominal_voltage: float | None = None,
    nominal_frequency: float | None = None,
    stamp: str = "start",
    wiring: str | None = None,
) -> pa.Table:
    """A table of another program, as one of ctmeter's.

    Parameters
    ----------
    path : path
        Parquet, or CSV with a heading; which one is decided by the content.
    table : {"10min", "2h", "frequency", "3s", "events"}
        What its rows are.
    columns_map : mapping of str to str, optional
        Name of a column of ctmeter's to heading in the file, with its unit where the file says none: {"U_L1": "Vrms A [kV]"}.
        What the map does not name is looked for under its own name.
    nominal_voltage, nominal_frequency : float, optional
        V and Hz, for values in pu or % of them.
    stamp : {"start", "end"}
        Which end of its interval a time names.
    wiring : {"3P4W", "3P3W", "1P2W"}, optional
        For voltages from line to line in pu or %: what their nominal voltage is.

    Returns
    -------
    pyarrow.Table
        Sorted by time; columns of other names are left out.

    Raises
    ------
    InputError
        Not such a file, no column of time, times that are no times, twice there or not on the grid, a mapped column that
        is not there, unknown units, values that are no numbers.
    SettingsError
        An unknown table or stamp.
    """
    import pyarrow as pa

    if table not in TABLES:
        raise SettingsError(f"table: {table!r} is not one of {', '.join(TABLES)}")
    if stamp not in ("start", "end"):
        raise SettingsError(f'stamp: {stamp!r} is neither "start" nor "end"')
    raw, units = _load(path)
    if not raw.num_rows:
        raise InputError("no rows", path=path)
    wanted = _wanted(raw, units, table, columns_map or {}, path)
    t = _times(raw.column(wanted["t"][0]), path)
    if table in LENGTHS:
        t = _on_grid(t - LENGTHS[table] if stamp == "end" else t, LENGTHS[table], path)
    # rows that are in order are not copied; those of events are put in order at the end, so that a fault is told by its row
    sorting = None if (t[1:] > t[:-1]).all() else np.argsort(t, kind="stable")
    if table != "events" and sorting is not None:
        _refuse_duplicates(t[sorting], sorting, path)
    order: Any = slice(None) if sorting is None or table == "events" else sorting
    known = {c.name: c for c in columns(table) if c.name not in _OWN}
    between = None if nominal_voltage is None or wiring is None else nominal_voltage * (1 if wiring == "3P3W" else 3**0.5)
    nominal = {"V": nominal_voltage, "V lines": between, "Hz": nominal_frequency}
    made: dict[str, Any] = {"t": t[order]}
    orders: dict[str, dict[int, tuple[np.ndarray, bool]]] = {}
    shares: dict[str, np.ndarray] = {}
    del wanted["t"]
    raw = raw.select(sorted({heading for heading, _ in wanted.values()}))
    for name, (heading, unit) in wanted.items():
        column = raw.column(heading)
        match = _ORDER.match(name)
        if match and name not in known:
            share = _normal(unit) == "%"
            values = _scaled(_numbers(column, name, path), 1.0 if share else _factor(unit, "V", name, path, nominal))[order]
            orders.setdefault(match["list"], {})[int(match["order"])] = (values, share)
        elif table == "events" and known[name].unit == "V" and _normal(unit) in ("pu", "%"):
            shares[name] = _scaled(_numbers(column, name, path), 1.0 if _normal(unit) == "pu" else 0.01)
        else:
            made[name] = _texts(column, name) if name in _EVENT_TEXT else _values(column, known[name], unit, path, nominal)[order]
    if table == "events":
        made = _events(made, shares, nominal, sorting, path)
    for name, parts in orders.items():
        made.setdefault(name, _list(parts, made.get(name.replace("HU", "U1")), len(t)))
    del raw
    result = _arrow(table, made, path)
    pa.default_memory_pool().release_unused()  # what was read is no longer needed
    return result


def _events(
    made: dict[str, Any],
    shares: Mapping[str, np.ndarray],
    nominal: Mapping[str, float | None],
    sorting: np.ndarray | None,
    path: str | os.PathLike[str],
) -> dict[str, Any]:
    """Events that can be counted, in V and in order."""
    if "type" not in made:
        raise InputError("no column of types of events", path=path, expected=f"type, or type=HEADING in the map: {', '.join(EVENT_TYPES)}")
    nothing = [None] * len(made["t"])
    check_events(made["type"], made.get("phases", nothing), made.get("duration", nothing), path)
    for name, values in shares.items():
        made[name] = values * _references(made, nominal, name, path)
    if sorting is None:
        return made
    return {name: [values[k] for k in sorting] if isinstance(values, list) else values[sorting] for name, values in made.items()}


def _references(made: Mapping[str, Any], nominal: Mapping[str, float | None], name: str, path: str | os.PathLike[str]) -> np.ndarray:
    """What voltages of events are shares of: U_ref of the row, and where there is none the nominal voltage of its phases."""
    n = len(made["t"])
    lines = np.array([bool(set(named or ()) & set(LINES)) for named in made.get("phases", [None] * n)], bool)
    given = made.get("U_ref", np.full(n, np.nan))
    missing = np.isnan(given)
    for which, rows in (("V", missing & ~lines), ("V lines", missing & lines)):
        if rows.any() and not nominal[which]:
            needed = "--un, or U_ref" if which == "V" else "--un and --wiring, or U_ref"
            raise InputError(f"{name} is a share of the reference voltage, and there is none", path=path, expected=needed)
    usual = np.where(lines, nominal["V lines"] or np.nan, nominal["V"] or np.nan)
    result: np.ndarray = np.where(missing, usual, given)
    return result


def _load(path: str | os.PathLike[str]) -> tuple[pa.Table, dict[str, str | None]]:
    """The file as a table with the headings it has, and the unit of each."""
    import pyarrow as pa

    file = Path(path)
    try:
        with file.open("rb") as stream:
            head = stream.read(65536)
        raw = _parquet(file) if head[:4] == b"PAR1" else _csv(file, head)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", path=path) from error
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError(f"neither Parquet nor CSV with a heading: {' '.join(str(error).split())[:200]}", path=path) from error
    twice = sorted({n for n in raw.column_names if raw.column_names.count(n) > 1})
    if twice:
        raise InputError(f"columns of one name: {', '.join(twice)}", path=path)
    units: dict[str, str | None] = {}
    for f in raw.schema:
        said = (f.metadata or {}).get(b"unit")
        units[f.name] = said.decode() if said is not None else split_map(f.name)[1]
    return raw, units


def _parquet(file: Path) -> pa.Table:
    import pyarrow.parquet as pq

    return pq.ParquetFile(file).read()


def _csv(file: Path, head: bytes) -> pa.Table:
    import pyarrow.csv as csv

    text = head.decode("utf-8-sig", errors="strict" if len(head) < 65536 else "ignore")
    lines = [line for line in text.splitlines() if line.strip()]
    first = lines[0] if lines else ""
    delimiter = max(";\t,", key=first.count)
    if not first.count(delimiter):
        raise InputError("neither Parquet nor CSV: no delimiter in the first line", path=file, line=1, expected="a heading such as t;U_L1;U_L2")
    decimal = "," if delimiter != "," and any(re.search(r"\d,\d", line) for line in lines[1:20]) else "."
    strings = [""] if delimiter != "," else ["", "NULL"]
    return csv.read_csv(
        file,
        parse_options=csv.ParseOptions(delimiter=delimiter),
        convert_options=csv.ConvertOptions(decimal_point=decimal, null_values=[*strings, "null", "nan", "NaN", "-", "n/a"], strings_can_be_null=True),
    )


def _wanted(
    raw: pa.Table, units: Mapping[str, str | None], table: str, columns_map: Mapping[str, str], path: str | os.PathLike[str]
) -> dict[str, tuple[str, str | None]]:
    """Name of a column of ctmeter's to heading and unit."""
    known = {c.name for c in columns(table)} - _OWN
    plain: dict[str, str] = {}
    alike: dict[str, str] = {}
    for name in raw.column_names:
        heading = split_map(name)[0]
        if heading in plain:
            alike[heading] = f"{plain[heading]!r} and {name!r}"
        plain[heading] = name
    wanted: dict[str, tuple[str, str | None]] = {}
    for name, text in columns_map.items():
        if name not in known and not (_ORDER.match(name) and "HU_L1" in known):
            if any(name in {c.name for c in columns(other)} for other in TABLES):
                continue  # a column of another table
            raise SettingsError(f"map: {name}: no such column in the tables {', '.join(TABLES)}")
        heading, unit = split_map(text)
        found = text if text in raw.column_names else plain.get(heading)
        if found != text and heading in alike:
            raise InputError(f"columns {alike[heading]} could both be {name}", path=path, expected="a map that names one of them with its unit")
        if found is None:
            raise InputError(f"no column {heading!r} for {name}", path=path, expected=f"one of {', '.join(plain)}"[:300])
        wanted[name] = (found, unit or units[found])
    for heading, found in plain.items():
        if heading not in wanted and (heading in known or (_ORDER.match(heading) and "HU_L1" in known)):
            if heading in alike:
                raise InputError(f"columns {alike[heading]} could both be {heading}", path=path, expected="one, or a map that names one of them")
            wanted[heading] = (found, units[found])
    if "t" not in wanted:
        times = [found for heading, found in plain.items() if heading.lower() in _TIMES]
        if not times:
            raise InputError("no column of time", path=path, expected=f"a column t, or t=HEADING in the map; there are {', '.join(plain)}"[:300])
        wanted["t"] = (times[0], None)
    if not set(wanted) - {"t", "duration", "n", "flags"}:
        raise InputError("no column of a known name", path=path, expected=f"names such as U_L1, or a map; there are {', '.join(plain)}"[:300])
    return wanted


def _times(column: Any, path: str | os.PathLike[str]) -> np.ndarray:
    """Times, ns since 1970 UTC; without a zone they are taken as UTC."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    kind = column.type
    try:
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            text = pc.utf8_trim_whitespace(column)
            zoned = pc.match_substring_regex(text, r"(?i)(Z|[+-]\d\d:?\d\d)$")
            column = pc.cast(text, pa.timestamp("ns", "UTC" if pc.all(zoned).as_py() else None))
        elif pa.types.is_date(kind):
            column = pc.cast(column, pa.timestamp("ns"))
        elif not pa.types.is_timestamp(kind):
            raise InputError(f"the column of time is {kind}", path=path, expected="times such as 2026-03-02T00:10:00Z")
        stamps = pc.cast(column, pa.timestamp("ns", column.type.tz))
    except pa.ArrowException as error:
        raise InputError(f"times that are no times: {' '.join(str(error).split())[:150]}", path=path, expected="2026-03-02T00:10:00Z") from error
    if stamps.null_count:
        place = pc.index(pc.is_null(stamps), True).as_py()
        raise InputError(f"row {place + 1} has no time", path=path)
    result: np.ndarray = stamps.cast(pa.int64()).to_numpy()
    if len(result) and result.min() < 0:
        raise InputError(f"row {int(result.argmin()) + 1} is of {iso(result.min())}", path=path, expected="times after 1970")
    return result


def _on_grid(t: np.ndarray, length: int, path: str | os.PathLike[str]) -> np.ndarray:
    snapped: np.ndarray = t + length // 2
    snapped //= length
    snapped *= length
    distance = t - snapped
    off = np.abs(distance, out=distance) > _OFF_GRID
    if off.any():
        k = int(off.argmax())
        grid = f"the grid of {length // 1_000_000_000} s"
        raise InputError(f"row {k + 1}, {iso(t[k])}, is not on {grid}", path=path, expected="starts (or ends) of absolute intervals, in UTC")
    return snapped


def _refuse_duplicates(t: np.ndarray, order: np.ndarray, path: str | os.PathLike[str]) -> None:
    same = np.flatnonzero(np.diff(t) == 0)
    if len(same):
        k = int(same[0])
        first, second = sorted((int(order[k]) + 1, int(order[k + 1]) + 1))
        more = f", and {len(same) - 1} more" if len(same) > 1 else ""
        once = "each interval once (local time at the end of summer time?)"
        raise InputError(f"rows {first} and {second} have one time, {iso(t[k])}{more}", path=path, expected=once)


def _normal(unit: str | None) -> str | None:
    if unit is None:
        return None
    text = unit.strip()
    return _ALIASES.get(text.lower(), text)


def _factor(unit: str | None, wanted: str, name: str, path: str | os.PathLike[str], nominal: Mapping[str, float | None]) -> float:
    """What values in `unit` are multiplied by."""
    text = _normal(unit)
    if text is None or text == wanted or (text == "" and wanted in ("", "1")):
        return 1.0
    if (text == "pu" and wanted in nominal) or (text == "%" and wanted == "V"):
        lines = any(name.endswith(line) for line in LINES) and wanted == "V"
        base = nominal["V lines" if lines else wanted]
        if not base:
            needed = "--un and --wiring" if lines else "--un or --fn"
            raise InputError(f"{name} is in {text} and there is no nominal value", path=path, expected=needed)
        return base if text == "pu" else base / 100
    if wanted == "%" and text in ("1", "pu"):
        return 100.0
    if wanted == "1" and text == "%":
        return 0.01
    if wanted and text.endswith(wanted) and text[: -len(wanted)] in _PREFIXES:
        return _PREFIXES[text[: -len(wanted)]]
    raise InputError(f"{name} is in {unit!r}, an unknown unit for it", path=path, expected=f"{wanted or 'none'}, with or without a prefix")


def _numbers(column: Any, name: str, path: str | os.PathLike[str]) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        values: np.ndarray = pc.cast(column, pa.float64()).to_numpy()
    except pa.ArrowException as error:
        raise InputError(f"{name}: values that are no numbers: {' '.join(str(error).split())[:150]}", path=path) from error
    infinite = np.isinf(values)
    if infinite.any():
        raise InputError(f"{name}: row {int(infinite.argmax()) + 1} is infinite", path=path, expected="a number, or nothing")
    return values


def _values(column: Any, known: Column, unit: str | None, path: str | os.PathLike[str], nominal: Mapping[str, float | None]) -> np.ndarray:
    if known.dtype in LIST_LENGTH:
        values = list_values(column, LIST_LENGTH[known.dtype], known.name, path)
        return values * np.float32(_factor(unit, known.unit, known.name, path, nominal))
    if known.dtype == "u4":
        return whole_flags(column, path)
    values = _numbers(column, known.name, path)
    return _scaled(values, _factor(unit, known.unit, known.name, path, nominal)) if known.dtype == "f8" else values


def _scaled(values: np.ndarray, factor: float) -> np.ndarray:
    return values if factor == 1.0 else values * factor


def whole_flags(column: Any, path: object) -> np.ndarray:
    """Flags as an array, 0 where there are none.

    Raises
    ------
    InputError
        They are no whole numbers, or not of 32 bits.
    """
    import pyarrow as pa

    try:
        result: np.ndarray = column.cast(pa.uint32()).fill_null(0).to_numpy()
    except pa.ArrowException as error:
        words = f"flags: {' '.join(str(error).split())[:150]}"
        raise InputError(words, path=None if path is None else str(path), expected="whole numbers from 0 to 4294967295") from error
    return result


def _list(parts: Mapping[int, tuple[np.ndarray, bool]], u1: np.ndarray | None, n: int) -> np.ndarray:
    """Columns of single orders as a list; for those in % of the fundamental any fundamental will do where there is none."""
    out = np.full((n, LIST_LENGTH["orders"]), np.nan, np.float32)
    base = parts[1][0] if 1 in parts else np.full(n, 100.0) if u1 is None else u1
    out[:, 1] = base
    for order, (values, share) in parts.items():
        if order != 1 and order < out.shape[1]:
            out[:, order] = values * base / 100.0 if share else values
    return out


def _texts(column: Any, name: str) -> list[Any]:
    values = column.to_pylist()
    if name == "phases":
        return [v if isinstance(v, list) else [p.upper() for p in re.split(r"[\s;,/]+", v or "") if p] for v in values]
    return [v.strip().lower() if isinstance(v, str) else v for v in values]


def check_events(types: Sequence[Any], phases: Sequence[Any], durations: Sequence[float | None], path: object) -> None:
    """Refuse what nobody could count.

    Raises
    ------
    InputError
        A row whose type or whose phases are unknown, or that lasts less than nothing.
    """
    where = str(path)
    for k, (kind, named, lasting) in enumerate(zip(types, phases, durations, strict=True), 1):
        if kind not in EVENT_TYPES:
            raise InputError(f"events: row {k} is of type {kind!r}", path=where, expected=f"one of {', '.join(EVENT_TYPES)}")
        strange = [p for p in named or () if p not in (*PHASES, *LINES)]
        if strange:
            raise InputError(f"events: row {k} names the phase {strange[0]!r}", path=where, expected=f"{', '.join((*PHASES, *LINES))}, or none")
        if lasting is not None and (lasting < 0 or lasting == np.inf):
            raise InputError(f"events: row {k} lasts {lasting:g} s", path=where, expected="a length of 0 s and more, or nothing while it is open")


def _arrow(table: str, made: Mapping[str, Any], path: str | os.PathLike[str]) -> pa.Table:
    import pyarrow as pa

    arrays = []
    fields = []
    for column in columns(table):
        if column.name not in made:
            continue
        values = made[column.name]
        if column.name == "t":
            array = pa.array(np.ascontiguousarray(values, np.int64)).view(pa.timestamp("ns", "UTC"))
        elif column.dtype in LIST_LENGTH:
            array = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1), from_pandas=True), LIST_LENGTH[column.dtype])
        elif column.name in _EVENT_TEXT:
            array = pa.array(values, pa.string() if column.name == "type" else pa.list_(pa.string()))
        elif column.dtype == "u4":
            array = pa.array(np.nan_to_num(values).astype(np.uint32, copy=False))
        else:
            array = pa.array(values, from_pandas=True)
        arrays.append(array)
        fields.append(pa.field(column.name, array.type, metadata={"unit": column.unit}))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata={"source": os.fspath(path)}))
