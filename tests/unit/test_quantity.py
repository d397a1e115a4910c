from ctmeter.quantity import ENERGIES, PHASES, QUANTITIES, TABLES, Flag, Rule, columns, energy_keys


def names(table, **kw):
    return [c.name for c in columns(table, **kw)]


def test_columns_are_unique():
    for table in TABLES:
        assert len(set(names(table))) == len(names(table))


def test_every_column_of_the_interface_stands_in_its_tables():
    everywhere = [
        "t",
        "duration",
        "n",
        "flags",
        "f",
        "P",
        "Q",
        "S",
        "PF",
        "DPF",
        "U_N",
        "I_N",
        "U_L12",
        "U_L23",
        "U_L31",
        "u2",
        "u0",
        "i2",
        "i0",
        "thd_order",
    ]
    per_phase = [
        "flags",
        "U",
        "I",
        "P",
        "Q",
        "S",
        "PF",
        "DPF",
        "U1",
        "I1",
        "phi_U",
        "phi_I",
        "THD_U",
        "THD_I",
        "Pinst",
        "Umin",
        "Umax",
        "MSV",
        "HU",
        "HI",
        "IHU",
        "IHI",
    ]
    everywhere += [f"{q}_{p}" for q in per_phase for p in PHASES]
    for table in ("basic", "3s", "10min", "2h"):
        assert not set(everywhere) - set(names(table))
    assert {"Pst_L1", "under_L1", "over_L3", "U_L1_min", "P_max", "f_min", "u2_max", "THD_U_L2_max"} <= set(names("10min"))
    assert not {"Pst_L1", "under_L1", "Plt_L1"} & set(names("basic")) and "Plt_L1" not in names("10min") and "Plt_L3" in names("2h")
    assert names("frequency") == ["t", "flags", "f"] and names("half_cycle") == ["t", "channel", "flags", "U"]


def test_three_wire_twins():
    for q in ["U1", "phi_U", "HU", "IHU", "THD_U", "Pinst", "Umin", "Umax", "MSV"]:
        assert {f"{q}_L12", f"{q}_L23", f"{q}_L31"} <= set(names("basic"))


def test_spectral_lists_stand_in_basic_only_on_request():
    assert "HU_L1" not in names("basic", spectra=False) and "HU_L1" in names("3s", spectra=False)


def test_the_table_is_consistent():
    for q in QUANTITIES:
        assert q.obis == () or len(q.obis) == len(q.phases), q.name
        assert set(q.tables) <= set(TABLES), q.name
        assert q.meaning and q.symbol
        assert q.side == "" or q.unit in ("V", "A", "W", "var", "VA")
    assert {c.name: c.rule for c in columns("10min")}["U_L1_min"] is Rule.MIN


def test_energy_keys():
    keys = energy_keys()
    assert len(keys) == len(set(keys)) == 40 and keys[0] == "A+" and "R4_L3" in keys
    assert ENERGIES[0].obis() == "1-0:1.8.0" and ENERGIES[1].obis("L3") == "1-0:62.8.0"


def test_flag_bits_and_labels():
    bits = [
        "dip",
        "swell",
        "interruption",
        "gap",
        "saturated",
        "not-finite",
        "no-lock",
        "incomplete",
        "no-clock",
        "out-of-range",
        "settling",
        "low-rate",
    ]
    assert [Flag(1 << k).label for k in range(12)] == bits
    assert Flag(0b101).label == "dip,interruption"
