"""The tables of limits, and the check of the system of limits that needs nothing but them."""

from __future__ import annotations

import math

import pytest

from ctmeter.accuracy.evaluate import composite_of_limits
from ctmeter.accuracy.limits import Limits
from ctmeter.accuracy.rating import Rating, rated
from ctmeter.errors import SettingsError

BANDS = ("+5..+30", "-10..+40", "-25..+55", "-40..+70")


def rating_of(name: str, i_n: float = 5.0, **more) -> Rating:
    return rated(name, i_n, limits=more.pop("tables", None) or Limits.load(), **more)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("A", [(2.98, 3.5), (4.07, 4.5), (5.36, 7.0), (6.73, 9.0)]),
        ("B", [(1.60, 2.0), (2.11, 2.5), (2.74, 3.5), (3.42, 4.0)]),
        ("C", [(0.79, 0.7), (1.14, 1.0), (1.55, 1.3), (1.98, 1.5)]),
    ],
)
def test_composite_of_the_limits_themselves(name, expected):
    """Classes A and B keep the permissible errors by construction, class C does not."""
    for band, (error, mpe) in zip(BANDS, expected, strict=True):
        found = composite_of_limits(rating_of(name), band)
        assert found == (pytest.approx(error, abs=0.005), mpe)
        assert (found[0] <= found[1]) == (name != "C")


def test_class_c_by_hand():
    for band, kelvin in zip(BANDS, (18, 33, 48, 63), strict=True):
        e = math.sqrt(0.5**2 + (0.03 * kelvin) ** 2 + 0.2**2 + 0.2**2)
        assert composite_of_limits(rating_of("C"), band)[0] == pytest.approx(e, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "i_n", "connection", "currents"),
    [
        ("B", 5.0, "transformer", {"Ist": 0.010, "Imin": 0.05, "Itr": 0.25, "In": 5.0, "Imax": 6.0}),
        ("C", 5.0, "transformer", {"Ist": 0.005, "Imin": 0.05, "Itr": 0.25, "In": 5.0, "Imax": 6.0}),
        ("C", 1.0, "transformer", {"Ist": 0.001, "Imin": 0.01, "Itr": 0.05, "In": 1.0, "Imax": 1.2}),
        ("B", 10.0, "direct", {"Ist": 0.04, "Imin": 0.5, "Itr": 1.0, "In": 10.0, "Imax": 50.0}),
        ("0.2S", 5.0, "transformer", {"Ist": 0.005, "Imin": 0.05, "In": 5.0}),
        ("1", 5.0, "direct", {"Ist": 0.020, "Imin": 0.25, "In": 5.0}),
    ],
)
def test_currents_of_the_range(name, i_n, connection, currents):
    rating = rating_of(name, i_n, connection=connection)
    assert {s: rating.amperes(s) for s in currents} == pytest.approx(currents)


@pytest.mark.parametrize(
    ("name", "quantity", "current", "more", "percent"),
    [
        ("C", "error", 0.2499, {}, 1.0),
        ("C", "error", 0.25, {}, 0.5),
        ("C", "error", 6.0, {"factor": "0.8 cap"}, 0.5),
        ("C", "error", 0.2, {"factor": "0.5 ind"}, None),
        ("C", "error", 6.01, {}, None),
        ("C", "error", 5.0, {"load": "single"}, 1.0),
        ("C", "mpe", 0.05, {"band": "-25..+55"}, 1.7),
        ("C", "mpe", 5.0, {"band": "-25..+55", "load": "single"}, 1.7),
        ("C", "sequence", 0.5, {}, 0.1),
        ("C", "dc", 6 / math.sqrt(2), {}, None),  # not on transformers
        ("1", "error", 0.1, {}, 1.5),
        ("2", "error", 0.3, {"factor": "0.8 cap"}, None),
        ("0.5S", "error", 0.1, {"factor": "0.5 ind"}, 1.0),
        ("0.2S", "error", 0.5, {"factor": "0.8 cap"}, 0.3),
        ("0.2S", "temperature", 5.0, {"factor": "0.5 ind"}, 0.02),
        ("C", "error", 0.1, {"energy": "reactive"}, 2.5),
        ("C", "error", 0.25, {"energy": "reactive"}, 2.0),
        ("0.2S", "error", 0.05, {"energy": "reactive"}, 1.0),
    ],
)
def test_limits_at_points(name, quantity, current, more, percent):
    found = rating_of(name).limit(quantity, current, **more)
    assert (found and found.percent) == percent


def test_every_number_says_where_it_is_known_from():
    tables = Limits.load()
    assert sum(len(r.percent) for r in tables.rows) > 200
    for row in tables.rows:
        assert set(row.tags) == set(row.percent) and all(row.tags.values())
    for found in tables.classes.values():
        assert set(found.tags) == set(found.currents) and all(found.tags.values())


@pytest.mark.parametrize(("name", "n"), [("1", 600), ("0.5S", 600), ("2", 480), ("0.2S", 900)])
def test_duration_of_the_no_load_test(name, n):
    """N 10^6 / (k m Un Imax) minutes of edition 1 of the IEC standards."""
    assert rating_of(name).no_load_seconds(1000) == pytest.approx(60 * n * 1e6 / (1000 * 3 * 230 * 6))


@pytest.mark.parametrize(("name", "k", "minutes"), [("C", 5000, 12.1), ("B", 1000, 30.2)])
def test_duration_of_the_no_load_test_of_en_50470(name, k, minutes):
    assert rating_of(name).no_load_seconds(k) / 60 == pytest.approx(minutes, abs=0.05)


def test_a_table_of_ones_own_replaces_and_extends(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text("""
[[class]]
name = "0.1X"
energy = "active"
standard = "works standard"
itr = { transformer = "0.05 In", tag = "own" }
imin = { transformer = "0.01 In", tag = "own" }
ist = { transformer = "0.0005 In", tag = "own" }
imax = { transformer = "2 In", tag = "own" }
[[limit]]
quantity = "error"
standard = "works standard"
factors = ["1"]
from = "Imin"
to = "Imax"
percent = { "0.1X" = 0.08 }
tag = "own"
[[limit]]
quantity = "error"
standard = "EN 50470-3:2006"
factors = ["1"]
from = "Itr"
to = "Imax"
percent = { C = 0.4 }
tag = "release"
""")
    tables = Limits.load(path)
    own = rating_of("0.1X", tables=tables)
    assert own.i_max == 10.0 and own.limit("error", 5.0).percent == 0.08
    changed = rating_of("C", tables=tables).limit("error", 5.0)
    assert (changed.percent, changed.tag) == (0.4, "release")
    # what the row does not speak of stays
    assert rating_of("B", tables=tables).limit("error", 5.0).percent == 1.0
    assert rating_of("C").limit("error", 5.0).percent == 0.5


def test_faults_of_a_table_are_named_at_once(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text("""
[[limit]]
quantity = "error"
standard = "x"
from = "0.05 Ix"
to = "Imax"
percent = { Z = -1 }
tag = "own"
[[limit]]
quantity = "error"
""")
    with pytest.raises(SettingsError) as caught:
        Limits.load(path)
    text = str(caught.value)
    assert "0.05 Ix" in text and "-1" in text and "limit 2" in text and "standard, percent, tag is missing" in text
    with pytest.raises(SettingsError, match=r"none.toml: cannot be read"):
        Limits.load(tmp_path / "none.toml")


CURRENTS = 'ist = { transformer = "0.1 Itr", tag = "x" }\nimax = { transformer = "1.2 In", tag = "x" }\n'
OWN = f'[[class]]\nname = "Z"\nenergy = "active"\nstandard = "own"\n{CURRENTS}'
PLAIN = 'itr = { transformer = "0.05 In", tag = "x" }\nimin = { transformer = "0.2 Itr", tag = "x" }\n'
ROW = '[[limit]]\nquantity = "{0}"\nstandard = "{1}"\nfactors = ["{2}"]\nfrom = "Itr"\nto = "Imax"\npercent = {{ C = 0.4 }}\ntag = "x"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (OWN + 'itr = { transformer = "2 Imin", tag = "x" }\nimin = { transformer = "0.2 Itr", tag = "x" }', "stand on each other"),
        (OWN, "itr, imin is missing for transformer meters"),
        (OWN + PLAIN + 'no_load = { rule = "mine" }', "no_load.rule: 'mine'"),
        (OWN + PLAIN + 'no_load = { rule = "EN 50470-3" }', "no_load.n: None"),
        (OWN + "itr = 3", "itr: 3"),
        ("curve = 3", "curve: expected a table"),
        ("[curve]\ntransformer = 3", "curve.transformer: expected a list"),
        ('[curve]\nshape = ["In"]', "curve.shape: no such key"),
        ('[[band]]\nname = "x"\ntemperatures = []', "band x: temperatures"),
        (ROW.format("eror", "EN 50470-3:2006", "1"), "no such quantity"),
        (ROW.format("error", "EN 50470-3", "1"), "whose limits are those of 'EN 50470-3:2006'"),
        (ROW.format("error", "EN 50470-3:2006", "0.5ind"), "factor '0.5ind'"),
        (ROW.format("mpe", "2014/32/EU", "1") + 'band = "warm"', "band 'warm'"),
        (ROW.format("error", "EN 50470-3:2006", "1") + 'band = "+5..+30"', "only maximum permissible errors"),
    ],
)
def test_a_table_that_would_say_nothing_is_refused(tmp_path, text, words):
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        Limits.load(path)
    assert words in str(caught.value) and "own.toml" in str(caught.value)


def test_a_range_that_is_none_is_refused(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(ROW.format("error", "EN 50470-3:2006", "1").replace('"Itr"', '"2 Imax"'))
    with pytest.raises(SettingsError, match="from 2 Imax to Imax"):
        rating_of("C", tables=Limits.load(path))
    assert rating_of("B", tables=Limits.load(path)).meter_class == "B"


def test_faults_of_a_rating_are_named_at_once():
    with pytest.raises(SettingsError) as caught:
        rating_of("D", -1.0, u_n=0.0, reactive_class="9")
    assert len(caught.value.faults) == 4
    assert all(any(word in fault for fault in caught.value.faults) for word in ("'D'", "in: -1.0", "un: 0.0", "'9'"))
    with pytest.raises(SettingsError, match="no direct meters"):
        rating_of("0.2S", connection="direct")
    with pytest.raises(SettingsError, match="below In"):
        rating_of("C", i_max=4.0)
