#!/usr/bin/env python3
"""Make docs/features.md: every row of the feature table, what the meter makes of it, and the tests that prove it.

Rows and their texts stand in tools/features.toml; tests name the rows they prove by the marker `feature`,
which is collected by pytest itself. With --check nothing is written and the exit code says whether the page
is up to date, all marked rows exist, and every row that the meter has to carry out has a test.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "features.md"
ROWS = Path(__file__).with_name("features.toml")
#: Groups of which every row that is behaviour, configuration or simulated has a test.
PROVED = ("B", "C", "E", "F", "X", "Z", "H", "T")
SHOWN = 3

HEAD = """# Features of the meter

The meter's data sheet, item by item: what is made of it, and the tests that prove it. Scope: B behaviour, C configuration,
S simulated as events or series, I identity only, H hardware. Made by `tools/make_features.py` from `tools/features.toml`
and the marker `feature` of the tests; where more than three tests name a row, the number of the others stands behind.
"""


class Collector:
    """A plugin of pytest that notes which tests name which rows."""

    def __init__(self) -> None:
        self.tests: dict[str, list[str]] = defaultdict(list)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note the markers of all tests."""
        for item in items:
            name = item.nodeid.split("[")[0].removeprefix("tests/")
            for marker in item.iter_markers("feature"):
                for row in marker.args:
                    if name not in self.tests[row]:
                        self.tests[row].append(name)


def marked() -> dict[str, list[str]]:
    """Tests by row."""
    files = [p for p in sorted((ROOT / "tests").rglob("test_*.py")) if "feature" in p.read_text(encoding="utf-8")]
    collector, said = Collector(), io.StringIO()
    os.chdir(ROOT)
    arguments = ["--collect-only", "-q", "-m", "", "-p", "no:cacheprovider", *map(str, files)]
    with contextlib.redirect_stdout(said):
        code = pytest.main(arguments, plugins=[collector])
    if code:
        raise SystemExit(said.getvalue())
    return dict(collector.tests)


def rows() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Group, row and its values."""
    for group, table in tomllib.loads(ROWS.read_text(encoding="utf-8")).items():
        for row, values in table.items():
            if row != "title":
                yield group, row, values


def faults(tests: dict[str, list[str]]) -> list[str]:
    """What is wrong with rows or markers."""
    found = []
    known = set()
    for group, row, values in rows():
        known.add(row)
        ways = {"does", "reason", "elsewhere"} & values.keys()
        if len(ways) != 1:
            found.append(f"{row}: expected one of does, reason, elsewhere")
        carried = set(values["scope"].replace(" ", "").split(",")) & {"B", "C", "S"}
        if group in PROVED and carried and "does" in ways and row not in tests:
            found.append(f"{row}: no test")
        if group in PROVED and carried and "does" not in ways:
            found.append(f"{row}: has to be carried out")
    # X14 stands for the country code of three characters
    found += [f"{row}: no such row, named by {names[0]}" for row, names in tests.items() if row not in known | {"X15", "X16"}]
    return found


def page(tests: dict[str, list[str]]) -> str:
    """The text of the page."""
    lines, last = [HEAD], ""
    titles = {group: table["title"] for group, table in tomllib.loads(ROWS.read_text(encoding="utf-8")).items()}
    for group, row, values in rows():
        if group != last:
            lines += ["" if last else None, f"## {titles[group]}", "", "| row | item | scope | behaviour | tests |", "|---|---|---|---|---|"]  # type: ignore[list-item]
            last = group
        text = values.get("does") or (f"not acted on: {values['reason']}" if "reason" in values else f"elsewhere: {values['elsewhere']}")
        names = sorted(tests.get(row, []))
        shown = "<br>".join(f"`{n}`" for n in names[:SHOWN]) + (f"<br>and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        lines.append(f"| {row} | {values['item']} | {values['scope']} | {text} | {shown} |")
    return "\n".join(line for line in lines if line is not None) + "\n"


def main(arguments: list[str]) -> int:
    tests = marked()
    wrong = faults(tests)
    made = page(tests)
    if "--check" not in arguments:
        PAGE.write_text(made, encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != made:
        wrong.append("docs/features.md is not up to date: run python tools/make_features.py")
    print("\n".join(wrong))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
