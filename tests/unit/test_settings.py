import pickle
from dataclasses import FrozenInstanceError

import pytest

from ctmeter.errors import SettingsError
from ctmeter.settings import Settings, from_environment, layered, parse_map, read_toml, sidecar


def faults(values):
    with pytest.raises(SettingsError) as caught:
        Settings.from_dict(values)
    return caught.value.faults


def test_there_is_no_default_for_what_only_the_user_knows():
    s = Settings()
    assert s.nominal_voltage is None and s.nominal_frequency is None and s.ct_ratio is None and s.wiring is None


def test_keyword_only_and_frozen():
    with pytest.raises(TypeError):
        Settings("3P4W")
    with pytest.raises(FrozenInstanceError):
        Settings().dip = 0.8
    with pytest.raises(TypeError):
        Settings().map["U_L1"] = "VA"


def test_every_fault_is_named_at_once():
    found = faults({"wiring": "9P", "nominal_voltage": -1.0, "nominal_frequency": 55, "dip": True, "nominal_voltge": 3, "map": {"X": "VA"}})
    assert {f.split(":")[0] for f in found} == {"wiring", "nominal_voltage", "nominal_frequency", "dip", "nominal_voltge", "map"}
    assert any("did you mean nominal_voltage?" in f for f in found)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0, "230", 1e9, 10**400, None.__class__])
def test_absurd_nominal_voltage(value):
    assert faults({"nominal_voltage": value})[0].startswith("nominal_voltage: ")


@pytest.mark.parametrize(("value", "ratio"), [(40, 40.0), ("200/5", 40.0), ("200:5", 40.0), ("1.5", 1.5)])
def test_ratio(value, ratio):
    assert Settings(ct_ratio=value).ct_ratio == ratio


@pytest.mark.parametrize("value", ["200/0", "a/b", "1/2/3", "", -3, 0])
def test_bad_ratio(value):
    assert faults({"ct_ratio": value})[0].startswith("ct_ratio: ")


def test_contradictions():
    assert faults({"dip": 0.5, "interruption": 0.6})[0].startswith("interruption: ")
    assert faults({"dip": 0.99, "swell": 1.01, "hysteresis": 0.05})[0].startswith("hysteresis: ")


def test_points_overlay_the_rest_and_are_checked():
    s = Settings(nominal_voltage=230, points={"feeder 1": {"ct_ratio": "100/5", "map": {"I_L1": "IA1"}}})
    assert s.point("feeder 1") == Settings(nominal_voltage=230, ct_ratio=20, map={"I_L1": "IA1"})
    assert set(faults({"points": {"a": {"q": 1, "dip": 7}}})) == {
        "points.a.q: no such setting",
        "points.a.dip: 7 is out of range, expected a number above 0 up to 1",
    }
    with pytest.raises(SettingsError, match="no point 'x'"):
        s.point("x")


def test_round_trip():
    s = Settings(nominal_voltage=230, map={"U_L1": "VA"}, points={"a": {"ct_ratio": 5, "map": {"U_L1": "VB"}}})
    assert Settings.from_dict(s.to_dict()) == s == pickle.loads(pickle.dumps(s))
    assert hash(s) == hash(Settings.from_dict(s.to_dict()))
    assert s.given() == {"nominal_voltage": 230.0, "map": {"U_L1": "VA"}, "points": {"a": {"ct_ratio": 5, "map": {"U_L1": "VB"}}}}


def test_layers_in_order_with_the_origin_in_every_fault():
    s = layered([("file", {"nominal_frequency": 60}), ("sidecar", {"nominal_frequency": 50, "dip": 0.8}), ("command line", {"dip": 0.85})])
    assert (s.nominal_frequency, s.dip) == (50.0, 0.85)
    with pytest.raises(SettingsError) as caught:
        layered([("a.toml", {"dpi": 1}), ("environment", {"wiring": "x"}), ("command line", {"dip": 0.04})])
    text = str(caught.value)
    assert "a.toml: dpi" in text and "environment: wiring" in text and "interruption" in text


def test_toml(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text('nominal_voltage = 230\nrate = 5000.0\n[map]\nU_L1 = "VA"\n[points.a]\nct_ratio = "50/5"\n', "utf-8")
    assert Settings.load(path) == Settings(nominal_voltage=230, map={"U_L1": "VA"}, points={"a": {"ct_ratio": "50/5"}})
    assert read_toml(path)[1] == {"rate": 5000.0}
    path.write_text("nominal_voltage = ")
    with pytest.raises(SettingsError, match="not TOML"):
        Settings.load(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not UTF-8"):
        Settings.load(path)
    with pytest.raises(SettingsError, match="cannot be read"):
        Settings.load(tmp_path)


def test_sidecar(tmp_path):
    assert sidecar(tmp_path / "feeder.CFG") is None
    (tmp_path / "feeder.ctmeter.toml").write_text("dip = 0.8")
    assert sidecar(tmp_path / "feeder.CFG") == tmp_path / "feeder.ctmeter.toml"


def test_environment():
    env = {
        "CTMETER_NOMINAL_VOLTAGE": "230",
        "CTMETER_WIRING": "3P3W",
        "CTMETER_CYCLE": "true",
        "CTMETER_MAP": "U_L1=VA,I_L1=-IA",
        "CTMETER_CT_RATIO": "200/5",
    }
    s = layered([("environment", from_environment(env))])
    assert s == Settings(nominal_voltage=230, wiring="3P3W", cycle=True, map={"U_L1": "VA", "I_L1": "-IA"}, ct_ratio=40)


def test_map_text():
    assert parse_map("U_L1=VA, I_L1=-IA") == {"U_L1": "VA", "I_L1": "-IA"}
    with pytest.raises(SettingsError) as caught:
        parse_map("U_L1,I_L1=a,I_L1=b")
    assert len(caught.value.faults) == 2
