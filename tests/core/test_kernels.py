"""The compiled core at its gate: every instruction set the same, every wrong argument a ValueError, foreign snapshots refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import ctmeter.engine
from core.signals import CURRENTS, VOLTAGES, Run, engine_for, feeder, measure_parts, steady
from ctmeter._dsp import Core, instruction_set
from ctmeter.engine import Engine, edge_tables
from ctmeter.errors import InputError
from ctmeter.recording import Channel, Gap

FS = 12.8e3
NAMES = VOLTAGES + CURRENTS
SETS = ("base", "avx2", "avx512")
LANE = (0, 1.0, 0.0, -1e150, 1e150, float("nan"), 0.0)


def available(name: str) -> bool:
    try:
        make_core(kernels=name)
    except ValueError:
        return False
    return True


def make_core(**given: Any) -> Core:
    rate = given.pop("sample_rate", FS)
    lanes = given.pop("lanes", [LANE, None, None, None, (1, *LANE[1:]), None, None, None])
    return Core(rate, lanes, given.pop("tables", edge_tables()), **given)


def tone(seconds: float = 0.5) -> np.ndarray:
    return np.cos(np.arange(round(seconds * FS)) * 2 * np.pi * 50 / FS)[:, None] * [325.0, 7.0]


def locked(**given: Any) -> Core:
    core = make_core(**given)
    core.lock(50.0)
    core.feed(tone())
    return core


def test_the_best_set_is_taken():
    assert instruction_set() in SETS and available(instruction_set()) and available("base")


CASES: dict[str, dict[str, Any]] = {
    "four wires": {},
    "quarter shift": {"reactive": "quarter-shift", "apparent": "effective"},
    "budeanu": {"reactive": "budeanu", "summation": "per-phase"},
    "three wires": {"wiring": "3P3W"},
    "groups": {"groups": True, "voltages": "line"},
}


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", SETS[1:])
def test_every_instruction_set_gives_the_same_bytes(name: str, case: str, kind: type, monkeypatch: pytest.MonkeyPatch):
    if not available(name):
        pytest.skip(f"no {name} here")
    roles = ("U_L12", "U_L23", "U_L31", "I_L1", "I_L2", "I_L3") if case == "three wires" else NAMES
    # U_L31 and I_L2 are made from the others
    left_out = {"U_L31", "I_L2"} if case == "three wires" else set()
    given = [Channel("x" if n in left_out else n, scale=0.0113 if n[0] == "U" else 0.00031, offset=0.01, range=(-32700, 32700)) for n in roles]
    made = np.stack(list(steady(feeder(4), 49.61, 6.4e3, 1.0).values()), 1)
    raw = np.rint(made * ([80.0] * 3 + [2500.0] * 3)).clip(-32768, 32767)
    raw[3000:3100, 1] = 32767
    raw[4000, 3] = -32768
    if np.issubdtype(kind, np.floating):
        raw[3500:3502, 4] = np.nan
    results = []
    for kernels in ("base", name):
        monkeypatch.setattr(ctmeter.engine, "Core", partial(Core, kernels=kernels))
        settings = {"cycle": True, "half_cycle": True} | CASES[case]
        run = measure_parts(given, 6.4e3, [raw[:3333].astype(kind), Gap(samples=9), raw[3333:].astype(kind)], **settings)
        tables = {t: {c: v.tobytes() for c, v in columns.items()} for t, columns in run.tables.items()}
        results.append((tables, run.energy, run.quality))
    assert results[0] == results[1] and set(results[0][0]) >= {"basic", "cycle", "half_cycle"}


@pytest.mark.parametrize(("lanes", "width"), [(lanes, width) for width in (1, 2, 3, 5, 6, 7, 8) for lanes in range(1, width + 1)])
def test_narrow_and_wide_frames_at_the_very_end_of_memory(lanes: int, width: int):
    """Vector loads must not need bytes behind the last frame: the same as float64, whatever the number of columns."""
    roles = ("U_L1", "I_L1", "U_L2", "I_L2", "U_L3", "I_L3", "U_N", "I_N")[:lanes]
    channels = [Channel(n, scale=0.01) for n in roles] + [Channel(f"other {k}") for k in range(width - lanes)]
    raw = np.random.default_rng(lanes).integers(-30000, 30000, (700, width)).astype(np.int16)

    def run(block: np.ndarray) -> Run:
        return measure_parts(channels, 3.2e3, [block[:1], block[1:2], block[2:5], block[5:]], cycle=True)

    one, other = run(raw), run(raw.astype(np.float64))
    assert one.energy == other.energy and all(one.tables["cycle"][c].tobytes() == v.tobytes() for c, v in other.tables["cycle"].items())


BLOCK = np.zeros((10, 2))


@pytest.mark.parametrize(
    "block",
    [
        BLOCK[0],
        BLOCK[None],
        BLOCK[:, :1],
        np.zeros((5, 0)),
        *(BLOCK.astype(kind) for kind in ("u2", "i8", "f2", "i1", "?", "c16", "O", ">f8", ">i2", "S2")),
        b"12345678",
    ],
    ids=lambda b: f"{getattr(b, 'dtype', 'bytes')} {getattr(b, 'shape', '')}",
)
def test_malformed_blocks(block: Any):
    core = make_core()
    with pytest.raises(ValueError, match="block"):
        core.feed(block)
    assert core.counts()["integrated"] == 0 and core.feed(BLOCK) == 10


@pytest.mark.parametrize(
    "given",
    [
        *({"sample_rate": x} for x in (float("nan"), 0.0, -1.0, float("inf"), 9.0, 3e7)),
        {"lanes": [None] * 7},
        {"lanes": [(0, 1.0)] + [None] * 7},
        {"lanes": [(-1, *LANE[1:])] + [None] * 7},
        {"lanes": [(1 << 30, *LANE[1:])] + [None] * 7},
        {"lanes": ["abc"] + [None] * 7},
        {"tables": np.zeros((2, 3, 16))},
        {"tables": np.zeros((2, 129, 16), np.float32)},
        {"tables": np.zeros(5)},
        {"kernels": "neon"},
        {"kernels": "größer"},
    ],
    ids=str,
)
def test_malformed_settings(given: dict[str, Any]):
    with pytest.raises(ValueError):
        make_core(**given)


def held_back() -> Core:
    core = make_core()
    core.feed(tone(0.01))
    return core


@pytest.mark.parametrize(
    "call",
    [
        lambda: make_core().gap(-1),
        lambda: make_core().lock(float("nan")),
        lambda: make_core().lock(0.0),
        lambda: make_core().lock(1e9),
        lambda: locked().lock(50.0),
        lambda: held_back().flush(),
    ],
)
def test_calls_out_of_place(call: Callable[[], object]):
    with pytest.raises(ValueError):
        call()


def test_a_block_is_taken_from_where_it_is_said():
    whole, rest = locked(), locked()
    assert whole.feed(tone()[100:]) == 6300 and rest.feed(tone(), 100) == 6400
    assert whole.snapshot() == rest.snapshot() and rest.feed(tone(), 6400) == 6400


@pytest.mark.parametrize(
    "harm",
    [
        lambda s: b"",
        lambda s: s[:47],
        lambda s: s[:-1],
        lambda s: s[: len(s) // 2],
        lambda s: s + b"x",
        lambda s: bytes(len(s)),
        lambda s: b"\x7f" + s[1:],
        lambda s: s[:8] + b"\x7e" + s[9:],
        lambda s: s[:32] + b"\xff" * 24 + s[56:],
        lambda s: np.random.default_rng(0).bytes(len(s)),
    ],
)
def test_snapshots_that_are_none(harm: Callable[[bytes], bytes]):
    state = locked().snapshot()
    with pytest.raises(ValueError, match="snapshot"):
        make_core().restore(harm(state))


def test_snapshots_of_other_rates():
    with pytest.raises(ValueError, match="snapshot"):
        make_core(sample_rate=51.2e3).restore(locked().snapshot())


def engine() -> Engine:
    made = engine_for(NAMES, FS, cycle=True)
    made.feed(np.stack(list(steady(feeder(1), 50.3, FS, 0.5).values()), 1))
    return made


@pytest.mark.parametrize(
    "harm",
    [
        lambda s: b"",
        lambda s: s[:5],
        lambda s: s[:100],
        lambda s: s[:-3],
        lambda s: b"\xff" * 8 + s[8:],
        lambda s: (2).to_bytes(8, "little") + b"[]" + s,
        lambda s: (4).to_bytes(8, "little") + b"null" + s,
        lambda s: s.replace(b"12800.0", b"99900.0", 1),
        lambda s: np.random.default_rng(0).bytes(500),
    ],
)
def test_snapshots_of_engines_that_are_none(harm: Callable[[bytes], bytes]):
    state = engine().snapshot()
    assert Engine.restore(state).snapshot() == state
    with pytest.raises(InputError):
        Engine.restore(harm(state))


def test_many_rows_wait_in_a_snapshot():
    """More rows than any first capacity holds."""
    made = engine_for(NAMES, 1e3, cycle=True, half_cycle=True)
    made.feed(np.stack(list(steady(feeder(1), 50.3, 1e3, 70.0).values()), 1))
    other = Engine.restore(made.snapshot())
    one, two = made.take(), other.take()
    assert len(one["half_cycle"]["t"]) > 20000
    assert all(one[t][c].tobytes() == two[t][c].tobytes() for t in one for c in one[t])


def test_an_engine_refuses_what_it_cannot_measure():
    with pytest.raises(InputError, match="sample rate"):
        engine_for(NAMES, 150.0)
    with pytest.raises(InputError, match="3P3W"):
        engine_for(["U_L12", "I_L1"], FS, wiring="3P3W")
    made = engine_for(NAMES, FS)
    for bad in (np.zeros((5, 2)), np.zeros(6), np.zeros((4, 6), np.uint8)):
        with pytest.raises(ValueError):
            made.feed(bad)
    assert made.quality["samples"] == 0
