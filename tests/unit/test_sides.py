import pytest

from ctmeter.pipeline.sides import nearest_standard_voltage, on_side
from ctmeter.recording import Channel, Wiring
from ctmeter.settings import Settings

U = Channel("U_L1", scale=2.0, offset=1.0, ratio=100.0, side="secondary")
I = Channel("I_L1", scale=3.0, ratio=40.0, side="primary")
OTHER = Channel("T", unit="K")


def scales(settings, *channels):
    made, sides, notes = on_side(channels, settings)
    return [(c.scale, c.offset) for c in made], sides, notes


def test_as_recorded_changes_nothing():
    made, sides, notes = scales(Settings(), U, I, OTHER)
    assert made == [(2.0, 1.0), (3.0, 0.0), (1.0, 0.0)]
    assert sides == {"U": "secondary", "I": "primary", "P": "as-recorded"} and not notes


def test_primary_and_secondary():
    assert scales(Settings(side="primary"), U, I)[0] == [(200.0, 100.0), (3.0, 0.0)]
    made, sides, _ = scales(Settings(side="secondary"), U, I)
    assert made == [(2.0, 1.0), (pytest.approx(3.0 / 40), 0.0)]
    assert sides == {"U": "secondary", "I": "secondary", "P": "secondary"}


def test_the_users_ratio_replaces_the_files():
    assert scales(Settings(side="primary", vt_ratio=50), U)[0] == [(100.0, 50.0)]
    assert scales(Settings(side="secondary", ct_ratio="60/1"), I)[0] == [(pytest.approx(3.0 / 60), 0.0)]


def test_an_unknown_side_is_taken_as_secondary_and_said():
    bare = Channel("I_L1", scale=1.0)
    made, _, notes = scales(Settings(side="primary", ct_ratio=20), bare)
    assert made == [(20.0, 0.0)] and "does not say on which side its currents" in notes[0]
    made, _, notes = scales(Settings(side="primary"), bare)
    assert made == [(1.0, 0.0)] and len(notes) == 1
    assert "neither the side nor a transformer ratio of the currents is known" in notes[0] and "ct_ratio, --ct" in notes[0]
    made, _, notes = scales(Settings(side="secondary"), bare)
    assert made == [(1.0, 0.0)] and "taken as secondary values" in notes[0]


def test_a_ratio_without_a_side_is_said_to_do_nothing():
    assert "values come out as recorded" in scales(Settings(ct_ratio=20), I)[2][0]


@pytest.mark.parametrize(
    ("measured", "wiring", "near"), [(229.0, "3P4W", 230), (8074, "3P4W", 7967.4), (2128, "3P3W", None), (10100, "3P3W", 10000), (0, "1P2W", None)]
)
def test_nearest_standard_voltage(measured, wiring, near):
    assert nearest_standard_voltage(measured, Wiring(wiring)) == near


def test_a_ratio_that_changes_nothing_is_said():
    _, _, notes = scales(Settings(side="primary", ct_ratio=20), I)
    assert any("ct_ratio is given, but the recording says that its currents are primary" in n for n in notes)
