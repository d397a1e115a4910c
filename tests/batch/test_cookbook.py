"""The queries of the cookbook run on a data set as it is made, and so does the notebook."""

from __future__ import annotations

import importlib.util
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from batch import folders
from ctmeter.batch import run
from house.tree import ROOT

COOKBOOK = ROOT / "docs" / "cookbook.md"
NOTEBOOK = ROOT / "docs" / "notebooks" / "fleet.ipynb"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_fleet", ROOT / "tools" / "make_fleet.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        # dataclasses look for the module they are in
        patch.setitem(sys.modules, "make_fleet", module)
        spec.loader.exec_module(module)
    module.RATE = 800.0  # half of it takes half the time
    return module


@pytest.fixture(scope="module")
def place(maker: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recordings of three hours and their data set, as the cookbook has it."""
    folder = tmp_path_factory.mktemp("cookbook")
    maker.make(folder / "recordings", 3)
    summary = run(folder / "recordings", out=folder / "fleet", settings=folder / "recordings" / "fleet.toml", jobs=1)
    assert (summary["done"], summary["failed"]) == (8, 1)
    return folder


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", COOKBOOK.read_text(encoding="utf-8"), re.DOTALL)


def test_energies_are_the_sums_over_the_samples(place: Path, maker: ModuleType):
    found = ds.dataset(place / "fleet" / "dataset" / "registers", partitioning="hive").to_table(columns=["device", "A+", "A-"]).to_pylist()
    assert len(found) == 3
    for row in found:
        (site,) = (s for s in maker.SITES if s.device == row["device"])
        starts = [hour * 3600 + site.begin for hour in ((-1, 0) if site.name == "harbour" else (-1, 0, 1))]
        frames = np.concatenate([maker.recorded(site, start, site.seconds) for start in starts]).astype(np.float64)
        energy = (frames[:, :3] * frames[:, 3:]).sum() * 0.02 * 0.005 / maker.RATE / 3600
        assert row["A+"] - row["A-"] == pytest.approx(energy, rel=1e-12)


def test_sql(place: Path, monkeypatch: pytest.MonkeyPatch):
    duckdb = pytest.importorskip("duckdb")
    monkeypatch.chdir(place)
    connection = duckdb.connect()
    answers = []
    for block in blocks("sql"):
        for query in filter(str.strip, block.split(";")):
            answer = connection.sql(query)
            if query.strip().startswith("select"):
                answers.append(dict(zip(answer.columns, zip(*answer.fetchall(), strict=True), strict=False)))
    energy, load, fifth, worst, failed, unsure = answers
    assert set(energy["site"]) == {"north", "south", "Harbour crane 2"} and energy["site"][0] == "north"
    assert len(load["hour"]) == 1
    assert dict(zip(fifth["site"], fifth["h5"], strict=True)) == pytest.approx({"Harbour crane 2": 7.0, "south": 3.0, "north": 2.0}, abs=0.01)
    assert worst["type"][0] == "dip" and worst["percent"][0] == 0.0 and worst["path"][0].startswith("harbour/")
    assert failed == {}  # south has too little of ten minutes to be judged
    assert unsure == {}


def test_python(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    for needed in ("polars", "pandas"):
        pytest.importorskip(needed)
    monkeypatch.chdir(place)
    namespace: dict[str, Any] = {}
    for block in blocks("python"):
        if "pyspark" not in block:
            exec(compile(block, COOKBOOK.name, "exec"), namespace)
    printed = capsys.readouterr().out
    assert "| Harbour crane 2 | 7.0 |" in printed and "{b'unit': b'V', b'side': b'primary'}" in printed


def test_sites_of_digits_stay_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As the queries read the directories."""
    folders.write(tmp_path / "in" / "a.cfg", folders.frames(0), station="001")
    run(tmp_path / "in", out=tmp_path / "fleet", settings={"nominal_voltage": 230.0}, jobs=1)
    monkeypatch.chdir(tmp_path)
    text = COOKBOOK.read_text(encoding="utf-8")
    [partitioning] = re.findall(r"^text = (ds\.partitioning.*)$", text, re.MULTILINE)
    as_text = eval(partitioning, {"ds": ds, "pa": pa})
    table = ds.dataset("fleet/dataset/recordings", partitioning=as_text).to_table(columns=["site", "month"])
    assert table.to_pylist() == [{"site": "001", "month": "2026-03"}]
    for needed in ("duckdb", "polars", "pandas"):
        pytest.importorskip(needed)
    import duckdb
    import pandas as pd
    import polars as pl

    views = blocks("sql")[0]
    connection = duckdb.connect()
    connection.sql(next(line for line in views.splitlines() if "recordings" in line))
    assert connection.sql("select site, month from recordings").fetchall() == [("001", "2026-03")]
    [schema] = re.findall(r"^text = (\{.*?\})", text, re.MULTILINE)
    found = pl.scan_parquet("fleet/dataset/recordings/**/*.parquet", hive_partitioning=True, hive_schema=eval(schema, {"pl": pl}))
    assert found.select("site").collect().rows() == [("001",)]
    assert list(pd.read_parquet("fleet/dataset/registers", partitioning=as_text)["site"]) == ["001"]


def test_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Every cell runs, and gives what is stored."""
    monkeypatch.chdir(tmp_path)
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    found = runpy.run_path(str(ROOT / "tools" / "make_notebook.py"))["carry_out"](notebook)
    stored = ["".join(line for output in c["outputs"] for line in output["text"]) for c in notebook["cells"] if "outputs" in c]
    assert found == stored
    assert "796.743" in found[3]  # 3 x 230 V x 20 A x cos 30 degrees x 240 s, Wh


def test_the_command_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """From the root of the project, with the settings that lie beside the recordings."""
    command = "ctmeter batch waveforms -o fleet"
    assert command in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    monkeypatch.chdir(ROOT)
    words = command.split()
    done = subprocess.run([sys.executable, "-m", *words[:-1], str(tmp_path / "fleet")], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout.startswith("5 done, 0 failed"), done.stdout + done.stderr
    assert (tmp_path / "fleet" / "dataset" / "recordings").is_dir() and (tmp_path / "fleet" / "summary.json").is_file()
