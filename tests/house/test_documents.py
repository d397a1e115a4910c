"""The documents say what is true here: commands that CI runs, names that exist, no place of this machine."""

from __future__ import annotations

import ast
import re
import runpy
import subprocess
import sys
import tomllib

import pytest

from ctmeter.quantity import TABLES, columns
from house.tree import ROOT, modules, sources, tracked

COMMANDS = ('pip install ".[report]" && ctmeter measure waveforms/feeder.cfg', 'pip install -e ".[test]" && pytest')
DEBIAN = "python3-venv python3-dev gcc libc6-dev"
TEXT = {".py", ".pyx", ".pyi", ".pxd", ".h", ".c", ".md", ".toml", ".cfg", ".cff", ".yaml", ".yml", ".in", ".json", ".txt", ""}

FORBIDDEN = {
    "an absolute path": re.compile(r"(?<![\w.$~}])/(?:home|root|work|Users|tmp)/\w"),
    "a number of some tracker": re.compile(r"\bissues? #?\d+", re.IGNORECASE),
    "a word of the workplace": re.compile(r"\b(?:session|sub-?agent|colleague)s?\b", re.IGNORECASE),
}
# pytest's own word for a fixture that lives as long as the run, and other people's APIs
ALLOWED = re.compile(r"scope=\"session\"|pytest_session\w+|[\w.]*Session\b(?=\()")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("what", FORBIDDEN)
def test_tracked_files_speak_of_the_project_alone(what: str):
    files = tracked()
    if files is None:
        pytest.skip("no version control here: an unpacked sdist")
    faults = []
    for path in files:
        if path.suffix not in TEXT or path == ROOT / "tests/house/test_documents.py" or "waveforms" in path.parts:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if FORBIDDEN[what].search(ALLOWED.sub("", line)):
                faults.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert not faults, f"{what}\n" + "\n".join(faults)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_two_commands(command: str):
    first_screen = "\n".join(read("README.md").splitlines()[:40])
    assert command in first_screen
    assert command in read(".ci/run").splitlines(), "CI runs the command as a line of its own, letter by letter"


def test_debian_packages_are_named():
    assert DEBIAN in read("README.md")
    assert DEBIAN in read(".ci/run")


def test_python_example_of_the_readme(monkeypatch):
    """Runs as it stands, from the root of the project."""
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"```python\n(.*?)```", read("README.md"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})


def test_files_named_in_documents_exist():
    missing = []
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text(encoding="utf-8")):
            if not (document.parent / link).exists():
                missing.append(f"{document.relative_to(ROOT)}: {link}")
    assert not missing


def test_every_dependency_is_justified():
    project = tomllib.loads(read("pyproject.toml"))
    needed = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    needed += [r for extra in project["project"]["optional-dependencies"].values() for r in extra]
    names = {re.split(r"[<>=\[ ]", r)[0] for r in needed} - {"ctmeter"}
    text = read("docs/dependencies.md")
    assert not sorted(n for n in names if f"`{n}`" not in text)


def test_clauses_are_up_to_date():
    run = subprocess.run([sys.executable, str(ROOT / "tools/make_clauses.py"), "--check"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_row_of_the_feature_table_is_proved():
    """The page is up to date, and each row that the meter carries out has a test."""
    run = subprocess.run([sys.executable, str(ROOT / "tools/make_features.py"), "--check"], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_data_model_is_up_to_date():
    run = subprocess.run([sys.executable, str(ROOT / "tools/make_data_model.py"), "--check"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_data_model_names_every_column():
    text = read("docs/data-model.md")
    missing = {c.name for table in TABLES for c in columns(table) if f"`{c.name}`" not in text}
    assert not missing and all(f"`{table}`" in text for table in TABLES)


def test_clauses_are_well_formed():
    tool = runpy.run_path(str(ROOT / "tools/make_clauses.py"))
    assert tool["faults"]() == []


def test_modules_do_not_shadow_the_glossary():
    """A glossary term that names a module names one that exists."""
    names = {name.removeprefix("ctmeter.") for name in modules()} | {"_dsp"}
    mentioned = set(re.findall(r"module `([\w.]+)`", read("docs/glossary.md")))
    assert mentioned <= names, mentioned - names


def test_the_version_is_one():
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    assert f"## [{version}]" in read("CHANGELOG.md")
    assert f"version: {version}" in read("CITATION.cff")


def test_no_unfinished_work_is_left():
    words = re.compile("TODO|FIXME|XXX|raise NotImplementedError")
    faults = []
    for path in sources(".py", ".pyx", ".h", ".pxd"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if words.search(line):
                faults.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not faults


def test_no_error_is_swallowed():
    faults = []
    for module in modules().values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ExceptHandler):
                broad = node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
                empty = all(isinstance(s, ast.Pass) or (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)) for s in node.body)
                if broad and empty:
                    faults.append(f"{module.name}:{node.lineno}")
    assert not faults
