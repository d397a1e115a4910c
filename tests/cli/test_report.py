"""`ctmeter report`, and the page at the end of `measure`."""

from __future__ import annotations

import pytest

from reports import made_week

GIVEN = ("--un", "230", "--fn", "50")


def test_measure_writes_a_report(ctmeter, feeder, tmp_path):
    assert ctmeter("measure", feeder, *GIVEN).code == 0
    text = (tmp_path / "feeder.ctmeter" / "report.html").read_text("utf-8")
    assert 'id="waveforms"' in text and 'id="phasors"' in text and "<script" not in text


def test_report_of_a_result(ctmeter, feeder, tmp_path):
    ctmeter("measure", feeder, *GIVEN, "-q")
    (tmp_path / "feeder.ctmeter" / "report.html").unlink()
    run = ctmeter("report", "feeder.ctmeter")
    assert run.code == 0 and run.out.startswith("report in feeder.ctmeter") and run.err == ""
    assert (tmp_path / "feeder.ctmeter" / "report.html").is_file()
    run = ctmeter("report", "feeder.ctmeter", "-o", "page.html", "--json")
    assert run.json["report"] == "page.html" and run.json["verdict"] is None and "no week" in " ".join(run.json["unassessed"])
    assert (tmp_path / "page.html").is_file()
    assert ctmeter("report", "feeder.ctmeter", "-q").out == ""


def test_a_short_recording_is_never_a_pass(ctmeter, feeder):
    ctmeter("measure", feeder, *GIVEN, "-q")
    run = ctmeter("report", "feeder.ctmeter", "--edition", "2010", "--json")
    assert run.code == 0 and run.json["verdict"] == "insufficient-data"


def test_report_of_several_results_by_edition_and_level(ctmeter, tmp_path):
    for k, name in enumerate(("a", "b")):
        made_week.week(made_week.START + k * 504 * made_week.STEP, 504, with_events=False, source=f"{name}.cfg").save(tmp_path / f"{name}.ctmeter")
    run = ctmeter(
        "report", "b.ctmeter", "a.ctmeter", "-o", "week.html", "--edition", "2022", "--level", "MV", "--timezone", "Europe/Vienna", "--json"
    )
    # 60 of 1008 values of L2 are above 253 V, and MV wants 99 %
    assert run.code == 0 and run.json["verdict"] == "fail", run.err
    text = (tmp_path / "week.html").read_text("utf-8")
    assert "EN 50160:2022" in text and "MV" in text and "CEST" in text and "a.cfg" in text and "b.cfg" in text


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nowhere.ctmeter"], 3, "no such directory"),
        ([""], 2, "empty"),
        (["r", "-o", ""], 2, "empty"),
        (["r", "--edition", "1850"], 2, "1850"),
        (["r", "--level", "EHV"], 2, "EHV"),
        (["r", "--limits", "nothing.toml"], 2, "nothing.toml"),
        (["r", "--timezone", "Atlantis/Capital"], 2, "Atlantis/Capital"),
        (["r", "--pdf", "x.html", "-o", "x.html"], 2, "two files"),
        (["r", "-o", "no/such/place/r.html"], 6, "no/such/place"),
        (["r", "r"], 3, "begins before"),
        ([], 2, "DIR"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(ctmeter, tmp_path, arguments, code, words):
    made_week.week(rows=36, with_events=False).save(tmp_path / "r")
    run = ctmeter("report", *arguments)
    assert run.code == code and words in run.err, run
    assert len(run.err.splitlines()) == 1 and run.out == ""
