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


def test_every_option_has_twins_in_toml_and_environment(ctmeter, tmp_path, monkeypatch):
    (tmp_path / "own.toml").write_text("[current]\ngain = 0.9\n")
    (tmp_path / "c.toml").write_text(
        'class = "B"\nin = 1\nimax = 2.0\nreactive_class = "none"\nfront_end = "own.toml"\nband = ["+5..+30"]\nseconds = 1\njobs = 2\n'
        "nominal_voltage = 57.7\nnominal_frequency = 60\njson = true\non_request = true\nfail_on_violation = true\n"
    )
    run = ctmeter("accuracy", "--config", "c.toml")
    rating = run.json["rating"]
    assert (rating["class"], rating["reactive_class"], rating["u_n"], rating["f_n"]) == ("B", None, 57.7, 60)
    assert (rating["currents"]["In"], rating["currents"]["Imax"]) == (1, 2) and run.json["front_end"]["name"] == "own"
    assert {c["band"] for c in run.json["composite"]} == {"+5..+30"} and run.code == 0
    # the environment wins over the file, the command line over both
    for name, value in {"CONFIG": "c.toml", "CLASS": "C", "IN": "5", "IMAX": "6", "UN": "230", "FN": "50", "BAND": "-10..+40", "JOBS": "1"}.items():
        monkeypatch.setenv(f"CTMETER_{name}", value)
    run = ctmeter("accuracy", "--imax", 7)
    rating = run.json["rating"]
    assert run.code == 5 and (rating["class"], rating["u_n"], rating["f_n"], rating["currents"]["Imax"]) == ("C", 230, 50, 7)
    assert {c["band"] for c in run.json["composite"]} == {"-10..+40"} and run.err == ""
    monkeypatch.setenv("CTMETER_DIRECT", "1")
    monkeypatch.setenv("CTMETER_CLASS", "0.2S")
    check(ctmeter("accuracy"), 2, "direct")
    (tmp_path / "bad.toml").write_text('in = "five"\nband = "+5..+30"\n')
    check(ctmeter("accuracy", "--config", "bad.toml"), 2, "bad.toml: in: 'five' is not a number of A", "bad.toml: band")


def test_the_bench_in_toml_and_environment(ctmeter, tmp_path, monkeypatch):
    from accuracy.rigs import bench_of, point_of, rig_of

    place = tmp_path / "bench"
    place.mkdir()
    bench_of(rig_of(u_n=57.7), [point_of(U=57.7, factor=f) for f in ("1", "0.5 ind")], place)
    (tmp_path / "c.toml").write_text(
        'bench_recordings = "bench"\nbench_reference = "bench/reference.txt"\ncorrect = "made.toml"\nnominal_voltage = 57.7\njson = true\n'
    )
    # the tests' own variable is none of the options
    monkeypatch.setenv("CTMETER_RECORDINGS", "/nowhere")
    run = ctmeter("accuracy", "--config", "c.toml")
    assert run.code == 0 and run.json["verdict"] == "pass" and (tmp_path / "made.toml").exists() and len(run.json["points"]) == 2
    monkeypatch.setenv("CTMETER_BENCH_RECORDINGS", "bench")
    check(ctmeter("accuracy"), 2, "--reference")
    monkeypatch.setenv("CTMETER_BENCH_REFERENCE", "bench/reference.txt")
    check(ctmeter("accuracy"), 3, "57.7 V and the row states no voltage", "--un")
    assert ctmeter("accuracy", "--un", 57.7, "--json").json["verdict"] == "pass"
    # settings of the environment are used by the measurement
    monkeypatch.setenv("CTMETER_SUMMATION", "nonsense")
    check(ctmeter("accuracy", "--un", 57.7), 2, "summation")


def test_bench_faults_have_exit_3(ctmeter, tmp_path):
    from accuracy.rigs import point_of, record, rig_of, write_reference

    record(rig_of(), point_of(), tmp_path / "a.npz", 1.0)
    good = {"recording": "a.npz", "power_W": 3450, "I": 5}
    args = ("accuracy", "--recordings", ".", "--reference", "ref.txt")
    write_reference(tmp_path / "ref.txt", [{**good, "factor": "foo"}, {**good, "factor": "2"}, {**good, "factor": "0.5"}])
    check(ctmeter(*args), 3, "ref.txt, line 2: factor: 'foo'", "line 3: factor: '2'", "line 4: factor: '0.5'", "such as 0.5 ind")
    write_reference(tmp_path / "ref.txt", [{"recording": "a.npz", "power_W": 3000, "I": 5}])
    run = ctmeter(*args, "--fail-on-violation", "--json")
    assert run.code == 0 and run.json["verdict"] == "insufficient-data" and run.json["points"][0]["PF"] is None
