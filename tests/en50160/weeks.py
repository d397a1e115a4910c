"""Tables of made weeks, values chosen by hand."""

import numpy as np
import pyarrow as pa

START = np.datetime64("2026-03-02T00:00:00", "ns")
PHASES = ("L1", "L2", "L3")
WEEK = {"10min": 1008, "2h": 84, "frequency": 60480, "3s": 201600}
STEP = {"10min": 600, "2h": 7200, "frequency": 10, "3s": 3}
DIP, SWELL, INTERRUPTION, GAP, INCOMPLETE = 1, 2, 4, 8, 128
GIVEN = {"nominal_voltage": 230.0, "nominal_frequency": 50.0}


def table(name, n=None, start=START, /, flags=None, keep=None, **columns):
    """A table on its grid; scalars are repeated, `keep` picks rows."""
    n = WEEK[name] if n is None else n
    t = start + np.arange(n) * np.timedelta64(STEP[name], "s")
    made = {"t": pa.array(t, pa.timestamp("ns", "UTC")), "flags": pa.array(np.zeros(n, np.uint32) if flags is None else flags.astype(np.uint32))}
    for key, values in columns.items():
        values = np.asarray(values)
        if key.startswith("HU"):
            values = np.broadcast_to(values, (n, 51)).astype(np.float32)
            made[key] = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1), from_pandas=True), 51)
        else:
            made[key] = pa.array(np.broadcast_to(values, n).astype(float), from_pandas=True)
    result = pa.table(made)
    return result if keep is None else result.filter(pa.array(keep))


def harmonics(**orders):
    """Sub-groups of 230 V with the orders named in %: h5=3.0."""
    values = np.zeros(51)
    values[1] = 230.0
    for name, percent in orders.items():
        values[int(name[1:])] = 2.3 * percent
    return values


def phases(prefix, values):
    return {f"{prefix}_{p}": values for p in PHASES}


def week(start=START, weeks=1, **changes):
    """Everything a pass needs: each table a whole number of weeks; `changes` by table replace or add columns."""
    quiet = {
        "10min": {**phases("U", 230.0), **phases("THD_U", 3.0), **phases("HU", harmonics(h5=3.0)), "u2": 0.5},
        "2h": phases("Plt", 0.4),
        "frequency": {"f": 50.0},
    }
    for name, columns in changes.items():
        quiet.setdefault(name, {}).update(columns)
    return {name: table(name, WEEK[name] * weeks, start, **columns) for name, columns in quiet.items()}


def with_events(tables, *events):
    """Tables with a table of events."""
    fields = [("type", pa.string()), ("t", pa.timestamp("ns", "UTC")), ("duration", pa.float64()), ("phases", pa.list_(pa.string()))]
    fields += [(k, pa.float64()) for k in ("U_ref", "U_residual", "U_max", "dU_max")] + [("flags", pa.uint32())]
    return {**tables, "events": pa.Table.from_pylist([{"U_ref": 230.0, "flags": 0, **e} for e in events], schema=pa.schema(fields))}


def event(kind, at, duration, phases=("L1",), **volts):
    """An event `at` seconds after the start."""
    t = int((START + np.timedelta64(round(at * 1e9), "ns")).astype(np.int64))
    return {"type": kind, "t": t, "duration": duration, "phases": list(phases), **volts}


def row(found, quantity, phase=None, order=None, week=0):
    """The one row of a parameter."""
    rows = [r for r in found.weeks[week]["parameters"] if (r["quantity"], r["phase"], r["order"]) == (quantity, phase, order)]
    assert len(rows) == 1, f"{len(rows)} rows of {quantity} {phase} {order}"
    return rows[0]


def counts(r):
    return r["N"], r["N1"], r["N2"], r["N_invalid"], r["verdict"]
