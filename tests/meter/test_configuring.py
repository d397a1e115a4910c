"""What may change of a meter in use, what may not, and what becomes of its loggers."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from ctmeter.errors import InputError, SettingsError, StoreError
from ctmeter.meter import Meter, MeterConfig
from ctmeter.meter.config import describe
from ctmeter.meter.configuring import LEGAL, changed, cleared, ready, refused
from ctmeter.meter.event_file import read_events
from ctmeter.meter.inputs import Change
from ctmeter.meter.logs import logger, profile, pulse_times, pulses
from ctmeter.recording import nanoseconds
from meter.bench import FS, sines

PLAN = {"seasons": [{"working": {"00:00": 2}, "non_working": {"00:00": 3}}]}


@pytest.fixture
def meter(tmp_path):
    with Meter.create(tmp_path / "a.store") as made:
        yield made


def audit(meter):
    return [(action, json.loads(detail)) for *_, action, detail in meter.ledger.rows("audit")]


# --- values alone ------------------------------------------------------------------------------------------------


@pytest.mark.feature("D4")
def test_legal_fields_are_fields():
    assert {name for name, *_ in describe()} >= LEGAL


@pytest.mark.feature("D4", "Z22")
def test_refused():
    config = MeterConfig()
    assert refused(config, {"text": "x", "period": 30, "ratio_locked": True}) == []
    for name in sorted(LEGAL - {"ct_ratio"}):
        (fault,) = refused(config, {name: False})
        assert fault.startswith(f"{name}: it is legally relevant"), name
    assert "`ratio`" in refused(config, {"ct_ratio": 1})[0]
    assert "period?" in refused(config, {"periods": 1})[0]


def test_lists_that_nobody_chose_follow():
    old = MeterConfig(display_backup=("1.8.0",))
    new = changed(old, {"tariff_source": "plan", "tariff_plan": PLAN})
    assert "1.8.1" in new.display_manual and "1.8.1" not in old.display_manual and new.display_backup == ("1.8.0",)
    assert changed(new, {"tariff_source": "off"}).display_manual == old.display_manual
    with pytest.raises(SettingsError, match=r"display_manual: 1\.8\.1 is not a reading"):
        changed(MeterConfig(tariff_source="plan", tariff_plan=PLAN, display_manual=(*new.display_manual[:10], "0.4.2")), {"tariff_source": "off"})


def test_ready_names_every_fault():
    with pytest.raises(SettingsError) as caught:
        ready(MeterConfig(display_auto=("9.9.9",), tariff_source="plan", tariff_plan={"seasons": []}))
    assert len(caught.value.faults) == 2


@pytest.mark.feature("F6")
@pytest.mark.parametrize(
    ("change", "keep"),
    [
        ({"period": 30}, {"profile": 0}),
        ({"profile_channels": 1}, {"profile": 0}),
        ({"profile_side": "secondary"}, {"profile": 0}),
        ({"profile_depth": 5}, {"profile": 5}),
        ({"profile_depth": 10}, {}),
        ({"logger_2_depth": 9}, {"logger2": 9}),
        ({"analysis_registers": ["f"]}, {"analysis": 0}),
        ({"analysis_interval": 5}, {"analysis": 0}),
        ({"profile_values": "delta", "text": "x", "stamp": "start"}, {}),
    ],
)
def test_cleared(change, keep):
    old = MeterConfig()
    rows = {"profile": 10, "analysis": 10, "logger2": 10}
    assert cleared(old, changed(old, change), rows) == keep
    assert cleared(old, changed(old, change), dict.fromkeys(rows, 0)) == {}


# --- in a store --------------------------------------------------------------------------------------------------


@pytest.mark.feature("D3", "T7")
def test_a_change_holds_from_now_on(meter, tmp_path):
    meter.feed(sines(30.0))
    assert meter.configure(text="x", billing_day=2, u_indicator=240.0, reason="why") == []
    assert [a for a, _ in audit(meter)] == ["create", "feed", "configuration"]
    assert audit(meter)[-1][1] == {
        "changes": {"billing_day": {"old": 1, "new": 2}, "text": {"old": "", "new": "x"}, "u_indicator": {"old": 160.0, "new": 240.0}},
        "reason": "why", "archives": [],
    }  # fmt: skip
    before = meter.machine.state()
    meter.close()
    with Meter.open(tmp_path / "a.store") as again:
        assert again.config.text == "x" and again.machine.state() == before
        again.feed(sines(30.0, start="2026-01-01T00:00:30Z"))
        assert again.indicators().voltage == (False, False, False), "230 V are below the new limit"
        assert again.machine.registers.value("A+") == pytest.approx(3_000_000 * 60, abs=1)
        assert again.check() == []


@pytest.mark.feature("D4")
def test_an_attempt_stands_in_the_audit_trail(meter):
    meter.feed(sines(5.0))
    registers, content = meter.machine.registers.state(), meter.ledger.content_hash()
    with pytest.raises(SettingsError, match=r"p_creep.*; .*serial"):
        meter.configure(p_creep=3.0, serial="other", text="x", reason="no")
    action, detail = audit(meter)[-1]
    assert action == "configuration refused" and detail["changes"] == {"p_creep": 3.0, "serial": "other", "text": "x"} and detail["reason"] == "no"
    assert meter.config == MeterConfig() and meter.machine.registers.state() == registers
    # the trail is no content
    assert meter.ledger.content_hash() == content
    with pytest.raises(SettingsError, match="billing_day"):
        meter.configure(billing_day=40)
    assert meter.config == MeterConfig()


@pytest.mark.feature("Z13")
def test_a_plan_is_in_force_at_once(meter):
    """2026-01-01 is a Thursday: tariff 2, from where the first recording ended."""
    meter.feed(sines(30.0))
    meter.configure(tariff_source="plan", tariff_plan=PLAN)
    assert meter.indicators().tariff == 2
    meter.feed(sines(30.0, start="2026-01-01T00:00:30Z"))
    value = meter.machine.registers.value
    assert (value("A+_T1"), value("A+_T2")) == (pytest.approx(90_000_000, abs=1e6 / FS * 3), pytest.approx(90_000_000, abs=1e6 / FS * 3))
    assert value("A+_T1") + value("A+_T2") == value("A+")
    meter.configure(tariff_source="off")
    assert meter.indicators().tariff is None and meter.machine.tariff == 1


@pytest.mark.feature("F6")
def test_archives(meter, tmp_path):
    """Two periods of one minute of the analysis logger; the third has other registers."""
    meter.configure(analysis_interval=1)
    meter.feed(sines(150.0))
    old = logger(meter, "analysis")
    with pytest.raises(SettingsError, match="2 of 2 rows of analysis would be lost"):
        meter.configure(analysis_registers=["A+", "U_L2"])
    assert audit(meter)[-1][0] == "configuration refused" and len(meter.ledger.rows("analysis")) == 2
    (path,) = meter.configure(analysis_registers=["A+", "U_L2"], archive_old=True)
    assert path.parent == tmp_path and pq.read_table(path).equals(old)
    meter.feed(sines(60.0, start="2026-01-01T00:02:30Z"))
    table = logger(meter, "analysis")
    # 3 kW for 180 s are 150 Wh
    assert table.column("A+").to_pylist() == [pytest.approx(150.0, rel=1e-5)] and table.schema.field("A+").metadata[b"unit"] == b"Wh"
    assert table.column("U_L2").to_pylist() == [pytest.approx(230.0, rel=1e-9)] and meter.check() == []


def test_what_cannot_be_archived_is_not_dropped(meter, monkeypatch):
    meter.configure(analysis_interval=1)
    meter.feed(sines(90.0))

    def fail(*_):
        raise StoreError(28, "No space left on device", "there")

    monkeypatch.setattr("ctmeter.meter.logs.write_parquet", fail)
    before = meter.ledger.content_hash()
    with pytest.raises(StoreError, match="No space"):
        meter.configure(analysis_interval=5, archive_old=True)
    assert meter.ledger.content_hash() == before and meter.config.analysis_interval == 1 and len(meter.ledger.rows("analysis")) == 1


def test_outputs_that_are_gone_keep_their_pulses(meter):
    """Module 06 gives R+ and A+ on its terminals, module 16 A- and A+; the LED counts on."""
    meter.configure(module="06")
    meter.feed(sines(30.0, lag=30.0))
    before = {t["stream"]: t["count"] for t in pulses(meter)}
    assert before["output-1"] > 0
    meter.configure(module="00")
    meter.feed(sines(30.0, lag=30.0, start="2026-01-01T00:00:30Z"))
    after = {t["stream"]: t for t in pulses(meter)}
    assert after["output-1"]["count"] == before["output-1"] and after["output-1"]["register"] is None
    led = sum(len(t) for name, t in pulse_times(meter, "led-active"))
    assert led == after["led-active"]["count"] and abs(led - meter.machine.registers.value("A+") / 360_000) <= 1


# --- a recording that was begun and cannot be fed to its end ------------------------------------------------------


class StoppedError(Exception):
    """In the middle of a recording."""


def begin(meter):
    def stop(share):
        if share > 0.5:
            raise StoppedError

    with pytest.raises(StoppedError):
        meter.feed(sines(120.0), every_s=10.0, progress=stop)
    assert meter.machine.now_ns is not None


def test_a_recording_is_given_up(meter):
    begin(meter)
    there = meter.machine.registers.value("A+")
    assert there > 0
    for other in (lambda: meter.feed(sines(10.0, start="2026-01-01T01:00:00Z")), lambda: meter.configure(text="x"), lambda: meter.change_ratio(2)):
        with pytest.raises((StoreError, SettingsError), match="was begun"):
            other()
    assert meter.abandon() == "samples" and meter.abandon() is None
    assert audit(meter)[-1][0] == "abandon" and meter.machine.registers.value("A+") == there
    (fed,) = meter.feed(sines(120.0))
    assert fed.status == "duplicate"
    (fed,) = meter.feed(sines(10.0, start="2026-01-01T01:00:00Z"))
    assert fed.status == "fed" and meter.machine.registers.value("A+") == pytest.approx(there + 30_000_000, abs=2)
    assert [e[1] for e in meter.ledger.rows("events")] == ["gap"] and meter.check() == []


def test_others_wait_for_it(meter):
    begin(meter)
    other = sines(10.0, start="2026-01-01T01:00:00Z")
    (fed,) = meter.feed([other], keep_going=True)
    assert fed.status == "failed" and "was begun" in str(fed.error)
    found = meter.feed([other, sines(120.0)], keep_going=True)
    assert [f.status for f in found] == ["resumed", "fed"]


def test_a_meter_measures_its_own_way(meter):
    with pytest.raises(SettingsError, match="summation: 'absolute', but the meter measures with 'vector'"):
        meter.feed(sines(5.0), summation="absolute")
    assert meter.feed(sines(5.0), summation="vector", nominal_frequency=50)[0].status == "fed"


# --- events as a file --------------------------------------------------------------------------------------------


@pytest.mark.feature("B10", "T1", "Z13")
def test_events_of_a_file(meter, tmp_path):
    path = tmp_path / "e.csv"
    path.write_text("\ufeffTime, Kind, Value\n\n2026-01-01T00:00:20Z,tariff,3\n2026-01-01T01:00:10+01:00,tariff,2\n", "utf-8")
    config = MeterConfig(tariff_source="register")
    start = nanoseconds("2026-01-01T00:00:00Z")
    assert read_events(path, config) == [Change(start + 10 * 10**9, "tariff", 2), Change(start + 20 * 10**9, "tariff", 3)]
    meter.configure(tariff_source="register")
    meter.feed(sines(30.0), events=read_events(path, meter.config))
    assert [meter.machine.registers.value(f"A+_T{t}") for t in (1, 2, 3)] == pytest.approx([30_000_000] * 3, abs=3e6 / FS)
    # the same file once more: what is of the past is left out, and said
    (fed,) = meter.feed(sines(30.0, start="2026-01-01T00:00:30Z"), events=read_events(path, meter.config))
    assert meter.machine.tariff == 3 and any("2 events" in note for note in fed.notes)
    with pytest.raises(InputError, match=r"line 3.*tariff_source"):
        read_events(path, MeterConfig())


def test_no_rows_are_tables_too(meter):
    assert profile(meter).num_rows == 0 and profile(meter).column_names[-4:] == ["A+", "A-", "R+", "R-"]
    assert logger(meter, "billing").num_rows == 0 and list(pulse_times(meter)) == []
    for call in (lambda: profile(meter, values="x"), lambda: logger(meter, "x"), lambda: list(pulse_times(meter, "x"))):
        with pytest.raises(SettingsError):
            call()
