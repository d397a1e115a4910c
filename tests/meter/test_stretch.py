"""Rows cut at instants: energy is shared by time, and none is lost."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ctmeter.meter.stretch import Stretch


def stretch(energy, start=0, width=100):
    n = len(energy)
    begins = start + width * np.arange(n, dtype=np.int64)
    table = np.array(energy, np.int64)[:, None] * np.ones(40, np.int64)
    return Stretch(begins, begins + width, table, np.arange(n, dtype=np.uint32), {"P": np.arange(n) / 2})


def test_a_row_cut_in_three():
    cut = stretch([10, 100, 7]).cut([125, 180])
    assert cut.start_ns.tolist() == [0, 100, 125, 180, 200] and cut.end_ns.tolist() == [100, 125, 180, 200, 300]
    # 25 of 100; then 55 of the 75 ns that are left of 75 units
    assert cut.energy[:, 0].tolist() == [10, 25, 55, 20, 7]
    assert cut.flags.tolist() == [0, 1, 1, 1, 2] and cut.means["P"].tolist() == [0, 0.5, 0.5, 0.5, 1]


def test_edges_and_times_outside_cut_nothing():
    whole = stretch([10, 11])
    assert len(whole.cut([-5, 0, 100, 200, 900])) == 2 and len(whole.part(1, 1)) == 0


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=5), st.lists(st.integers(-50, 600), max_size=8, unique=True))
def test_sums_are_kept(energy, times):
    whole = stretch(energy)
    cut = whole.cut(sorted(times))
    assert (cut.energy.sum(0) == whole.energy.sum(0)).all() and (cut.energy >= 0).all()
    assert (cut.start_ns[1:] == cut.end_ns[:-1]).all() and (cut.end_ns > cut.start_ns).all()
    assert {t for t in times if 0 < t < whole.end_ns[-1]} <= {*cut.start_ns.tolist()}
