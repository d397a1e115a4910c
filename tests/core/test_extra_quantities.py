"""Fundamental powers, K factor, TDD, groups and power sets of windows: against closed form and the slow reference."""

from __future__ import annotations

import numpy as np
import pytest

import reference as ref
from core.signals import (
    CURRENTS,
    PHASES,
    SETS,
    START_NS,
    VOLTAGES,
    Run,
    Tones,
    engine_for,
    feeder,
    measure,
    minus,
    p_of,
    polar,
    ppm,
    q1_of,
    rms,
    steady,
)
from ctmeter.engine import Engine
from ctmeter.errors import InputError
from ctmeter.power import din40110, ieee1459
from ctmeter.quantity import LINES

FS = 12.8e3
#: Frequency and nominal frequency.
MAINS = [(42.5, 50), (50.0, 50), (57.3, 50), (51.2, 60), (60.0, 60), (68.9, 60)]
AB = ((0, 1), (1, 2), (2, 0))


def s1_of(u: Tones, i: Tones) -> float:
    return abs(u[1] * np.conj(i[1]))


def p1_of(u: Tones, i: Tones) -> float:
    return float((u[1] * np.conj(i[1])).real)


@pytest.mark.parametrize(("f", "nominal"), MAINS)
def test_crest_factors_of_line_voltages(f: float, nominal: int):
    """Orders whose crests stand on the fundamental's: the crest is the sum of the amplitudes."""
    share = {1: 1.0, 5: 0.2, 13: 0.04}
    # sines of h phi, so that 90 degrees is a crest of each of these orders
    lines = {f"U_{n}": {h: polar(400 * a, -90 - 120 * k * h) for h, a in share.items()} for k, n in enumerate(LINES)}
    crest = np.sqrt(2) * sum(share.values()) / np.linalg.norm(list(share.values()))
    three = measure(steady({n: lines[n] for n in ("U_L12", "U_L23")}, f, FS, 1.1), FS, nominal=nominal, wiring="3P3W")
    # a third of the same phase in all three is none of the line voltages'; the star's own crest has it
    star: dict[str, Tones] = {}
    for n, line in zip(VOLTAGES, LINES, strict=True):
        turned = {h: c * polar(3**-0.5, -30 if h % 3 == 1 else 30) for h, c in lines[f"U_{line}"].items()}
        star[n] = {**turned, 3: polar(60, 0)}
    four = measure(steady(star, f, FS, 1.1), FS, nominal=nominal, voltages="line")
    for k, n in enumerate(LINES):
        for run in (three, four):
            # one of the 2048 points of a window lies within 1.1 degrees of a crest, where order 13 has lost 3 % and order 5 0.5 %
            assert run.inner(f"CF_U_{n}") == pytest.approx(crest, rel=3e-3)
        difference = minus(star[VOLTAGES[k]], star[VOLTAGES[(k + 1) % 3]])
        assert all(abs(difference.get(h, 0) - c) < 1e-9 for h, c in lines[f"U_{n}"].items())
        assert np.abs(four.inner(f"CF_U_{PHASES[k]}") / crest - 1).min() > 0.01
    alone = measure(steady(star, f, FS, 1.1), FS, nominal=nominal)
    assert all(np.array_equal(alone.basic[f"CF_U_{n}"], four.basic[f"CF_U_{n}"], equal_nan=True) for n in PHASES)
    assert "CF_U_L12" not in alone.basic


@pytest.mark.parametrize(("f", "nominal"), MAINS)
@pytest.mark.parametrize("reactive", ["fundamental", "fryze"])
def test_fundamental_powers(f: float, nominal: int, reactive: str):
    signals = feeder(31, voltages=SETS["unbalanced"], thd_i=0.4)
    run = measure(steady(signals, f, FS, 1.1), FS, nominal=nominal, reactive=reactive)
    pairs = [(signals["U_" + n], signals["I_" + n]) for n in PHASES]
    for n, (u, i) in zip(PHASES, pairs, strict=True):
        for name, of in (("P1", p1_of), ("Q1", q1_of), ("S1", s1_of)):
            assert ppm(run.inner(f"{name}_{n}"), of(u, i), s1_of(u, i)) < 10
        assert run.inner(f"P1_{n}") / run.inner(f"S1_{n}") == pytest.approx(run.inner(f"DPF_{n}"), rel=1e-12)
    p, q = (sum(of(u, i) for u, i in pairs) for of in (p1_of, q1_of))
    for name, value in (("P1", p), ("Q1", q), ("S1", np.hypot(p, q))):
        assert ppm(run.inner(name), value, sum(s1_of(u, i) for u, i in pairs)) < 10
    # another definition of Q leaves that of the fundamental alone
    assert (run.inner("Q") == pytest.approx(run.inner("Q1"), rel=1e-9)) == (reactive == "fundamental")


def three_wires(seed: int = 5) -> tuple[dict[str, Tones], dict[str, Tones]]:
    """Line voltages and the currents of L1 and L3 of a feeder whose currents sum to nothing, and its star."""
    star = feeder(seed, voltages=SETS["unbalanced"], thd_i=0.3)
    zero = {h: sum(star[n].get(h, 0) for n in CURRENTS) / 3 for h in star["I_L1"]}
    star |= {n: minus(star[n], zero) for n in CURRENTS}
    lines = {f"U_{name}": minus(star[VOLTAGES[a]], star[VOLTAGES[b]]) for name, (a, b) in zip(LINES, AB, strict=True)}
    return {"U_L12": lines["U_L12"], "U_L23": lines["U_L23"], "I_L1": star["I_L1"], "I_L3": star["I_L3"]}, star | lines


def test_three_wires_have_the_powers_of_two_wattmeters():
    recorded, star = three_wires()
    run = measure(steady(recorded, 50.3, FS, 1.1), FS, wiring="3P3W")
    a = recorded["U_L12"][1] * np.conj(recorded["I_L1"][1]) - recorded["U_L23"][1] * np.conj(recorded["I_L3"][1])
    assert a == pytest.approx(sum(star[u][1] * np.conj(star[i][1]) for u, i in zip(VOLTAGES, CURRENTS, strict=True)))
    for name, value in (("P1", a.real), ("Q1", a.imag), ("S1", abs(a))):
        assert ppm(run.inner(name), value, abs(a)) < 10
        assert not {f"{name}_{n}" for n in PHASES} & run.basic.keys()


def test_one_phase():
    signals = {n: feeder(9, lag=50)[n] for n in ("U_L1", "I_L1")}
    run = measure(steady(signals, 50, FS, 1.1), FS, wiring="1P2W", power_sets=True)
    u, i = signals["U_L1"], signals["I_L1"]
    for name, of in (("P1", p1_of), ("Q1", q1_of), ("S1", s1_of)):
        assert ppm(run.inner(name), of(u, i), s1_of(u, i)) < 10 and ppm(run.inner(f"{name}_L1"), of(u, i), s1_of(u, i)) < 10
    assert "Ue" not in run.basic and "S_sum" not in run.basic


@pytest.mark.parametrize(("f", "nominal"), MAINS)
def test_k_factor_and_demand_distortion(f: float, nominal: int):
    current = {1: polar(5, -30), 5: polar(1, 20), 7: polar(0.5, 0), 50: polar(0.1, 70)}
    signals = {"U_L1": {1: 230 + 0j}, "I_L1": current, "U_L2": {1: polar(230, -120)}, "I_L2": {1: polar(3, -120)}}
    run = measure(steady(signals, f, FS, 1.1), FS, nominal=nominal, nominal_current=20.0)
    squares = {h: abs(c) ** 2 for h, c in current.items()}
    assert run.inner("K_I_L1") == pytest.approx(sum(h * h * s for h, s in squares.items()) / sum(squares.values()), rel=2e-4)
    assert run.inner("TDD_I_L1") == pytest.approx(100 * np.sqrt(1.26) / 20, rel=2e-4)
    assert run.inner("K_I_L2") == pytest.approx(1, abs=1e-4) and run.inner("TDD_I_L2") == pytest.approx(0, abs=1e-3)


def test_factors_that_say_nothing_are_null():
    """No current has no K factor and no distortion of demand; without a nominal current there is no TDD; with few orders those there are."""
    signals = {"U_L1": {1: 230 + 0j}, "I_L1": {1: 0j}}
    run = measure(steady(signals, 50, FS, 1.0), FS, nominal_current=5.0)
    assert np.isnan(run.inner("K_I_L1")).all() and not run.inner("TDD_I_L1").any()
    assert "TDD_I_L1" not in measure(steady(signals, 50, FS, 1.0), FS).basic
    few = {"U_L1": {1: 230 + 0j}, "I_L1": {1: 5 + 0j, 3: 1 + 0j}}
    run = measure(steady(few, 50, 1000.0, 1.2), 1000.0, nominal_current=5.0)
    assert run.inner("K_I_L1") == pytest.approx(34 / 26, rel=1e-3)
    assert run.inner("TDD_I_L1") == pytest.approx(20, rel=1e-3)
    lost = steady(few, 50, FS, 1.0)
    lost["I_L1"][:] = np.nan
    run = measure(lost, FS, nominal_current=5.0)
    assert np.isnan(run.inner("K_I_L1")).all() and np.isnan(run.inner("TDD_I_L1")).all()


def lines_of(seed: int, per: int) -> dict[int, complex]:
    """A fundamental and thirty lines anywhere on the bins up to half way behind order 50."""
    rng = np.random.default_rng(seed)
    places = rng.choice(np.arange(2, 50 * per + per // 2), 30, replace=False)
    return {per: 230 + 0j} | {int(k): polar(rng.uniform(0.5, 5), rng.uniform(0, 360)) for k in places if k != per}


@pytest.mark.parametrize(("f", "nominal"), MAINS)
@pytest.mark.parametrize("wiring", ["3P4W", "3P3W"])
def test_groups_of_lines_anywhere(f: float, nominal: int, wiring: str):
    per = 10 if nominal == 50 else 12
    names = (*VOLTAGES, "I_L1", "I_L2", "I_L3") if wiring == "3P4W" else ("U_L12", "U_L23", "U_L31", "I_L1", "I_L2", "I_L3")
    signals = {n: lines_of(7 * k + 1, per) for k, n in enumerate(names)}
    if wiring == "3P3W":
        signals["U_L31"] = {k: -signals["U_L12"].get(k, 0) - signals["U_L23"].get(k, 0) for k in signals["U_L12"].keys() | signals["U_L23"].keys()}
    waves = steady(signals, f / per, FS, 1.4)
    run = measure(waves, FS, nominal=nominal, wiring=wiring, groups=True)
    for name, tones in signals.items():
        c = np.zeros(per * 52)
        for k, phasor in tones.items():
            c[k] = abs(phasor)
        kind, phase = name.split("_")
        for column, truth in ((f"G{kind}_{phase}", ref.groups(c, per, 50)), (f"IG{kind}_{phase}", ref.interharmonic_groups(c, per, 50))):
            got = run.inner(column)
            assert got.dtype == np.float32 and got.shape[1] == len(truth)
            assert np.abs(got - truth).max() < 2e-3 * 5 and np.abs(got[:, :40] - truth[:40]).max() < 1e-4 * 230
        groups = run.inner(f"G{kind}_{phase}").astype(float)
        assert run.inner(f"THDG_{name}") == pytest.approx(100 * np.sqrt((groups[:, 2:41] ** 2).sum(1)) / groups[:, 1], rel=1e-6)


def test_groups_stand_where_the_sample_rate_carries_them():
    """Order h as the sub-groups of order h; where spectra are not asked for there are no groups, where they are other columns stay."""
    waves = steady({"U_L1": {1: 230 + 0j, 3: 10 + 0j}}, 50, 3200.0, 1.2)
    plain, more = (measure(waves, 3200.0, groups=groups) for groups in (False, True))
    for one, other in (("HU_L1", "GU_L1"), ("IHU_L1", "IGU_L1")):
        assert np.array_equal(np.isnan(more.inner(one)), np.isnan(more.inner(other))) and np.isnan(more.inner(other)).any()
    assert set(more.basic) - set(plain.basic) == {"GU_L1", "IGU_L1"}
    assert all(v.tobytes() == more.basic[n].tobytes() for n, v in plain.basic.items())


def test_missing_samples_leave_no_groups():
    waves = steady({"U_L1": {1: 230 + 0j}, "U_L2": {1: polar(230, -120)}}, 50, FS, 1.2)
    waves["U_L1"][6000] = np.nan
    run = measure(waves, FS, groups=True, voltages="line")
    lost = np.isnan(run.basic["HU_L1"]).all(axis=1)
    assert lost.sum() == 1
    for name in ("GU_L1", "GU_L12", "IGU_L1", "IGU_L12"):
        assert np.array_equal(np.isnan(run.basic[name]).all(axis=1), lost)
    assert not np.isnan(run.basic["GU_L2"][:, :40]).any()


def test_line_voltages_have_groups_too():
    signals = {n: {1: polar(230, -120 * k), 5: polar(10, 40 * k)} for k, n in enumerate(VOLTAGES)}
    run = measure(steady(signals, 50, FS, 1.1), FS, groups=True, voltages="line")
    assert run.inner("GU_L23")[:, 5] == pytest.approx(abs(signals["U_L2"][5] - signals["U_L3"][5]), rel=1e-3)
    assert run.inner("GU_L2")[:, 5] == pytest.approx(10, rel=1e-3)


@pytest.mark.parametrize("settings", [{"groups": True}, {}])
def test_a_snapshot_belongs_to_its_settings(settings: dict[str, bool]):
    engine = engine_for(("U_L1",), FS, **settings)
    engine.feed(steady({"U_L1": {1: 230 + 0j}}, 50, FS, 1.0)["U_L1"][:, None])
    state = engine._core.snapshot()
    with pytest.raises(ValueError, match="other settings"):
        engine_for(("U_L1",), FS, groups=not settings)._core.restore(state)
    again = Engine.restore(engine.snapshot())
    for e in (engine, again):
        e.flush()
    one, other = engine.take()["basic"], again.take()["basic"]
    assert one.keys() == other.keys() and all(v.tobytes() == other[n].tobytes() for n, v in one.items())


def sets_of(run: Run) -> dict[str, np.ndarray]:
    return {n: run.inner(n) for n in (*ieee1459(run.basic), *din40110(run.basic))}


@pytest.mark.parametrize(("f", "nominal"), [(49.8, 50), (60.4, 60)])
@pytest.mark.parametrize("wiring", ["3P4W", "3P3W"])
def test_power_sets_of_a_distorted_feeder(wiring: str, f: float, nominal: int):
    if wiring == "3P4W":
        star = feeder(41, voltages=SETS["unbalanced"], thd_i=0.4, lag=25)
        recorded = star
        star = star | {f"U_{name}": minus(star[VOLTAGES[a]], star[VOLTAGES[b]]) for name, (a, b) in zip(LINES, AB, strict=True)}
    else:
        recorded, star = three_wires(41)
    run = measure(steady(recorded, f, FS, 1.1), FS, nominal=nominal, wiring=wiring, power_sets=True)
    u = {n: rms(star[f"U_{n}"]) for n in (LINES if wiring == "3P3W" else (*PHASES, *LINES))}
    neutral = {h: sum(star[n].get(h, 0) for n in CURRENTS) for h in star["I_L1"]}
    i = {n: rms(star[f"I_{n}"]) for n in PHASES} | {"N": rms(neutral)}
    p = sum(p_of(star[a], star[b]) for a, b in zip(VOLTAGES, CURRENTS, strict=True))
    zero = sum(star[n][1] for n in VOLTAGES) / 3 if wiring == "3P3W" else 0
    u1, i1 = [star[n][1] - zero for n in VOLTAGES], [star[n][1] for n in CURRENTS]
    wanted = ref.set_1459(u, i, u1, i1, p) | ref.set_40110(u, i, p)
    wanted["S_vector"] = np.hypot(p, sum(q1_of(star[a], star[b]) for a, b in zip(VOLTAGES, CURRENTS, strict=True)))
    if wiring == "3P4W":
        wanted["S_arithmetic"] = sum(rms(star[a]) * rms(star[b]) for a, b in zip(VOLTAGES, CURRENTS, strict=True))
    got = sets_of(run)
    assert got.keys() == wanted.keys()
    for name, value in wanted.items():
        assert got[name] == pytest.approx(value, rel=1e-4, abs=1e-4), name


def test_a_dead_phase_has_power_sets():
    """A current that is nothing at all has no angle; what is effective is there all the same."""
    signals = feeder(3, lag=10, thd_i=0) | {"I_L3": {1: 0j}}
    run = measure(steady(signals, 50, FS, 1.0), FS, power_sets=True)
    assert np.isnan(run.inner("phi_I_L3")).all()
    i1 = [signals[n][1] for n in CURRENTS]
    assert run.inner("Ie1") == pytest.approx(np.sqrt((sum(abs(x) ** 2 for x in i1) + abs(sum(i1)) ** 2) / 3), rel=1e-5)


def test_a_reversed_system_has_no_unbalance_ratio():
    """Ratios to a positive sequence that is nothing; a positive one of 0.2 % of the phasors is one."""
    signals = {n: {1: polar(230, 120 * k)} for k, n in enumerate(VOLTAGES)} | {n: {1: polar(5, 120 * k - 20)} for k, n in enumerate(CURRENTS)}
    run = measure(steady(signals, 50.1, FS, 1.1), FS)
    for name in ("u2", "u0", "i2", "i0"):
        assert np.isnan(run.basic[name]).all(), name
    assert (run.inner("sequence") == -1).all()
    some = {n: {1: tones[1] + polar(0.002 * 230, -120 * k)} for k, (n, tones) in enumerate(list(signals.items())[:3])}
    truth, _ = ref.sequence_ratios(*(some[n][1] for n in VOLTAGES))
    assert truth == pytest.approx(50_000)
    assert measure(steady(signals | some, 50.1, FS, 1.1), FS).inner("u2") == pytest.approx(truth, rel=1e-3)
    less = {n: {1: tones[1] + polar(0.0009 * 230, -120 * k)} for k, (n, tones) in enumerate(list(signals.items())[:3])}
    assert np.isnan(ref.sequence_ratios(*(less[n][1] for n in VOLTAGES))).all()
    assert np.isnan(measure(steady(signals | less, 50.1, FS, 1.1), FS).basic["u2"]).all()


@pytest.mark.parametrize("f", [0.0, 200.0])
def test_without_a_frequency_nothing_is_said_of_a_fundamental(f: float):
    """DC, and 200 Hz: rms, powers and crest factor stand, ratios to rounding and its angles do not."""
    angle = 2 * np.pi * f * np.arange(round(1.5 * FS)) / FS
    waves = {n: 230 * np.cos(angle - 2 * np.pi / 3 * k * (f > 0)) for k, n in enumerate(VOLTAGES)}
    waves |= {n: 5 * np.cos(angle - 2 * np.pi / 3 * k * (f > 0)) for k, n in enumerate(CURRENTS)}
    run = measure(waves, FS, power_sets=True, nominal_current=10.0, voltages="line")
    assert np.isnan(run.basic["f"]).all()
    gone = [n for n in run.basic if n.startswith(("DPF", "phi_", "THD", "PWHD", "K_I", "TDD_I"))]
    assert len(gone) == 4 + 6 + 3 + 3 * 9 + 9 + 3 + 3
    for name in (*gone, "u2", "u0", "i2", "i0", "sequence", "HP", "SeN", "Ie1"):
        assert np.isnan(run.basic[name]).all(), name
    scale = 1 if f == 0 else 2**0.5
    for name, value in (("U_L1", 230 / scale), ("I_L2", 5 / scale), ("P", 3450 / scale**2), ("CF_I_L1", scale), ("Ie", None)):
        assert run.inner(name) == pytest.approx(value, rel=1e-3) if value else np.isfinite(run.inner(name)).all()


def test_sets_do_not_depend_on_what_is_missing_elsewhere():
    """A voltage that is lost for a while leaves nulls, and other windows as they are, however rows are taken."""
    waves = steady(feeder(8, lag=20), 50, FS, 2.0)
    waves["U_L1"][10_000:18_000] = np.nan
    raw, names = np.stack(list(waves.values()), 1), list(waves)
    tables = []
    for size in (len(raw), 640):
        engine = engine_for(names, FS, power_sets=True, voltages="line", start_ns=START_NS)
        taken = []
        for k in range(0, len(raw), size):
            engine.feed(raw[k : k + size])
            taken.append(engine.take())
        engine.flush()
        taken.append(engine.take())
        tables.append(
            {n: np.concatenate([t["basic"][n] for t in taken if "basic" in t]) for n in ("Ue", "Se1", "S_sum", "P1_pos", "S_arithmetic", "HP")}
        )
    for name, column in tables[0].items():
        assert column.tobytes() == tables[1][name].tobytes() and np.isnan(column).any() and np.isfinite(column).any(), name


def test_bare_sets_name_what_is_missing():
    run = measure(steady({"U_L1": {1: 230 + 0j}}, 50, FS, 1.0), FS)
    with pytest.raises(InputError, match="no column P"):
        ieee1459(run.basic)
