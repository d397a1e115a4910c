"""What an import and the help cost: `import ctmeter` NumPy at most, `ctmeter --help` not even that."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = {"scipy", "pyarrow", "pandas", "matplotlib", "jinja2", "rich", "msgspec", "click", "sqlite3", "concurrent", "multiprocessing"}

REPORT = "import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)"


def loaded_by(code: str) -> set[str]:
    """Top-level names in `sys.modules` after `code` ran in a new interpreter."""
    run = subprocess.run([sys.executable, "-c", f"{code}\n{REPORT}"], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return set(json.loads(run.stderr.splitlines()[-1]))


def test_import_brings_numpy_at_most():
    assert not loaded_by("import ctmeter") & HEAVY


def test_all_names_of_the_facade_resolve():
    """Lazy names that cannot be imported would be found by a user first."""
    loaded_by("import ctmeter\nfor name in ctmeter.__all__: getattr(ctmeter, name)\nassert set(ctmeter.__all__) <= set(dir(ctmeter))")


def test_help_does_without_numpy():
    code = """
import sys
sys.argv = ["ctmeter", "--help"]
from ctmeter.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""
    loaded = loaded_by(code)
    assert not loaded & {"numpy", *HEAVY - {"click", "concurrent"}}


def test_module_and_script_are_the_same_program():
    module = subprocess.run([sys.executable, "-m", "ctmeter", "--version"], capture_output=True, text=True, timeout=120)
    assert module.returncode == 0, module.stderr
    assert module.stdout.startswith("ctmeter"), module.stdout
