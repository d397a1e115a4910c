"""The summary of a batch: what it says, its page, and names that would like to be more than names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from batch.made_partials import DAY, MONDAY, S, event, scan, week, whole
from ctmeter.batch.fold import Folded, fold
from ctmeter.batch.summary import summarise, write_summary
from ctmeter.quantity import energy_keys
from ctmeter.reports.charts.heat import Heat
from ctmeter.reports.fleet import fleet_page

FACTS = {
    "done": 7,
    "failures": [{"path": "x.cfg", "reason": "x.cfg: ends after 3 bytes"}, {"path": "y.cfg", "reason": "y.cfg: ends after 3 bytes"}],
    "skipped": [{"path": "notes.txt", "reason": "no recording"}],
    "quarantined": ["y.cfg"],
    "seconds": 100.0,
    "x_real_time": 6048.0,
}
EVIL = "<script>alert('1')</script>\"&"


@pytest.fixture(scope="module")
def a_week(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Folded]:
    place = tmp_path_factory.mktemp("summary")
    return place, fold(place, week(place))


def test_what_it_says(a_week):
    place, folded = a_week
    found = write_summary(place, FACTS, folded)
    assert json.loads((place / "summary.json").read_text("utf-8")) == found and next(iter(found)) == "schema_version"
    assert (found["done"], found["failed"], found["skipped"], found["seconds"], found["x_real_time"]) == (7, 2, 1, 100.0, 6048.0)
    assert found["failures"] == FACTS["failures"] and found["dataset"] == str(place / "dataset")
    (site,) = found["sites"]
    assert (site["site"], site["device"], site["recordings"], site["coverage"]) == ("A", "d", 7, 100.0)
    assert (site["start"], site["end"]) == ("2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z")
    assert (site["energy"]["A-"], site["energy"]["R1"], set(site["energy"])) == (42.0, None, set(energy_keys()))
    assert (site["events"]["dip"], site["U_min"], site["verdict"]) == (1, 230.0, "insufficient-data")
    assert site["weeks"] == [{"week": "2026-W02", "coverage": 100.0, "verdict": "insufficient-data"}]
    (dip,) = found["worst_events"]
    assert (dip["site"], dip["type"], dip["share"], dip["t"]) == ("A", "dip", 0.5, "2026-01-07T12:00:01Z")


def test_nothing_folded_nothing_written(tmp_path):
    found = write_summary(tmp_path, FACTS, None)
    assert (found["done"], found["sites"], list(tmp_path.iterdir())) == (7, [], [])


def test_an_empty_batch(tmp_path):
    folded = fold(tmp_path, [])
    found = write_summary(tmp_path, {"done": 0}, folded)
    assert (found["failed"], found["sites"], found["x_real_time"]) == (0, [], None)
    assert "Nothing was measured." in (tmp_path / "summary.html").read_text("utf-8")


def test_events_by_what_they_cost(tmp_path):
    """Share of the voltage times duration: 0.5 x 1 s, 1.0 x 0.2 s, 0.2 x 10 s; an open one before all."""
    told = [("dip", 1.0, 115.0), ("interruption", 0.2, 0.0), ("swell", 10.0, 276.0), ("interruption", None, 0.0)]
    events = [event(kind, MONDAY + k * S, duration, volts) for k, (kind, duration, volts) in enumerate(told)]
    found = summarise(tmp_path, FACTS, fold(tmp_path, [whole(tmp_path, "a.rec", MONDAY, events=events)]))
    assert [(e["type"], e["duration"]) for e in found["worst_events"]] == [
        ("interruption", None),
        ("swell", 10.0),
        ("dip", 1.0),
        ("interruption", 0.2),
    ]


def test_weeks_of_the_calendar(tmp_path):
    """Two days on both sides of midnight between Sunday and Monday: a seventh of each week."""
    pieces = [whole(tmp_path, "a.rec", MONDAY - DAY, 48)]
    (site,) = summarise(tmp_path, FACTS, fold(tmp_path, pieces))["sites"]
    assert [w["week"] for w in site["weeks"]] == ["2026-W01", "2026-W02"]
    np.testing.assert_allclose([w["coverage"] for w in site["weeks"]], 100 / 7)


def test_the_page_needs_nothing_and_names_stay_names(tmp_path):
    facts = {**FACTS, "failures": [{"path": EVIL, "reason": EVIL}]}
    pieces = [whole(tmp_path, f"{EVIL}.rec", MONDAY, site=EVIL, events=[event("dip", MONDAY + S, 1.0, 100.0)])]
    write_summary(tmp_path, facts, fold(tmp_path, pieces))
    text = (tmp_path / "summary.html").read_text("utf-8")
    assert "<script" not in text and "&lt;script&gt;" in text
    assert not re.search(r"(?:src|href)=[\"'](?!#|data:,)", text) and "@import" not in text and "url(" not in text


def test_a_thousand_sites_stay_readable(tmp_path):
    site = summarise(tmp_path, FACTS, fold(tmp_path, [whole(tmp_path, "a.rec", MONDAY)]))["sites"][0]
    summary = summarise(tmp_path, FACTS, None) | {"sites": [{**site, "site": f"site {k}"} for k in range(1000)]}
    text = fleet_page(summary)
    assert len(text) < 400_000
    assert "900 more measuring points are not shown here" in text and "960 more measuring points are not shown here" in text


def test_the_map_has_a_cell_for_each_week():
    verdicts = [["pass", None], ["fail", "insufficient-data"]]
    drawn = Heat("alt", [("a", ""), ("b", "")], ["2026-W01", "2026-W02"], np.array([[1.0, 0.0], [0.3, np.nan]]), verdicts)
    text = drawn.draw(900)
    cells = re.findall(r'<rect[^>]*height="16"[^>]*fill="(#\w+)"', text)
    assert cells == ["#2f6a9e", "#ffffff", "#dbe7f1", "#ffffff"], "shades by share, row by row"
    assert text.count("<path") == 3 + 3, "three signs, and three in the legend"


def test_a_minute_of_a_week_is_not_nothing():
    drawn = Heat("alt", [("a", "")], ["2026-W01", "2026-W02"], np.array([[60 / 604800, 0.0]]), [[None, None]]).draw(900)
    assert re.findall(r'<rect[^>]*height="16"[^>]*fill="(#\w+)"', drawn) == ["#dbe7f1", "#ffffff"]


def test_long_names_leave_room_for_what_tells_them_apart(tmp_path):
    site = summarise(tmp_path, FACTS, fold(tmp_path, [whole(tmp_path, "a.rec", MONDAY, events=[event("dip", MONDAY + S, 1.0, 100.0)])]))["sites"][0]
    summary = summarise(tmp_path, FACTS, None)
    sites = [{**site, "site": "x" * 120, "device": f"R-{k}"} for k in (101, 102)]
    worst = {"t": "2026-03-02T00:00:01Z", "type": "dip", "phases": ["L1"], "duration": 1.0, "U": 100.0, "share": 0.43, "point": "incomer"}
    text = fleet_page(summary | {"sites": sites, "worst_events": [{**worst, "site": s["site"], "device": s["device"]} for s in sites]})
    map_ = text[text.index("<svg") : text.rindex("</svg>")]
    for device in ("R-101", "R-102"):
        assert f"… · {device}<" in map_ and f"… · {device} · incomer<" in text


def test_overlapping_recordings_are_told(tmp_path):
    from batch.made_partials import HOUR, part, piece

    of = scan("b.rec", MONDAY, 3600.0)
    lane = piece(tmp_path, [of], (MONDAY, MONDAY + 4 * HOUR), {}, [part(of, MONDAY, MONDAY + HOUR, {"A+": 9.0}, overlaps=True)])
    found = summarise(tmp_path, FACTS, fold(tmp_path, [whole(tmp_path, "a.rec", MONDAY), lane]))
    assert found["warnings"] == ["A, d: 1 recording overlaps with others, left out of registers and verdicts"]
