"""Integration periods and their maxima, with periods made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ctmeter.meter.demand import ACCUMULATED, COVERED, MAXIMA, Maxima, Period
from ctmeter.meter.quality import GOOD, Quality
from ctmeter.meter.registers import KEYS, existing

NAMES = KEYS[:10]
QUARTER = 15 * 60 * 10**9


def period(k, power=0.0, *, covered=QUARTER, tariff=1, ratio=1, quality=GOOD, **powers):
    """The k-th quarter of an hour; powers in W, of A+ or by register with p for + and m for -."""
    made = Period(k * QUARTER, (k + 1) * QUARTER)
    row = np.zeros(40, np.int64)
    for name, w in {"Ap": power, **powers}.items():
        row[NAMES.index(name.replace("p", "+").replace("m", "-"))] = round(w * 900_000)
    made.add(row, covered, tariff=tariff, ratio=ratio, quality=quality)
    return made


def maxima(threshold=None, allow_incomplete=False, energy_type=4):
    return Maxima(NAMES, existing(energy_type), threshold, allow_incomplete)


@pytest.mark.feature("C5")
def test_the_largest_and_the_first_of_two_alike():
    found = maxima()
    for k, power in enumerate([500.0, 2000.0, 1999.9, 2000.0, 30.0]):
        found.take(period(k, power))
    assert found.largest["P+max"] == (2000.0, 2 * QUARTER), "the end of the period, the first of two alike"
    assert found.last == 30.0


@pytest.mark.feature("C5")
def test_a_period_that_is_not_covered_makes_no_maximum():
    part = period(0, 5000.0, covered=QUARTER - COVERED - 1)
    assert part.closed() == Quality.INCOMPLETE and not part.complete
    assert period(0, 5.0, covered=QUARTER - COVERED).complete
    strict, lenient = maxima(), maxima(allow_incomplete=True)
    for found in (strict, lenient):
        found.take(part)
        found.take(period(1, 100.0))
    assert strict.largest["P+max"] == (100.0, 2 * QUARTER)
    assert lenient.largest["P+max"] == (5000.0, QUARTER), "its energy over the whole period"


@pytest.mark.feature("C6")
def test_accumulated_over_three_billing_periods():
    """At each stop the maximum is added and begins anew: 40 + 25 + 60."""
    found = maxima()
    seen = []
    k = 0
    for powers in ([10, 40, 20], [25, 5], [60, 60, 1]):
        for power in powers:
            found.take(period(k, float(power), tariff=1 + k % 2, Rp=2.0 * power))
            k += 1
        found.stop()
        seen.append((found.accumulated["P+max"], found.accumulated["Q+max"]))
        assert found.largest == {}
    assert seen == [(40.0, 80.0), (65.0, 130.0), (125.0, 250.0)]
    # tariffs by turns: T1 20, 5, 60; T2 40, 25, 60
    assert (found.accumulated["P+max T1"], found.accumulated["P+max T2"]) == (20 + 5 + 60, 40 + 25 + 60)
    assert tuple(found.accumulated) == ACCUMULATED


@pytest.mark.feature("C7")
def test_maxima_of_tariffs_are_those_of_one_and_two():
    assert {t for _, t in MAXIMA.values()} == {0, 1, 2}
    found = maxima()
    for k, tariff in enumerate([1, 2, 3, 4]):
        found.take(period(k, 100.0 * (k + 1), tariff=tariff, Rp=10.0 * (k + 1)))
    mixed = period(9, 9000.0, tariff=1)
    mixed.add(np.zeros(40, np.int64), 0, tariff=2, ratio=1, quality=GOOD)
    found.take(mixed)
    assert {n: p for n, (p, _) in found.largest.items()} == {
        "P+max": 9000.0, "P+max T1": 100.0, "P+max T2": 200.0, "Q+max": 40.0, "Q+max T1": 10.0, "Q+max T2": 20.0
    }  # fmt: skip


@pytest.mark.feature("C8")
def test_apparent_maxima_by_direction():
    found = maxima()
    found.take(period(0, Ep=700.0))
    found.take(period(1, Em=900.0))
    found.take(period(2, Ep=200.0, Em=650.0))
    assert found.largest["S+max"] == (700.0, QUARTER) and found.largest["S-max"] == (900.0, 2 * QUARTER)


@pytest.mark.feature("C8", "X9")
def test_no_maximum_of_a_register_that_is_not_there():
    found = maxima(energy_type=1)
    found.take(period(0, 10.0, Rp=20.0, Ep=30.0, Em=40.0))
    found.stop()
    found.take(period(1, 10.0, Rp=20.0, Ep=30.0, Em=40.0))
    assert set(found.largest) == {"P+max", "P+max T1", "S+max"} and set(found.accumulated) == {"P+max", "P+max T1", "P+max T2"}


@pytest.mark.feature("C12")
def test_periods_above_the_power_threshold():
    """Secondary W, above and not at it; not those that are not covered."""
    found = maxima(threshold=100.0)
    for k, power in enumerate([99.9, 100.0, 100.1, 500.0, 0.0, 101.0]):
        found.take(period(k, power, ratio=50))
    found.take(period(9, 1000.0, covered=1))
    found.stop()
    assert found.above == 3
    off = maxima()
    off.take(period(0, 1e6))
    assert off.above == 0


@pytest.mark.feature("C5", "H2")
def test_demand_is_primary_by_the_ratio_of_its_time():
    made = period(0, 30.0, ratio=40)
    row = np.zeros(40, np.int64)
    row[0] = 20 * 900_000
    made.add(row, 0, tariff=1, ratio=60, quality=GOOD)
    assert made.power(0) == 30 * 40 + 20 * 60 and made.secondary[0] == 50 * 900_000
    assert Period.restore(made.state()) == made


def test_state_goes_on():
    found = maxima(threshold=1.0)
    found.take(period(0, 10.0, Ep=3.0))
    found.stop()
    found.take(period(1, 4.0))
    again = maxima(threshold=1.0)
    again.resume(found.state())
    assert again.state() == found.state() and again.largest == found.largest
