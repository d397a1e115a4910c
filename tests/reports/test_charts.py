"""What is drawn are the values: read back from the picture by its ticks, never compared pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from ctmeter.reports.charts.bars import Bar, Orders, against_limits
from ctmeter.reports.charts.chart import Area, Chart, Level, Line, Point
from ctmeter.reports.charts.decimate import columns, zigzag
from ctmeter.reports.charts.marks import STYLES, icon, style_of
from ctmeter.reports.charts.phasor import Arrow, phasors, triangle
from ctmeter.reports.charts.scale import Linear, Log, Time
from reports.svg import curves, places, ribbons, root, scale_y, ticks, values


def chart(y, x=None, **more):
    x = np.arange(float(len(y))) if x is None else x
    line = Line("L1", x, np.asarray(y, float), style_of("L1"), **more)
    return Chart("a curve", Linear(x[0], x[-1]), Linear(np.nanmin(y) - 1, np.nanmax(y) + 1), "s", "V", [line])


@pytest.mark.parametrize("width", [380, 760])
def test_a_curve_is_its_values(width):
    y = 230.0 + 5.0 * np.sin(np.arange(60) / 7.0)
    drawn = root(chart(y).draw(width))
    per_pixel = abs(scale_y(drawn)[0])
    assert values(drawn) == pytest.approx(y, abs=0.2 * per_pixel)
    assert places(drawn) == pytest.approx(np.arange(60.0), abs=60 / (width - 60) * 0.5)


def test_missing_values_interrupt_a_curve():
    y = np.array([1.0, 2.0, np.nan, 4.0, 5.0])
    text = chart(y).draw(760)
    drawn = root(text)
    assert len(values(drawn)) == 4
    path = next(p.get("d") for p in drawn.iter("path") if p.get("class") == "curve")
    assert path.count("M") == 2


def test_long_series_keep_their_extremes():
    rng = np.random.default_rng(1)
    x, y = np.arange(60480.0), rng.standard_normal(60480)
    y[31234], y[55555] = 9.0, -7.0
    px, mean, low, high = columns(x, y, 0.0, 60479.0, 680)
    assert len(px) == 680 and np.all(np.diff(px) > 0)
    assert high.max() == 9.0 and low.min() == -7.0
    # every point is in one column: their means weighted by their sizes give the mean of all
    sizes = np.bincount(np.clip((x * (680 / 60479.0)).astype(int), 0, 679))
    assert np.average(mean, weights=sizes) == pytest.approx(y.mean(), abs=1e-12)
    drawn = root(chart(y, x).draw(760))
    assert len(values(drawn)) <= 760
    band = np.polyval(scale_y(drawn), np.array(ribbons(drawn)[0])[:, 1])
    assert band.max() == pytest.approx(9.0, abs=0.1) and band.min() == pytest.approx(-7.0, abs=0.1)


def test_columns_without_values_are_empty():
    y = np.full(1000, np.nan)
    y[:100] = 1.0
    _, mean, low, high = columns(np.arange(1000.0), y, 0.0, 999.0, 10)
    assert np.isfinite(mean[0]) and np.isnan(mean[1:]).all() and np.isnan(low[1:]).all() and np.isnan(high[1:]).all()


def test_waveforms_keep_spikes():
    t = np.arange(20000.0)
    y = np.sin(t / 50)
    y[12345] = 5.0
    x, kept = zigzag(t, y, 0.0, 19999.0, 300)
    assert len(x) <= 600 and kept.max() == 5.0 and np.all(np.diff(x) >= 0)
    assert kept.min() == y.min()


def test_a_ribbon_is_its_edges():
    x = np.arange(10.0)
    line = Line("L1", x, np.full(10, 5.0), style_of("L1"), np.full(10, 3.0), np.full(10, 8.0))
    drawn = root(Chart("band", Linear(0, 9), Linear(0, 10), "", "", [line]).draw(760))
    edge = np.polyval(scale_y(drawn), np.array(ribbons(drawn)[0])[:, 1])
    assert edge == pytest.approx([8.0] * 10 + [3.0] * 10, abs=0.02)


def test_limits_stand_at_their_values():
    drawn = root(Chart("limits", Linear(0, 1), Linear(180, 270), "", "V", [], [Level(253.0, "limit 253"), Level(207.0, "limit 207")]).draw(760))
    dashed = [p for p in drawn.iter("path") if p.get("stroke-dasharray") == "7 4"]
    at = sorted(float(np.polyval(scale_y(drawn), float(p.get("d").split(" ")[1].split("H")[0]))) for p in dashed)
    assert at == pytest.approx([207.0, 253.0], abs=0.1)
    words = [t for t in drawn.iter("text") if (t.text or "").startswith("limit") and t.get("class") != "halo"]
    assert len(words) == 2


def test_near_limits_do_not_write_over_each_other():
    for values_ in ([90, 92], [5, 7], [49.5, 50.0, 50.5], [100, 100.5, 101, 101.5]):
        levels = [Level(v, f"level {v}") for v in values_]
        drawn = root(Chart("x", Linear(0, 1), Linear(0, 110), "", "%", [], levels, height=230).draw(760))
        y = sorted(float(t.get("y")) for t in drawn.iter("text") if (t.text or "").startswith("level") and t.get("class") != "halo")
        assert np.diff(y).min() >= 12.9, values_


def test_log_scales_and_points():
    marks = [Point(0.1, 50.0, STYLES["L1"], "1"), Point(10.0, 90.0, STYLES["L2"], "2")]
    chart_ = Chart("scatter", Log(1e-4, 100.0), Linear(0, 200), "duration", "%", points=marks)
    drawn = root(chart_.draw(760))
    known = {words: x for x, _, anchor, words in ticks(drawn) if anchor == "middle"}
    circle = next(c for c in drawn.iter("circle"))
    assert float(circle.get("cx")) == pytest.approx(known["100 ms"], abs=0.2)
    assert np.polyval(scale_y(drawn), float(circle.get("cy"))) == pytest.approx(50.0, abs=0.3)
    assert list(known) == ["100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s"]


def test_time_ticks_are_round():
    start = int(np.datetime64("2026-03-23T00:00:00", "ns").astype(np.int64))
    week = Time(start, start + 7 * 86400 * 10**9).ticks(9)
    assert [w for _, w in week] == ["23 Mar", "24 Mar", "25 Mar", "26 Mar", "27 Mar", "28 Mar", "29 Mar", "30 Mar"]
    day = Time(start, start + 86400 * 10**9).ticks(9)
    assert [w for _, w in day] == ["23 Mar", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00", "24 Mar"]
    assert [w for _, w in Time(start + 1000, start + 21 * 10**9).ticks(5)] == ["00:00:05", "00:00:10", "00:00:15", "00:00:20"]


@pytest.mark.parametrize(("low", "high"), [(0, 1), (229.97, 230.02), (-325, 325), (49.5, 50.5), (0, 1e-6), (158e3, 161e3), (-7, 3)])
def test_linear_ticks_say_what_they_stand_at(low, high):
    found = Linear(low, high).ticks(6)
    assert 2 <= len(found) <= 8
    for value, words in found:
        assert low - 1e-9 <= value <= high + 1e-9
        assert float(words.replace("\N{MINUS SIGN}", "-")) == pytest.approx(value, abs=1e-3 * (high - low))


def test_bars_are_their_values():
    orders = np.arange(2, 11)
    heights = np.array([0.2, 0.9, 0.1, 3.9, 0.1, 2.4, 0.05, 0.4, 0.3])
    drawn = root(Orders("h", orders, [("L1", STYLES["L1"], heights), ("L2", STYLES["L2"], heights / 2)], "%", {5: 6.0, 7: 5.0}, (5, "h5")).draw(760))
    group = next(g for g in drawn.iter("g") if g.get("class") == "bars")
    tops = [float(np.polyval(scale_y(drawn), float(r.get("y")))) for r in group.iter("rect")]
    assert tops == pytest.approx([*heights, *heights / 2], abs=0.03)
    steps = next(p.get("d") for p in drawn.iter("path") if p.get("class") == "limits")
    at = [float(np.polyval(scale_y(drawn), float(m.split(" ")[1].split("h")[0]))) for m in steps.split("M")[1:]]
    assert at == pytest.approx([6.0, 5.0], abs=0.03)


def test_bars_against_limits_reach_their_share():
    bars = [Bar("voltage L1", 0.5, 0.75, "1", "pass"), Bar("voltage L2", 1.1, 1.2, "2", "fail"), Bar("flicker", None, None, "–", "insufficient-data")]
    drawn = root(against_limits(bars, "bars", 760))
    limit = next(p for p in drawn.iter("path") if p.get("stroke") == "#a81616" and p.get("stroke-width") == "2")
    at = float(limit.get("d")[1:].split(" ")[0])
    share = [r for r in drawn.iter("rect") if r.get("class") == "share"]
    left = float(share[0].get("x"))
    assert [float(r.get("width")) / (at - left) for r in share] == pytest.approx([0.5, 1.1], abs=0.003)
    extreme = [r for r in drawn.iter("rect") if r.get("class") == "extreme"]
    assert [float(r.get("width")) / (at - left) for r in extreme] == pytest.approx([0.75, 1.2], abs=0.003)
    assert "no valid intervals" in [t.text for t in drawn.iter("text")]


def test_phasors_point_where_they_should():
    drawn = root(phasors([Arrow("U L1", 1.0, 0.0, STYLES["L1"]), Arrow("U L2", 0.5, -120.0, STYLES["L2"])], "phasors"))
    rays = [p.get("d") for p in drawn.iter("path") if p.get("stroke-width") == "2.2"]
    ends = []
    for d in rays:
        (x0, y0), (x1, y1) = ([float(v) for v in part.split(" ")] for part in d[1:].split("L"))
        ends.append(complex(x1 - x0, y0 - y1))
    assert np.degrees(np.angle(ends)) == pytest.approx([0.0, -120.0], abs=0.1)
    assert abs(ends[1]) / abs(ends[0]) == pytest.approx(0.5, abs=0.002)


@pytest.mark.parametrize(("p", "q"), [(4000.0, 1300.0), (4000.0, -1300.0), (-4000.0, 900.0), (10.0, 9000.0), (-1.0, -1.0)])
def test_the_power_triangle_has_its_angle(p, q):
    s = float(np.hypot(p, q))
    drawn = root(triangle(p, q, s, ["P 1 W", "Q 2 var", "S 3 VA"], "triangle"))
    ray = next(x.get("d") for x in drawn.iter("path") if x.get("stroke") == "#1b2530")
    (x0, y0), (x1, y1) = ([float(v) for v in part.split(" ")] for part in ray[1:].split("L"))
    assert np.arctan2(y0 - y1, x1 - x0) == pytest.approx(np.arctan2(q, p), abs=0.02)
    width, height = (float(v) for v in drawn.get("viewBox").split()[2:])
    assert min(x0, x1, y0, y1) >= 0 and max(x0, x1) <= width and max(y0, y1) <= height


def test_symbols_stand_beside_colours():
    """No two phases and no two verdicts are told apart by colour alone."""
    assert len({STYLES[p].symbol for p in ("L1", "L2", "L3", "N")}) == 4
    assert len({icon(v).split("<path")[1] for v in ("pass", "fail", "insufficient-data", None)}) == 4


def test_words_of_charts_are_escaped():
    evil = '<script>alert("1")</script>'
    made = Chart(evil, Linear(0, 1), Linear(0, 1), evil, evil, [Line(evil, np.array([0.0, 1.0]), np.array([0.0, 1.0]), style_of("L1"))],
                 [Level(0.5, evil)], [Area(0.1, 0.2, evil)], [Point(0.5, 0.5, style_of("L1"), evil)])  # fmt: skip
    text = made.draw(760)
    assert "<script" not in text and "&lt;script&gt;" in text
    assert len(curves(root(text))) == 1
