"""Status channels of a recording, read by the code of the module."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ctmeter.errors import InputError, SettingsError
from ctmeter.meter.code_tables import MODULES
from ctmeter.meter.config import MeterConfig
from ctmeter.meter.inputs import Change, changes, check_selection, checked_events
from ctmeter.recording import Gap, Segment
from meter.bench import FS, START, S, sines

#: Levels of the two terminals, four steps of a quarter of a second: both off, first, both, second.
ONE, TWO = (np.repeat(v, round(FS / 4)) for v in ([0, 1, 1, 0], [0, 0, 1, 1]))
STEP = S // 4
UP, DOWN = [1, 2, 3, 4], [4, 3, 2, 1]
#: What the four steps mean, by module: tariffs, and (kind, step, value) of edges. Written down from the sheet's table of Z3.
#: The first input counts one, the second two; of inverted ones the other level.
EXPECTED: dict[str, tuple[list[int] | None, list[tuple[str, int, int]]]] = {
    "00": (None, []),
    "01": ([1, 2, 4, 3], []),
    "02": ([4, 3, 1, 2], []),
    "03": (None, [("pulse", 1, 1), ("alarm", 2, 1)]),
    "04": (None, [("alarm", 0, 1), ("pulse", 1, 1), ("alarm", 2, 0)]),
    "05": (None, [("pulse", 1, 1)]),
    "06": (None, []),
    "07": ([1, 2, 2, 1], [("alarm", 2, 1)]),
    "08": ([2, 1, 1, 2], [("alarm", 2, 1)]),
    "09": ([1, 2, 2, 1], [("alarm", 0, 1), ("alarm", 2, 0)]),
    "10": ([2, 1, 1, 2], [("alarm", 0, 1), ("alarm", 2, 0)]),
    "11": ([1, 2, 2, 1], []),
    "12": ([2, 1, 1, 2], []),
    "13": ([1, 1, 2, 2], [("pulse", 1, 1)]),
    "14": ([2, 2, 1, 1], [("pulse", 1, 1)]),
    "15": (None, [("billing-stop", 1, 1)]),
    "16": (None, []),
    "17": (None, []),
    "18": (None, [("pulse", 1, 1)]),
    "19": (None, [("pulse", 3, 1)]),
    "20": (None, [("pulse", 1, 1)]),
    "21": (None, [("pulse", 3, 1)]),
    "22": ([1, 2, 4, 3], []),
    "23": ([4, 3, 1, 2], []),
    "26": (None, []),
    "27": (None, [("pulse", 1, 1)]),
    "28": (None, [("pulse", 1, 1)]),
}


@pytest.mark.feature("Z3", "T5")
@pytest.mark.parametrize("code", EXPECTED)
def test_module(code):
    recording = sines(1.0, status={"a": ONE, "b": TWO})
    tariffs, edges = EXPECTED[code]
    found = changes(recording, MODULES[code], ("a", "b"), START)
    at = [(c.kind, round((c.t_ns - START) / STEP), c.value) for c in found]
    # the time of an edge is that of its first sample
    assert all((c.t_ns - START) % STEP == 0 for c in found)
    said = [(step, value) for kind, step, value in at if kind == "tariff"]
    in_force = [[v for s, v in said if s <= k][-1] for k in range(4)] if said else None
    assert in_force == tariffs
    assert [x for x in at if x[0] != "tariff"] == edges


@pytest.mark.feature("Z3")
def test_every_module_is_there():
    assert set(EXPECTED) == set(MODULES) and len(EXPECTED) == 27


@pytest.mark.feature("Z3")
def test_one_channel_only_and_none():
    recording = sines(1.0, status={"a": ONE, "b": TWO})
    assert [c.kind for c in changes(recording, MODULES["03"], ("", "b"), START)] == ["alarm"]
    assert changes(recording, MODULES["03"], ("", ""), START) == []
    # of two that select one says nothing
    assert changes(recording, MODULES["02"], ("a", ""), START) == []
    check_selection(MeterConfig(module="01", tariff_source="port", input_1="a", input_2="b"))
    with pytest.raises(SettingsError, match=r"input_2.*terminal 2 of module 01") as caught:
        check_selection(MeterConfig(module="01", tariff_source="port"))
    assert len(caught.value.faults) == 2


def test_a_channel_that_is_not_there():
    with pytest.raises(InputError, match=r"no status channel 'x'.*one of a, b"):
        changes(sines(1.0, status={"a": ONE, "b": TWO}), MODULES["03"], ("x", ""), START)
    with pytest.raises(InputError, match="with status channels"):
        changes(sines(1.0), MODULES["03"], ("x", ""), START)


@pytest.mark.feature("C13")
def test_times_over_a_gap_and_a_second_segment():
    """0.5 s are missing before the third quarter; then a segment an hour later. An edge is where its sample is."""
    recording = sines(1.0, status={"a": np.repeat([0, 1, 0, 1], round(FS / 4)), "b": TWO})
    n = round(FS / 4)
    recording = dataclasses.replace(
        recording, gaps=((2 * n, Gap(2 * n, "lost")),), segments=(Segment(0, 3 * n, FS, START), Segment(3 * n, 4 * n, FS, START + 3600 * S))
    )
    found = changes(recording, MODULES["27"], ("a", ""), START)
    assert [c.t_ns - START for c in found] == [S // 4, 3600 * S]
    inverted = changes(recording, MODULES["19"], ("a", ""), START)
    assert [c.t_ns - START for c in inverted] == [S]


def test_another_start_moves_the_edges():
    recording = sines(1.0, status={"a": ONE, "b": TWO})
    (found,) = changes(recording, MODULES["05"], ("a", ""), START + 17)
    assert found == Change(START + 17 + STEP, "pulse", 1)


@pytest.mark.feature("T1", "T5")
def test_events_beside_the_recordings():
    good = [Change(9, "tamper-cover", 1), Change(5, "tariff", 4), Change(7, "pulse", 3)]
    config = MeterConfig(tariff_source="register")
    assert [e.t_ns for e in checked_events(good, config)] == [5, 7, 9]
    for kind, value in (("tariff", 5), ("tariff", 0), ("alarm", 2), ("pulse", 0), ("ratio", 50), ("fire", 1)):
        with pytest.raises(InputError, match=kind):
            checked_events([Change(0, kind, value)], config)
    with pytest.raises(SettingsError, match="tariff_source"):
        checked_events(good, MeterConfig())
