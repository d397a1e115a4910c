import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from ctmeter.measurements import LABELS, event_table, record_batch, schema
from ctmeter.quantity import TABLES, columns


def test_one_schema_per_table_with_units_and_sides():
    for table in TABLES:
        made = schema(table, spectra=True, sides={"U": "primary", "I": "primary", "P": "primary"})
        assert made.names == [c.name for c in columns(table, True)]
        for c in columns(table, True):
            metadata = made.field(c.name).metadata
            assert metadata[b"unit"].decode() == c.unit
            assert metadata.get(b"side") == (b"primary" if c.side else None)
    assert schema("basic").field("P").metadata[b"side"] == b"as-recorded"
    assert schema("basic").field("t").type == pa.timestamp("ns", "UTC")
    assert schema("3s").field("HU_L1").type == pa.list_(pa.float32(), 51)
    assert schema("3s").field("IHI_L3").type == pa.list_(pa.float32(), 50)


def test_nan_and_missing_columns_become_null():
    rows = {"t": np.array([0, 10**9], np.int64), "U_L1": np.array([230.0, np.nan]), "flags": np.array([0, 8], np.uint32)}
    batch = record_batch("basic", rows)
    assert batch.column("U_L1").to_pylist() == [230.0, None]
    assert batch.column("P").null_count == 2
    assert batch.column("flags").to_pylist() == [0, 8]
    assert batch.column("t").cast("int64").to_pylist() == [0, 10**9]
    assert batch.schema.equals(schema("basic"))


def test_lists():
    lists = np.full((2, 51), np.nan)
    lists[0, :3] = [1.0, 230.0, 0.5]
    batch = record_batch("3s", {"t": np.arange(2), "HU_L1": lists})
    first, second = batch.column("HU_L1").to_pylist()
    assert first[:4] == [1.0, 230.0, 0.5, None] and len(first) == 51
    assert second is None


def test_half_cycle_labels():
    batch = record_batch("half_cycle", {"t": np.arange(2), "channel": np.array([0, 5], np.int8), "U": np.array([1.0, 2.0])})
    assert batch.column("channel").to_pylist() == ["U_L1", "U_L23"] == [LABELS[0], LABELS[5]]


def test_what_does_not_fit_is_an_error():
    with pytest.raises(ValueError, match="no column X"):
        record_batch("basic", {"t": np.arange(2), "X": np.arange(2)})
    with pytest.raises(ValueError, match="U_L1 has 3 rows"):
        record_batch("basic", {"t": np.arange(2), "U_L1": np.zeros(3)})


def test_events():
    rows = [{"type": "dip", "t": 5, "phases": ["L1"], "U_residual": 100.0, "detail": [{"phase": "L1", "t": 5, "duration": None, "U": 100.0}]}]
    table = event_table(rows)
    assert table.schema.equals(schema("events"))
    assert table.column("U_residual").to_pylist() == [100.0] and table.column("duration").to_pylist() == [None]
    assert event_table([]).num_rows == 0


@pytest.mark.parametrize("left_out", [True, False])
def test_arrow_does_without_pandas_where_it_is_told_to(tmp_path, left_out: bool):
    """Not merely absent here: an installed one is left alone by Arrow, and still there for whoever wants it."""
    (tmp_path / "pandas.py").write_text("raise SystemExit('pandas was imported')\n")
    program = "import pyarrow as pa; from ctmeter.measurements import leave_pandas_out\n"
    program += "leave_pandas_out()\n" if left_out else ""
    program += "pa.array([1]).to_numpy(); print('so far without', flush=True); import pandas\n"
    path = os.pathsep.join([str(tmp_path), *(p or os.getcwd() for p in sys.path)])
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "pandas was imported\n")
    assert done.stdout == ("so far without\n" if left_out else "")
