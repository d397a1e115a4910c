"""Registers: whole millijoules, exact at any size, whatever the ratio does."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctmeter.errors import InputError
from ctmeter.meter.display import frame
from ctmeter.meter.readings import energy
from ctmeter.meter.registers import KEYS, ROLL_OVER, TARIFFS, Registers, existing, roll_overs

KWH = 3_600_000_000
FULL_LOAD_W = 3 * 230 * 6


def grown(**units: int) -> np.ndarray:
    """A row of registers, by name with p for + and m for -."""
    row = np.zeros(len(KEYS), np.int64)
    for name, n in units.items():
        row[KEYS.index(name.replace("p", "+").replace("m", "-"))] = n
    return row


def preloaded(units: int, ratio: int = 1) -> Registers:
    registers = Registers(4, ratio)
    registers.add(grown(Ap=units), 1)
    return registers


@pytest.mark.feature("C2", "C1")
def test_a_small_load_near_the_end_of_the_register():
    """0.6 W for an hour, cycle by cycle, onto 9 999 999 kWh: to the unit; a float register of kWh is 11.8 % off."""
    cycles, joules = 180_000, 0.6 * 0.02
    registers = preloaded(9_999_999 * KWH)
    registers.begin()
    energy = np.zeros((cycles, len(KEYS)))
    energy[:, 0] = joules * np.arange(1, cycles + 1)
    for a in range(0, cycles, 4001):
        for row in registers.grow(energy[a : a + 4001]):
            registers.add(row, 1)
    assert registers.value("A+") - 9_999_999 * KWH == 2_160_000 and registers.remainder("A+") < 1e-6
    as_float = 9_999_999.0
    for _ in range(cycles):
        as_float += joules / 3.6e6
    assert (as_float - 9_999_999.0) / 6e-4 - 1 == pytest.approx(0.118, abs=0.001)


@pytest.mark.feature("C2")
def test_the_fraction_below_a_unit_is_carried_from_run_to_run():
    """Ten runs of 0.35 mWs each are 3.5 mWs."""
    registers = Registers(4, 1)
    for _ in range(10):
        registers.begin()
        for row in registers.grow(np.full((1, len(KEYS)), 0.35e-3)):
            registers.add(row, 1)
    assert registers.value("A+") == registers.value("E-_L3") == 3
    assert registers.remainder("A+") == pytest.approx(0.5, abs=1e-9)


@pytest.mark.feature("C3", "C4")
@given(st.lists(st.tuples(st.lists(st.floats(0, 1e9), min_size=8, max_size=8), st.sampled_from(TARIFFS), st.booleans()), max_size=20))
def test_sums_are_exact(steps):
    """Whatever is booked in whatever tariff and runs: tariffs make the total, quadrants the reactive energy, to the unit."""
    registers = Registers(4, 7)
    exact = [Fraction(0)] * len(KEYS)
    energy = np.zeros(len(KEYS))
    registers.begin()
    for parts, tariff, new_run in steps:
        if new_run:
            registers.begin()
            energy = np.zeros(len(KEYS))
        step = np.zeros(len(KEYS))
        for k, value in zip((0, 1, 4, 5, 6, 7, 8, 9), parts, strict=True):
            step[k] = value
        step[2], step[3] = step[4] + step[5], step[6] + step[7]
        before, energy = energy, energy + step
        exact = [e + (Fraction(b) - Fraction(a)) * 1000 for e, a, b in zip(exact, before, energy, strict=True)]
        for row in registers.grow(energy[None]):
            registers.add(row, tariff)
        for name in ("A+", "R+"):
            for side in ("secondary", "primary"):
                assert sum(registers.value(f"{name}_T{t}", side) for t in TARIFFS) == registers.value(name, side)
        for total, parts_of in (("R+", ("R1", "R2")), ("R-", ("R3", "R4"))):
            assert registers.value(total) == sum(registers.value(n) for n in parts_of)
    for k, name in enumerate(KEYS[:10]):
        held = registers.value(name) + Fraction(registers.remainder(name))
        assert abs(held - exact[k]) <= len(steps) * 1e-3 and 0 <= registers.remainder(name) < (2 if name in ("R+", "R-") else 1)


@pytest.mark.feature("A5", "X9")
@pytest.mark.parametrize("energy_type", [1, 2, 3, 4])
def test_energy_that_has_no_register_is_counted_apart(energy_type):
    there = {1: {"A+", "E+"}, 2: {"A+", "A-", "E+", "E-"}, 3: {"A+", "R+", "R1", "R2", "E+"}, 4: set(KEYS[:10])}[energy_type]
    assert set(existing(energy_type)) == there
    registers = Registers(energy_type, 1)
    registers.add(np.arange(1, len(KEYS) + 1, dtype=np.int64), 2)
    for k, name in enumerate(KEYS):
        if name.split("_")[0] in there:
            assert registers.value(name) == k + 1 and name not in registers.unregistered()
        else:
            assert registers.value(name) == 0 and registers.unregistered()[name] == k + 1
    tariffs = {f"{name}_T{t}" for name in ("A+", "R+") if name in there for t in TARIFFS}
    assert {n for n in registers.names() if "_T" in n} == tariffs
    assert registers.value("A+_T2") == 1 and registers.value("R+_T2") == (3 if "R+" in there else 0)


@pytest.mark.feature("H2", "H3", "C14")
def test_a_ratio_does_not_rewrite_history():
    registers = Registers(4, 40)
    registers.add(grown(Ap=1_000_003, Rp=11, R1=11), 1)
    epoch = registers.change_ratio(5, 60)
    assert (epoch.t_ns, epoch.ratio, epoch.secondary["A+"], epoch.primary["A+"]) == (5, 60, 1_000_003, 40_000_120)
    assert registers.value("A+", "primary") == 40 * 1_000_003
    registers.add(grown(Ap=700, Rp=5, R2=5), 3)
    assert registers.value("A+") == 1_000_703 and registers.value("A+", "primary") == 40 * 1_000_003 + 60 * 700
    assert registers.value("R+", "primary") == 40 * 11 + 60 * 5
    assert registers.value("A+_T1", "primary") == 40 * 1_000_003 and registers.value("A+_T3", "primary") == 60 * 700
    registers.change_ratio(9, 1)
    registers.add(grown(Ap=9), 1)
    assert registers.value("A+", "primary") == 40 * 1_000_003 + 60 * 700 + 9 and registers.ratio == 1
    again = Registers.restore(4, registers.state())
    assert again.state() == registers.state() and again.epochs == registers.epochs


@pytest.mark.feature("H1", "B3")
def test_full_load_for_4000_hours_at_the_largest_ratio():
    """4.14 kW secondary times 600: 9 936 000 kWh after 4000 h; 10^7 kWh are passed in the 4026th hour."""
    registers = Registers(4, 600)
    hour = grown(Ap=FULL_LOAD_W * 3600 * 1000)
    for _ in range(4000):
        registers.add(hour, 1)
    primary = registers.value("A+", "primary")
    assert primary == 9_936_000 * KWH and roll_overs(primary) == 0
    shown = [frame(["1.8.0"], 0, [energy("1.8.0", primary, side="primary")]).value]
    for k in range(4001, 4027):
        registers.add(hour, 1)
        assert roll_overs(registers.value("A+", "primary")) == (k > 4025)
    primary = registers.value("A+", "primary")
    shown.append(frame(["1.8.0"], 0, [energy("1.8.0", primary, side="primary")]).value)
    assert primary == 10_000_584 * KWH > ROLL_OVER
    assert shown == ["9936000", "0000584"]


@pytest.mark.feature("C2")
def test_state_goes_on_to_the_bit():
    rng = np.random.default_rng(4)
    energy = np.cumsum(rng.uniform(0, 1e-3, (60, len(KEYS))), axis=0)
    one = Registers(4, 3)
    two = Registers(4, 3)
    for registers in (one, two):
        registers.begin()
    for a, b in itertools.pairwise(range(0, 61, 5)):
        for row in one.grow(energy[a:b]):
            one.add(row, 1)
        two = Registers.restore(4, two.state())
        for row in two.grow(energy[a:b]):
            two.add(row, 1)
    assert one.state() == two.state() and one.value("A+") > 20


@pytest.mark.feature("A13", "C2")
@pytest.mark.parametrize("bad", [np.nan, np.inf, 9.1e15])
def test_energies_that_no_register_holds(bad):
    registers = Registers(4, 1)
    energy = np.zeros((2, len(KEYS)))
    energy[1, 7] = bad
    with pytest.raises(InputError, match="register"):
        registers.grow(energy)
    assert registers.state() == Registers(4, 1).state()
