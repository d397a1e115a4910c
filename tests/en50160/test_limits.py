"""Limits as data: every number with its provenance, and a user's own over them."""

import tomllib
from importlib.resources import files

import pytest

from ctmeter.en50160 import EDITIONS, LEVELS, load_limits
from ctmeter.en50160._checks import Faults, check_document
from ctmeter.errors import SettingsError

TABLE = {5: 6.0, 7: 5.0, 11: 3.5, 13: 3.0, 17: 2.0, 19: 1.5, 23: 1.5, 25: 1.5, 3: 5.0, 9: 1.5, 15: 0.5, 21: 0.5, 2: 2.0, 4: 1.0}
TABLE |= dict.fromkeys(range(6, 25, 2), 0.5)


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("island", [False, True])
def test_every_number_has_a_provenance(edition, level, island):
    limits = load_limits(edition, level, island=island)
    sources = [limit.source for p in limits.parameters.values() for limit in p.limits]
    sources += [*limits.events.sources.values(), *limits.sources.values(), limits.events.dips.source]
    assert all(s[:2] in ("S:", "C:", "M", "M:") for s in sources), sources
    assert {limit.order: limit.high for limit in limits.parameters["HU"].limits} == TABLE
    assert set(limits.parameters) == {"f", "U", "rvc", "Plt", "u2", "HU", "THD_U", "MSV"}
    for name in ("rvc", "MSV", "valid_share", "events.aggregation"):
        assert name in limits.unverified
    assert ("U" in limits.unverified) == (edition != "2010")


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_files_of_the_package_have_the_form_they_ask_of_others(edition):
    faults = Faults()
    check_document(tomllib.loads(files("ctmeter.en50160").joinpath(f"edition-{edition}.toml").read_text("utf-8")), edition, faults, user=False)
    faults.raise_any()


def test_signalling_voltage_by_frequency():
    """9 % to 500 Hz, 5 % from 1 kHz on, halfway in the logarithm of the frequency at 707.1 Hz: 7 %."""
    (limit,) = load_limits().parameters["MSV"].limits
    assert [limit.at(f).high for f in (50, 175, 500, 1000, 3000, 20_000)] == [9, 9, 9, 5, 5, 5]
    assert limit.at(500 * 2**0.5).high == pytest.approx(7.0)
    assert not limit.verified


def test_own_limits_replace_and_extend(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text("""
extends = "2022"
[assessment]
valid_share = 80
required = ["U"]
[LV.U]
limits = [{ share = 99, low = -5, high = 5 }]
[LV.HU]
limits = [{ order = 5, share = 95, high = 4.0 }, { order = 30, share = 95, high = 1.0, source = "contract 12" }]
[LV.u0]
table = "10min"
period = "week"
of = "1"
limits = [{ share = 95, high = 2 }]
[events]
aggregation = 60
""")
    limits = load_limits(None, "LV", path)
    assert limits.edition == "2022" and limits.user == str(path)
    assert load_limits("2010", "LV", path).edition == "2010"
    (u,) = limits.parameters["U"].limits
    assert (u.share, u.low, u.high, u.source, u.verified) == (99, -5, 5, "user", True)
    orders = {limit.order: limit for limit in limits.parameters["HU"].limits}
    assert len(orders) == 25 and orders[5].high == 4.0 and orders[30].source == "contract 12" and orders[7].source.startswith("M")
    assert limits.parameters["u0"].table == "10min"
    assert limits.valid_share == 80 and limits.required == ("U",) and limits.events.aggregation == 60
    assert limits.sources["valid_share"] == limits.events.sources["aggregation"] == "user"
    # at the other level nothing of LV
    assert load_limits(None, "MV", path).parameters["U"].limits[0].share == 99 and "u0" not in load_limits(None, "MV", path).parameters


def test_replacing_all_orders_and_leaving_a_parameter_out():
    own = {"LV": {"HU": {"replace": True, "limits": [{"order": 5, "share": 95, "high": 4.0}]}, "MSV": {"limits": []}}}
    parameters = load_limits(user=own).parameters
    assert [limit.order for limit in parameters["HU"].limits] == [5] and "MSV" not in parameters
    assert own["LV"]["MSV"] == {"limits": []}, "the mapping stays as it is"


def test_every_fault_at_once(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text("""
colour = "red"
carried = "x"
[assessment]
valid_share = 120
required = "U"
[LV.U]
table = "1min"
period = "month"
of = "fn"
limits = [{ share = 95, low = 10, high = -10 }, { low = -5, shares = 95 }, { share = 101, high = "x" }]
[LV.Uq]
limits = []
[LV.HU]
limits = [{ share = 95, high = 5 }, { order = 51, share = 95, high = 5 }]
[LV.THD_U]
limits = [{ order = 5, share = 95, high = 5 }, { share = 95, high = 5 }, { share = 90, high = 6 }]
[LV.MSV]
limits = [{ share = 99, high = [[500, 9], [100, 5]] }]
[LV.f]
invalid = ["dips"]
indicative = 3
[LV.u0]
limits = [{ share = 95, high = 2 }]
[events]
interruption = "low"
colour = 3
[events.dips]
durations = [1, 0.5]
rows = ["A"]
""")
    with pytest.raises(SettingsError) as caught:
        load_limits("2030", "XV", path)
    text = "\n".join(caught.value.faults)
    for words in (
        "colour: no such key", "carried: no such key", "valid_share: 120", "required: 'U'", "LV.U.table: '1min'", "LV.U.period: 'month'",
        "LV.U.of: 'fn' is for quantities in Hz", "LV.U.limits[0]: low 10 is not below high -10", "LV.U.limits[1].shares",
        "LV.U.limits[1].share: missing",
        "LV.U.limits[2].share: 101", "LV.U.limits[2].high: 'x'", "LV.Uq: no such quantity", "LV.HU.limits[0].order: missing",
        "LV.HU.limits[1].order: 51",
        "LV.THD_U.limits[0].order: only harmonics", "LV.THD_U.limits: at most one", "LV.MSV.limits[0].high: expected pairs", "LV.f.invalid: 'dips'",
        "LV.f.indicative: 3", "events.interruption: 'low'", "events.colour", "events.dips.durations: [1, 0.5] does not rise",
        "events.dips: rows and voltages",
        "edition: '2030'", "level: 'XV'",
    ):  # fmt: skip
        assert words in text, words
    assert all(f.startswith((f"{path}: ", "edition", "level")) for f in caught.value.faults)


@pytest.mark.parametrize(
    ("content", "words"), [(b"a = ", "not TOML"), (b"\xff\xfe\x00", "not UTF-8 text at byte 0"), (None, "cannot be read: No such file")]
)
def test_files_that_are_none(tmp_path, content, words):
    path = tmp_path / "own.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=words) as caught:
        load_limits(user=path)
    assert str(path) in str(caught.value)


def test_a_new_quantity_needs_everything():
    with pytest.raises(SettingsError, match=r"LV\.u0: table, period, of missing"):
        load_limits(user={"LV": {"u0": {"limits": [{"share": 95, "high": 2}]}}})
    with pytest.raises(SettingsError, match=r"required: u0 has no limits at LV"):
        load_limits(user={"assessment": {"required": ["u0"]}})


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"LV": {"U": {"invalid": "dip"}}}, r"LV\.U\.invalid: 'dip' is not a list of flags"),
        ({"LV": {"U": {"invalid": [["dip"]]}}}, r"LV\.U\.invalid: \['dip'\] is no flag"),
        ({"LV": {"f": {"whole_despite": {"dip": 1}}}}, r"LV\.f\.whole_despite: .* is not a list"),
        ({"LV": {"THD_U": {"orders": 39.5}}}, r"LV\.THD_U\.orders: 39\.5 is not a whole number"),
        ({"events": {"dips": {"rows": "AB", "voltages": [90, 80]}}}, r"events\.dips\.rows: 'AB' is not a list of names"),
        ({"events": {"dips": {"rows": ["A", "A"], "voltages": [90, 80]}}}, r"events\.dips\.rows: .* each once"),
        ({"events": {"dips": {"rows": [["A"]], "voltages": [90]}}}, r"events\.dips\.rows: .* is not a list of names"),
    ],
)
def test_lists_that_are_none(document, words):
    """A word where a list belongs would exclude nothing, and say nothing."""
    with pytest.raises(SettingsError, match=words):
        load_limits(user=document)
