import datetime as dt
import json

import numpy as np
import pytest

from ctmeter.pipeline.describe import describe, iso, plain, program
from ctmeter.recording import Recording


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (None, None),
        (0, "1970-01-01T00:00:00Z"),
        (1_500_000_000, "1970-01-01T00:00:01.500Z"),
        (1, "1970-01-01T00:00:00.000000001Z"),
        (1_447_824_783_765_333_000, "2015-11-18T05:33:03.765333Z"),
        (-1_000_000_000, "1969-12-31T23:59:59Z"),
    ],
)
def test_iso(ns, text):
    assert iso(ns) == text


def test_plain_values_have_no_nan():
    given = {"a": np.float64("nan"), "b": np.array([1.0, np.inf]), "c": (np.int32(3), True, None), 4: np.datetime64("2026-03-02", "ns"), "d": dt.UTC}
    assert json.dumps(plain(given), allow_nan=False)
    assert (
        plain(given)["a"] is None
        and plain(given)["b"] == [1.0, None]
        and plain(given)["c"] == [3, True, None]
        and plain(given)["4"] == "2026-03-02T00:00:00Z"
    )


def test_recording_in_memory():
    made = describe(Recording.from_arrays({"U_L1": np.zeros(100)}, sample_rate=1000))
    assert made["source"] is None and made["start"] is None and made["end"] is None and made["duration_s"] == 0.1
    assert set(made) >= {"source", "size", "format", "start", "end", "duration_s", "sample_rate_hz", "segments", "samples", "channels", "warnings"}
    assert program()["name"] == "ctmeter"
