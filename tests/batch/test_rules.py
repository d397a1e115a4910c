"""Rules: what is wrong with them is said before anything is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctmeter.batch import rules
from ctmeter.errors import SettingsError


def faults_of(text: str, tmp_path: Path) -> list[str]:
    path = tmp_path / "fleet.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as found:
        rules.load(path)
    return [fault.removeprefix(f"{path}: ") for fault in found.value.faults]


def test_all_faults_at_once(tmp_path: Path):
    text = """
    nominal_voltag = 230.0
    [[match]]
    site = "A"
    [[match]]
    station = "SS*"
    rate = 6400.0
    [batch]
    edition = "2099"
    level = "HV"
    tables = ["cycle"]
    """
    told = "\n".join(faults_of(text, tmp_path))
    for part in ("nominal_voltag: no such setting", "match 1: it says not whom", "match 2: rate", "'2099'", "'HV'", "batch.tables: ['cycle']"):
        assert part in told


@pytest.mark.parametrize(("said", "told"), [('"nowhere.toml"', "nowhere.toml: cannot be read"), ("3", "expected texts")])
def test_limits_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, told: str):
    monkeypatch.chdir(tmp_path)
    (fault,) = faults_of(f"[batch]\nlimits = {said}\n", tmp_path)
    assert told in fault


def test_limits_of_a_file_go_to_workers_as_they_are(tmp_path: Path):
    (tmp_path / "own.toml").write_text("[LV.U]\nlimits = [{ share = 100, low = -1, high = 1 }]\n", encoding="utf-8")
    made = rules.load({"batch": {"limits": str(tmp_path / "own.toml"), "level": "LV"}})
    assert made.assessment == {"limits": {"LV": {"U": {"limits": [{"share": 100, "low": -1, "high": 1}]}}}, "level": "LV"}


def test_later_rules_win():
    said = [{"path": "north/*", "nominal_voltage": 230.0, "site": "A"}, {"path": "*", "station": "SS-?", "nominal_voltage": 400.0}]
    made = rules.load({"nominal_voltage": 100.0, "match": said}, overrides={"nominal_frequency": 60})
    facts = {"path": "north/deep/x.cfg", "station": "SS-1", "device": ""}
    chosen = made.settings([("file", {"nominal_voltage": 1.0, "nominal_frequency": 50})], **facts)
    assert (chosen.nominal_voltage, chosen.nominal_frequency, made.site_of(**facts)) == (400.0, 60, "A")
    assert made.settings([], **{**facts, "station": "ss-1"}).nominal_voltage == 230.0
    assert made.settings([], **{**facts, "path": "south/x.cfg", "station": ""}).nominal_voltage == 100.0


def test_batch_is_a_table(tmp_path: Path):
    (tmp_path / "x.toml").write_text("batch = 3\n")
    with pytest.raises(SettingsError, match=r"x\.toml: batch: expected a table \[batch\]"):
        rules.load(tmp_path / "x.toml")


def test_rules_for_nobody():
    found = rules.load({"match": [{"path": "harbor/*", "site": "H"}, {"path": "north/*", "site": "N"}, {"station": "x", "site": "X"}]})
    assert found.idle(["north/a.cfg", "harbour/b.cfg"]) == ["match 1: path = 'harbor/*' fits no recording"]
