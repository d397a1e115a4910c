"""PQDIF: what series, rates, shares and records mean, on files made by hand, and a real one against its instrument's own figures."""

from __future__ import annotations

import csv
import random
import time
import tracemalloc
import zlib
from collections import defaultdict

import numpy as np
import pytest

import ctmeter
from ctmeter.errors import InputError
from ctmeter.readers._pqdif_tags import SIGNATURE
from ctmeter.readers.pqdif import READER, observations
from readers import pqdif_files as pq

START = 928_281_600_000_000_000 + 3014 * 10**9  # 1999-06-02T00:50:14Z
U = (np.arange(64) - 30).astype("<i2")
I = (np.arange(32) * 3 - 40).astype("<i2")


def write(tmp_path, *parts, packed=True):
    path = tmp_path / "x.pqd"
    path.write_bytes(pq.chain(pq.container(packed), *parts, packed=packed))
    return path


def said(rec):
    return " | ".join(rec.warnings)


def feeder(**options):
    return pq.source(pq.definition("Va", 1), pq.definition("Ia", 1, 2), **options)


def one(start=(pq.DAY, 3014.0), rate=6400.0):
    return pq.observation(
        pq.instance(0, pq.steps((64, 1 / rate)), pq.values(U, 0.5, 10.0)), pq.instance(1, pq.shared(0, 0), pq.values(U, 0.25)), start=start
    )


@pytest.mark.parametrize("packed", [True, False])
def test_scaled_values_increments_and_shares(tmp_path, packed):
    path = write(tmp_path, feeder(), one(), packed=packed)
    assert READER.sniff(path, path.read_bytes()[:4096])
    rec = READER.read(path)
    np.testing.assert_array_equal(rec.read(), np.column_stack([U * 0.5 + 10.0, U * 0.25]))
    assert (rec.sample_rate, rec.samples, rec.start_ns, rec.format) == (6400.0, 64, START, "PQDIF 1.5")
    assert [(c.name, c.unit, c.phase) for c in rec.channels] == [("Va", "V", "A"), ("Ia", "A", "A")]
    assert "taken as UTC" in said(rec) and rec.metadata["source"] == "monitor"
    np.testing.assert_array_equal(rec.read(start=10, stop=20), rec.read()[10:20])


def test_roles_are_given_by_names_and_by_phases(tmp_path):
    parts = [pq.instance(k, pq.steps((64, 1 / 6400)) if k == 0 else pq.shared(0, 0), pq.values(U, 1.0)) for k in range(6)]
    definitions = [pq.definition("", p, q) for q, phases in ((1, (5, 6, 7)), (2, (1, 2, 3))) for p in phases]
    with ctmeter.read(write(tmp_path, pq.source(*definitions), pq.observation(*parts))) as rec:
        assert [c.role for c in rec.channels] == ["U_L12", "U_L23", "U_L31", "I_L1", "I_L2", "I_L3"]


def test_several_observations_are_segments_in_the_order_of_time(tmp_path):
    later = one((pq.DAY, 3015.5), 3200.0)
    rec = READER.read(write(tmp_path, feeder(), later, one()))
    assert [(s.start, s.stop, s.sample_rate, s.start_ns) for s in rec.segments] == [(0, 64, 6400.0, START), (64, 128, 3200.0, START + 1_500_000_000)]
    np.testing.assert_array_equal(rec.read(["Va"], 60, 70)[:, 0], np.r_[U[60:], U[:6]] * 0.5 + 10.0)
    assert [o["index"] for o in rec.metadata["observations"]] == [0, 1]


def test_what_overlaps_is_not_measured(tmp_path):
    rec = READER.read(write(tmp_path, feeder(), one(), one((pq.DAY, 3014.005))))
    assert [bool(s.excluded) for s in rec.segments] == [False, True] and "not measured: 1" in said(rec)


def test_a_channel_that_an_observation_does_not_have_is_missing(tmp_path):
    alone = pq.observation(pq.instance(0, pq.steps((64, 1 / 6400)), pq.values(U, 0.5)), start=(pq.DAY, 4000.0))
    rec = READER.read(write(tmp_path, feeder(), one(), alone))
    assert np.isnan(rec.read(["Ia"], 64)).all() and not np.isnan(rec.read(["Va"])).any()


def test_rates_after_each_other(tmp_path):
    """An increment series of three rates: 16 samples at 1600 Hz, 32 at 6400 Hz, 16 at 1600 Hz."""
    steps = pq.steps((16, 1 / 1600), (32, 1 / 6400), (16, 1 / 1600))
    rec = READER.read(write(tmp_path, feeder(), pq.observation(pq.instance(0, steps, pq.values(U, 1.0)))))
    assert [(s.start, s.stop, s.sample_rate) for s in rec.segments] == [(0, 16, 1600.0), (16, 48, 6400.0), (48, 64, 1600.0)]
    assert [s.start_ns - START for s in rec.segments] == [0, 10_000_000, 15_000_000]
    np.testing.assert_array_equal(rec.read()[:, 0], U)


def test_rates_at_once(tmp_path):
    """Voltages at 15360 Hz, a current of 7680 Hz: the current is exact at its samples, and a sine of order 25 between them."""
    fs, n = 15360.0, 3072
    t = np.arange(n) / fs
    u, i = 100 * np.sin(2 * np.pi * 60 * t), 7 * np.sin(2 * np.pi * 60 * t + 0.3) + 0.7 * np.sin(2 * np.pi * 1500 * t)
    parts = pq.observation(pq.instance(0, pq.steps((n, 1 / fs)), pq.values(u)), pq.instance(1, pq.steps((n // 2, 2 / fs)), pq.values(i[::2].copy())))
    source = pq.source(pq.definition("Va", 1, storage=(4, 1)), pq.definition("Ia", 1, 2, storage=(4, 1)))
    rec = READER.read(write(tmp_path, source, parts))
    assert rec.sample_rate == fs and "7680 Hz" in said(rec) and "interpolation: Ia" in said(rec)
    np.testing.assert_array_equal(rec.read(["Va"])[:, 0], u)
    found = rec.read(["Ia"])[:, 0]
    np.testing.assert_array_equal(found[::2], i[::2])
    np.testing.assert_allclose(found[40:-40], i[40:-40], atol=7e-5)
    np.testing.assert_allclose(found[:-1], i[:-1], atol=0.1)
    # the last instant lies beyond the current's last sample: the point reflection is off by the second difference
    assert abs(found[-1] - i[-1]) < 0.7 * (2 * np.pi * 1500 / fs) ** 2 + 0.1
    np.testing.assert_array_equal(found[1000:1400], rec.read(["Ia"], 1000, 1400)[:, 0])
    power = np.mean(u * i)
    assert np.mean(rec.read(["Va"])[:, 0] * found) == pytest.approx(power, rel=1e-4)


def test_a_slower_channel_that_ends_earlier_is_missing_afterwards(tmp_path):
    parts = pq.observation(
        pq.instance(0, pq.steps((64, 1 / 6400)), pq.values(U, 1.0)), pq.instance(1, pq.steps((16, 2 / 6400)), pq.values(I[:16], 1.0))
    )
    found = READER.read(write(tmp_path, feeder(), parts)).read(["Ia"])[:, 0]
    assert np.isfinite(found[:32]).all() and np.isnan(found[32:]).all()


@pytest.mark.parametrize("dtype", ["<f4", "<f8"])
def test_time_as_values_with_a_gap(tmp_path, dtype):
    stamps = np.r_[np.arange(40), np.arange(43, 67)] / 6400
    source = pq.source(pq.definition("Va", 1, storage=(1, 3)))
    rec = READER.read(write(tmp_path, source, pq.observation(pq.instance(0, pq.values(stamps.astype(dtype)), pq.values(U, 1.0)))))
    assert [(s.start, s.stop, s.sample_rate) for s in rec.segments] == [(0, 40, 6400.0), (40, 64, 6400.0)]
    assert rec.segments[1].start_ns - START == pytest.approx(43 / 6400 * 1e9, abs=1000)


def test_time_in_cycles(tmp_path):
    source = pq.source(pq.definition("Va", 1, time_unit=3))
    rec = READER.read(
        write(tmp_path, source, pq.settings(frequency=50.0), pq.observation(pq.instance(0, pq.steps((64, 1 / 128)), pq.values(U, 1.0))))
    )
    assert rec.sample_rate == 6400.0 and rec.nominal_frequency == 50.0


@pytest.mark.parametrize(("transducer", "side"), [(False, "primary"), (True, "secondary")])
def test_ratios_and_sides(tmp_path, transducer, side):
    rec = READER.read(write(tmp_path, feeder(), pq.settings((0, 2000.0, 100.0), transducer=transducer, calibration=True), one()))
    assert [(c.ratio, c.side) for c in rec.channels] == [(20.0, side), (1.0, None)]
    assert "calibration" in said(rec)


def test_the_zone_is_taken_off(tmp_path):
    rec = READER.read(write(tmp_path, feeder(zone=-18000.0), one()))
    assert rec.start_ns == START + 18000 * 10**9 and "taken as UTC" not in said(rec)


def test_several_data_sources(tmp_path):
    path = write(tmp_path, feeder(name="first"), one(), feeder(name="second"), one(), one((pq.DAY, 5000.0)))
    rec = READER.read(path)
    assert rec.metadata["source"] == "second" and rec.samples == 128 and "2 data sources: 'first', 'second'" in said(rec)
    assert READER.read(path, source="first").samples == 64
    with pytest.raises(InputError, match="'third'"):
        READER.read(path, source="third")


def test_trends_are_no_waveforms_but_can_be_read(tmp_path):
    rms = pq.definition("RMS Va", 1, kind="phasor", storage=(1, 3))
    trend = pq.observation(pq.instance(0, pq.values(np.arange(8, dtype="<f4")), pq.values(np.arange(8, dtype="<i2"), 2.0, 1.0)), name="trend")
    path = write(tmp_path, pq.source(rms), trend)
    with pytest.raises(InputError, match="no waveforms: the observations hold 1 of phasor") as caught:
        READER.read(path)
    assert "observations" in caught.value.expected
    (found,) = observations(path)
    (channel,) = found.channels
    assert (found.name, found.start_ns, channel.definition.kind, channel.definition.phase) == ("trend", START, "phasor", "A")
    assert channel.of("values").definition.characteristic == "rms"
    np.testing.assert_array_equal(channel.of("values").read(), np.arange(8) * 2.0 + 1.0)
    np.testing.assert_array_equal(channel.of("time").read(), np.arange(8))


def test_time_stamps_as_a_series(tmp_path):
    stamps = np.array([(pq.DAY, 3014.0 + k) for k in range(8)], [("d", "<u4"), ("s", "<f8")])
    data = bytes([50]) + np.uint32(8).tobytes() + stamps.tobytes()
    rms = pq.definition("RMS Va", 1, kind="value log", storage=(1, 1), time_unit=1)
    trend = pq.observation(pq.instance(0, [("values", data)], pq.values(np.arange(8.0))))
    (found,) = observations(write(tmp_path, pq.source(rms), trend))
    np.testing.assert_array_equal(found.channels[0].times.stored, START + np.arange(8) * 10**9)


# ---- hostile files


def refused(path, match):
    started = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=match):
            READER.read(path)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()
    assert time.monotonic() - started < 5


def test_cut_at_every_byte(tmp_path):
    path = write(tmp_path, feeder(), one(), one((pq.DAY, 4000.0)))
    data = path.read_bytes()
    samples = set()
    for size in range(1, len(data)):
        path.write_bytes(data[:size])
        try:
            with READER.read(path) as rec:
                samples.add(rec.samples)
                np.testing.assert_array_equal(rec.read(["Va"], 0, 64)[:, 0], U * 0.5 + 10.0)
                assert "cut off" in said(rec) or "breaks off" in said(rec)
        except InputError:
            pass
    assert samples == {64}


def test_random_damage(tmp_path):
    """A flipped byte is refused, noticed or harmless; nothing else is raised."""
    rng = random.Random(7)
    for packed in (True, False):
        data = write(tmp_path, feeder(), pq.settings((0, 20.0, 1.0)), one(), packed=packed).read_bytes()
        for _ in range(600):
            broken = bytearray(data)
            for _ in range(rng.choice((1, 1, 4))):
                broken[rng.randrange(len(data))] = rng.randrange(256)
            path = tmp_path / "y.pqd"
            path.write_bytes(broken)
            try:
                with READER.read(path) as rec:
                    rec.read()
            except InputError:
                pass


def test_a_chain_of_records_that_comes_back(tmp_path):
    path = tmp_path / "x.pqd"
    first = pq.record("container", pq.container()[1], 0, False)
    body = zlib.compress(feeder()[1])
    path.write_bytes(first + pq.record("source", feeder()[1], len(first), True, following=len(first)))
    assert len(body)
    refused(path, "no waveforms")


def test_a_chain_that_leads_nowhere(tmp_path):
    path = tmp_path / "x.pqd"
    path.write_bytes(pq.record("container", pq.container()[1], 0, False, following=0xFFFFFF00))
    refused(path, "no waveforms")


def test_no_container_first(tmp_path):
    path = tmp_path / "x.pqd"
    path.write_bytes(pq.record("source", feeder()[1], 0, False, True))
    refused(path, "no container")
    path.write_bytes(SIGNATURE + bytes(20))
    refused(path, "no PQDIF record")


@pytest.mark.parametrize("size", [40 << 20, 400 << 20])
def test_a_bomb(tmp_path, size):
    path = tmp_path / "x.pqd"
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()
    first = pq.record("container", pq.container()[1], 0, False)
    path.write_bytes(first + SIGNATURE + pq.RECORD["source"] + np.array([64, len(data), 0, 0], "<u4").tobytes() + bytes(16) + data)
    started = time.monotonic()
    with pytest.raises(InputError, match="unpack to more than"):
        READER.read(path)
    assert time.monotonic() - started < 5


def test_collections_that_are_shared_without_end(tmp_path):
    """Thousands of channels that are all one, with thousands of series that are all one."""
    many = 60_000
    body = bytearray(pq.encoded([("channel_definitions", [("channel_definition", [])] * many)]))
    at = int.from_bytes(body[24:28], "little")
    for k in range(many):  # every definition is the collection of definitions itself
        slot = at + 4 + 28 * k + 20
        body[slot : slot + 4] = at.to_bytes(4, "little")
    started = time.monotonic()
    with pytest.raises(InputError):
        READER.read(write(tmp_path, ("source", bytes(body)), one()))
    assert time.monotonic() - started < 10


def test_one_instance_many_times(tmp_path):
    """An observation whose channels are all the same instance cannot ask for more than its size."""
    body = bytearray(one()[1])
    many = 4000
    link = len(body)
    instances = int.from_bytes(body[4 + 56 + 20 : 4 + 56 + 24], "little")
    first = body[instances + 4 : instances + 32]
    body += many.to_bytes(4, "little") + bytes(first) * many
    body[4 + 56 + 20 : 4 + 56 + 24] = link.to_bytes(4, "little")
    started = time.monotonic()
    try:
        with READER.read(write(tmp_path, feeder(), ("observation", bytes(body)))) as rec:
            assert rec.samples == 64 and len(rec.channels) == 1
    except InputError:
        pass
    assert time.monotonic() - started < 5


def test_series_that_share_in_a_circle(tmp_path):
    parts = pq.observation(pq.instance(0, pq.shared(1, 0), pq.values(U, 1.0)), pq.instance(1, pq.shared(0, 0), pq.values(U, 1.0)))
    refused(write(tmp_path, feeder(), parts), "values of each other")


def test_a_share_that_is_not_there(tmp_path):
    refused(write(tmp_path, feeder(), pq.observation(pq.instance(0, pq.shared(99, 0), pq.values(U, 1.0)))), "not there")


@pytest.mark.parametrize(
    ("steps", "match"),
    [
        (pq.values(np.array([1, 64, 0], "<f4")), "time step"),
        (pq.values(np.array([1, 64, np.nan], "<f4")), "increments"),
        (pq.values(np.array([1, np.inf, 1e-4], "<f4")), "increments"),
        (pq.values(np.array([1, -64, 1e-4], "<f4")), "increments"),
        (pq.values(np.array([4e9, 64, 1e-4], "<f4")), "rates in a series"),
        (pq.values(np.array([np.nan, 64, 1e-4], "<f4")), "rates in a series"),
        (pq.values(np.array([1, 10, 1e-4], "<f4")), "10 times for 64 values"),
        (pq.values(np.array([], "<f4")), "rates in a series"),
        ([], "rates in a series"),
    ],
)
def test_time_that_is_none(tmp_path, steps, match):
    refused(write(tmp_path, feeder(), pq.observation(pq.instance(0, steps, pq.values(U, 1.0)))), match)


def test_more_times_than_values_are_cut(tmp_path):
    rec = READER.read(write(tmp_path, feeder(), pq.observation(pq.instance(0, pq.steps((2e9, 1e-4)), pq.values(U, 1.0)))))
    assert rec.samples == 64


@pytest.mark.parametrize("tag", ["values", "channel_instances", "definition_index"])
@pytest.mark.parametrize("value", [0xFFFFFFFF, 0x7FFFFFFF, 0x10000, 0])
def test_links_and_counts_that_lie(tmp_path, tag, value):
    body = bytearray(one()[1])
    at = body.index(pq.OF[tag]) + 20
    for place in (at, int.from_bytes(body[at : at + 4], "little")):
        broken = bytearray(body)
        if place + 4 <= len(broken):
            broken[place : place + 4] = value.to_bytes(4, "little")
        try:
            with READER.read(write(tmp_path, feeder(), ("observation", bytes(broken)))) as rec:
                rec.read()
        except InputError:
            pass


def test_a_wrong_checksum_is_said(tmp_path):
    path = write(tmp_path, feeder(), one(), packed=False)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert "checksum" in said(READER.read(path))


def test_packed_as_a_whole_is_refused(tmp_path):
    path = tmp_path / "x.pqd"
    path.write_bytes(pq.chain(("container", pq.encoded([("compression_style", 1), ("compression", 1)]))))
    refused(path, "compression 1 of style 1")


# ---- a real file


def test_one_cycle_rms_of_a_real_file_against_its_instrument(recordings):
    """The waveforms begin nine cycles after the instrument's own figures of one-cycle rms, of which they hold eleven."""
    folder = recordings / "pqdif-1159-3"
    stated = defaultdict(list)
    with open(folder / "instrument-per-cycle-rms.csv", newline="") as file:
        for row in csv.DictReader(file):
            stated[int(row["observation"]), row["channel"]].append(float(row["instrument_rms"]))
    with ctmeter.read(folder / "example.pqd") as rec:
        assert len(rec.metadata["observations"]) == 47 and rec.sample_rate == 15360.0
        assert [c.role for c in rec.channels] == ["U_L12", "U_L23", "U_L31", "I_L1", "I_L2", "I_L3"]
        starts = {o["index"]: o["start_ns"] for o in rec.metadata["observations"]}
        for number in (2, 5):
            (segment,) = (s for s in rec.segments if s.start_ns == starts[number])
            assert (segment.stop - segment.start, segment.excluded) == (11 * 256, "")
            for channel, limit in (("VAB", 6e-4), ("VBC", 6e-4), ("VCA", 6e-4), ("IA", 7e-3), ("IB", 7e-3), ("IC", 7e-3)):
                samples = rec.read([f"Waveform {channel}"], segment.start, segment.stop)[:, 0].reshape(11, 256)
                np.testing.assert_allclose(np.sqrt(np.mean(samples**2, axis=1)), stated[number, channel][9:20], rtol=limit)
    for found in observations(folder / "example.pqd"):
        for channel in found.channels:
            if found.index in (2, 5) and channel.definition.kind == "phasor":
                np.testing.assert_allclose(channel.of("avg").read(), stated[found.index, channel.definition.name.split()[1]], rtol=1e-5)


def test_a_real_file_is_measured(recordings):
    result = ctmeter.measure(recordings / "pqdif-1159-3" / "example.pqd", nominal_voltage=34500.0, nominal_frequency=60)
    # one voltage of the steady state, by the trends of the instrument itself: 34.5 kV
    assert result.tables["cycle"].num_rows > 100 and result.mean["f"] == pytest.approx(60, abs=0.1)
    assert {e["type"] for e in result.events} == {"dip"} and 29e3 < min(e["U_residual"] for e in result.events) < 0.9 * 34500
