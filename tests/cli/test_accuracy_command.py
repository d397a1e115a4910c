import json

import pytest

from .test_exit_codes import check

FAST = ("--seconds", "1", "--band=+5..+30")


def test_json_alone(ctmeter, tmp_path):
    run = ctmeter("accuracy", "--class", "C", "--in", 5, *FAST, "-o", "acc", "--json")
    assert run.code == 0 and run.json["verdict"] == "pass" and run.json["class"] == "C" and len(run.json["points"]) >= 120
    assert max(abs(p["error_pct"]) for p in run.json["points"]) < 0.001
    assert json.loads((tmp_path / "acc" / "accuracy.json").read_text()) == run.json
    assert (tmp_path / "acc" / "accuracy.html").exists()


def test_violations(ctmeter, tmp_path):
    (tmp_path / "bad.toml").write_text("[current]\ngain = 0.9\n")
    run = ctmeter("accuracy", "--front-end", "bad.toml", *FAST, "--fail-on-violation")
    assert run.code == 5 and "verdict: fail" in run.out and "not kept: " in run.out


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--class", "9", "--in", "-5"), ("'9'", "in: -5")),
        (("--front-end", "none.toml"), ("none.toml", "presets are")),
        (("--recordings", "."), ("--reference",)),
        (("--correct", "c.toml"), ("--recordings",)),
        (("--limits", "none.toml"), ("none.toml",)),
        (("--class", "0.2S", "--direct"), ("direct",)),
        (("--band", "warm"), ("warm",)),
    ],
)
def test_usage(ctmeter, args, words):
    check(ctmeter("accuracy", *args), 2, *words)


def test_bench(ctmeter, tmp_path):
    from accuracy.rigs import bench_of, point_of, rig_of

    place = tmp_path / "bench"
    place.mkdir()
    reference = bench_of(
        rig_of({"current": {"gain": 0.8, "phase": 10.0}}), [point_of(I=i, factor=f) for i in (1.0, 5.0) for f in ("1", "0.5 ind")], place
    )
    args = ("accuracy", "--recordings", place, "--reference", reference)
    assert ctmeter(*args, "--fail-on-violation", "-q").code == 5
    run = ctmeter(*args, "--correct", "corrections.toml", "-o", "out", "--json")
    assert run.code == 0 and run.json["verdict"] == "fail"
    assert all(abs(p["after_pct"]) < 0.003 < abs(p["before_pct"]) for p in run.json["correction"]["points"])
    assert ctmeter("config", "check", "corrections.toml").code == 0
    assert ctmeter(*args, "--config", "corrections.toml", "--fail-on-violation", "-q").code == 0
    (place / "more.npz").write_bytes(b"x")
    check(ctmeter(*args), 3, "more.npz", "no row")
