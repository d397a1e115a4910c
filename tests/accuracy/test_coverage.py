"""How far a verdict reaches: what of the type test was judged, what was assumed, what lies within its uncertainty."""

from __future__ import annotations

import pytest

from accuracy.rigs import point_of, record, rig_of, write_reference
from ctmeter import accuracy

RATED = {"meter_class": "C", "i_n": 5.0, "i_max": 6.0, "u_n": 230.0, "f_n": 50.0}


@pytest.fixture
def one(tmp_path):
    """A recording of 0.4 % at 5 A and PF 1."""
    record(rig_of({"current": {"gain": 0.4}}), point_of(), tmp_path / "a.npz", 1.0)
    return tmp_path


def bench(place, given=RATED, **row):
    path = write_reference(place / "ref.txt", [{"recording": "a.npz", "I": 5, "factor": 1, "power_W": 3450, **row}])
    return accuracy.run_bench(place, path, **given)


def test_what_nobody_states_is_said(one):
    report = bench(one, {})
    words = ["class: C", "rated current: 5 A", "maximum current", "reference voltage: 230 V", "reference frequency: 50 Hz"]
    words += ["voltage: taken as 230 V for 1 recording", "frequency: taken as 50 Hz", "temperature: taken as 23 °C"]
    assert len(report.assumed) == len(words) and all(w in line for w, line in zip(words, report.assumed, strict=True))
    assert report.to_dict()["assumed"] == list(report.assumed) and "assumed: reference voltage: 230 V, as none was given (--un)" in report.text()


def test_what_is_stated_is_not_assumed(one):
    assert bench(one, U=230, f=50, temperature=23).assumed == ()
    (line,) = bench(one, U_L1=230, U_L2=230, U_L3=230, f=50).assumed
    assert "temperature" in line
    (line,) = bench(one, f=50, temperature=23).assumed
    assert line == "voltage: taken as 230 V for 1 recording, of which the reference states none"


def test_a_partly_judged_bench_passes_only_what_was_judged(one):
    """Of class C: 8 currents at PF 1 and 6 at 0.5 ind and 0.8 cap, both ways, one more for the harmonics, 3 by 3 phases at two factors."""
    report = bench(one)
    plain = report.to_dict()
    assert plain["verdict"] == "pass" and plain["complete"] is False
    (load,) = [c for c in plain["coverage"] if (c["energy"], c["test"]) == ("active", "load")]
    assert (load["judged"], load["planned"]) == (1, 2 * (8 + 6 + 6) + 1 + 3 * 3 * 2)
    rest = [c for c in plain["coverage"] if c is not load]
    assert {c["test"] for c in rest} >= {"voltage", "composite", "starting", "no_load", "constant"} and not any(c["judged"] for c in rest)
    # 33 points of composite errors in each of four bands: 3 factors at 5 currents, and 3 phases at 3 currents by 2 factors
    (composite,) = [c for c in rest if c["test"] == "composite"]
    assert composite["planned"] == 4 * (3 * 5 + 3 * 3 * 2)
    whole = sum(c["planned"] for c in plain["coverage"])
    assert report.text().endswith(f"verdict: pass, of what was judged: 1 of the {whole} results of the type test")
    assert plain["starting"]["verdict"] is None and plain["starting"]["reason"]


def test_a_named_point_counts_too(one):
    (load,) = [c for c in bench(one, point="first").coverage if (c.energy, c.test) == ("active", "load")]
    assert load.judged == 1


def test_a_failure_is_a_failure_however_little_was_judged(one):
    assert bench(one, power_W=3400).conclusion == "fail"


def test_the_page_says_it(one):
    bench(one, {}, uncertainty_pct=0.3).save(one / "out")
    page = (one / "out" / "accuracy.html").read_text()
    for words in (
        "pass, of what was judged",
        "<h2>Assumed</h2>",
        "reference voltage: 230 V",
        "Judged of the type test",
        "not tested",
        "Within their uncertainty",
    ):
        assert words in page
    # what is wider than a phone scrolls by itself
    assert page.count("<table") == page.count('<div class="wide"><table') and page.count('role="img"') == page.count("<svg")


@pytest.mark.parametrize(("uncertainty", "marginal"), [(0.0999, False), (0.1001, True)])
def test_a_point_within_its_uncertainty_of_the_limit(one, uncertainty, marginal):
    """0.4 % of 0.5 %: 0.1 % are left."""
    report = bench(one, uncertainty_pct=uncertainty)
    assert report.verdict == "pass" and bool(report.marginal) == marginal == ("within its uncertainty" in report.text())
    assert report.to_dict()["marginal"] == list(report.marginal)


def test_a_change_of_which_one_uncertainty_is_not_known_has_none(tmp_path):
    rows = []
    for name, u, more in (("a", 230.0, {"uncertainty_pct": 0.04}), ("b", 253.0, {})):
        record(rig_of(), point_of(U=u), tmp_path / f"{name}.npz", 1.0)
        rows.append({"recording": f"{name}.npz", "I": 5, "factor": 1, "U": u, "power_W": 15 * u, **more})
    load, change = accuracy.run_bench(tmp_path, write_reference(tmp_path / "ref.txt", rows)).to_dict()["points"]
    assert load["uncertainty_pct"] == pytest.approx(0.04) and change["judged"] == "change" and change["uncertainty_pct"] is None


def test_counts_and_scatter_stand_in_the_table(tmp_path):
    """0.1 and 0.3 %: mean 0.2 %, deviation 0.1·√2 %."""
    rows = []
    for name, gain in (("a", 0.1), ("b", 0.3)):
        record(rig_of({"current": {"gain": gain}}), point_of(), tmp_path / f"{name}.npz", 1.0)
        rows.append({"recording": f"{name}.npz", "I": 5, "factor": 1, "power_W": 3450})
    report = accuracy.run_bench(tmp_path, write_reference(tmp_path / "ref.txt", rows))
    head, line = (x.split(",") for x in report.to_csv().splitlines())
    found = dict(zip(head, line, strict=True))
    assert found["count"] == "2" and float(found["error_pct"]) == pytest.approx(0.2, abs=1e-5)
    assert float(found["sd_pct"]) == pytest.approx(0.1 * 2**0.5, abs=1e-5)


def test_a_simulated_type_test_is_complete():
    report = accuracy.run("1", 5.0, reactive_class="", seconds=1.0)
    assert report.complete and report.conclusion == "pass" and not report.assumed
    assert all(c.judged == c.planned > 0 for c in report.coverage)


def test_a_trial_that_cannot_be_made_is_said():
    """At 1 imp/kWh and 3450 W a pulse takes 1043 s."""
    report = accuracy.run("1", 5.0, {"meter": {"constant": 1.0}}, reactive_class="", seconds=1.0)
    assert report.verdict == "pass" and not report.complete and any("constant: a pulse takes 1043 s" in line for line in report.not_judged)
    assert "pass, of what was judged" in report.text()
