"""Batches of object stores: the tables of the same folder on the disk."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from batch import folders
from batch.test_run import measured
from readers.stores import Request, running_s3, running_web, s3_environment

pytest.importorskip("obstore", reason="the extra fleet is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("remote") / "in"
    assert len(folders.make(root, 16, 2)) == 2
    return root


@pytest.fixture(scope="module")
def local(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("local") / "out"
    measured(folder, out)
    return out


def tables(out: Path) -> dict[str, list[dict[str, Any]]]:
    names = ("recordings", "10min", "frequency", "events", "registers", "en50160")
    return {name: folders.rows(out, name) for name in names if (out / "dataset" / name).is_dir()}


def test_a_folder_on_s3(folder, local, tmp_path, monkeypatch):
    with running_s3() as s3:
        s3_environment(monkeypatch, s3)
        for path in folder.rglob("*"):
            if path.is_file():
                s3.put(quote(f"fleet/{path.relative_to(folder).as_posix()}"), path.read_bytes())
        summary, _ = measured("s3://records/fleet/", tmp_path / "out", jobs=2)
        assert (summary["done"], summary["failed"]) == (14, 2)
        assert tables(tmp_path / "out") == tables(local)
        _, seen = measured("s3://records/fleet/", tmp_path / "out")
        assert not seen.all("piece")
        # another object under the same name is measured again, and nothing else
        other = folders.write(tmp_path / "other.cfg", folders.frames(50), station="station 3")
        s3.put(quote("fleet/station 3/00000.dat"), other.with_suffix(".dat").read_bytes())
        summary, seen = measured("s3://records/fleet/", tmp_path / "out")
        assert summary["done"] == 14 and {p["site"] for p in seen.all("piece")} == {"station 3"}
    found = {r["path"]: r["A+"] for r in folders.rows(tmp_path / "out", "recordings")}
    assert found["station 3/00000.cfg"] == pytest.approx(folders.active(folders.frames(50)), rel=1e-9)


def test_files_on_the_web(folder, local, tmp_path):
    with running_web() as web:
        names = [p.relative_to(folder).as_posix() for p in sorted((folder / "station 1").iterdir())]
        web.files = {quote(name): (folder / name).read_bytes() for name in names}
        urls = [f"{web.url}/{name}" for name in web.files if name.endswith(".cfg")]
        summary, _ = measured(urls, tmp_path / "out")
    assert summary["done"] == len(urls), summary["failures"]
    energies = {r["start"]: r["A+"] for r in folders.rows(local, "recordings") if r["site"] == "station 1"}
    assert {r["start"]: r["A+"] for r in folders.rows(tmp_path / "out", "recordings")} == energies


def test_signals_stop_though_a_server_keeps_silent(tmp_path):
    """While sources are looked for."""
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as stack:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x.cfg"
        assert stopped([url, "-o", tmp_path / "out"], signal.SIGTERM, lambda: stack.enter_context(server.accept()[0])) < 2.0


def test_signals_stop_though_a_server_keeps_silent_later(tmp_path):
    """While the only process there is reads a source."""
    with running_web() as web:
        path = folders.write(tmp_path / "x.cfg", folders.frames(0))
        web.files = {name: path.with_suffix(Path(name).suffix).read_bytes() for name in ("x.cfg", "x.dat")}
        silent = threading.Event()

        def fault(request: Request, _: int) -> str:
            if request.method == "GET":
                silent.set()
                time.sleep(5.0)
            return ""

        web.fault = fault
        assert stopped([f"{web.url}/x.cfg", "-o", tmp_path / "out", "--jobs", "1"], signal.SIGINT, silent.wait) < 2.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_copies_of_objects_do_not_outlive_a_batch(tmp_path, monkeypatch, number: int):
    """Workers that are killed leave what they were fetching; the batch removes it, or the next one where it was killed too."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("CTMETER_SCRATCH", str(scratch))
    with running_web() as web:
        web.files = {"x.csv": b"t,U_L1\n" + b"".join(b"%.4f,%d\n" % (k / 6400, k % 300) for k in range(20000))}
        fetching = threading.Event()

        def fault(request: Request, _: int) -> str:
            if request.method == "GET" and any(scratch.rglob("x.csv")):
                fetching.set()
                time.sleep(5.0)
            return ""

        web.fault = fault
        with folders.program(f"{web.url}/x.csv", "-o", tmp_path / "out", "--jobs", "1") as running:
            assert fetching.wait(30)
            running.send_signal(number)
            running.communicate(timeout=30)
        web.fault = lambda *_: ""
        if number == signal.SIGKILL:
            measured(f"{web.url}/x.csv", tmp_path / "out")
    assert not list(scratch.iterdir())


def stopped(arguments: list[str | Path], number: int, wait: Callable[[], object]) -> float:
    """Seconds that a batch takes to stop at a signal."""
    with folders.program(*arguments) as running:
        wait()
        begin = time.monotonic()
        running.send_signal(number)
        _, errors = running.communicate(timeout=30)
    assert running.returncode == 130 and "Traceback" not in errors, errors
    return time.monotonic() - begin
