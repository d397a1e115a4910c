#!/usr/bin/env python3
"""Make docs/clauses.md: which clause of which standard is carried out where.

Collects the References sections of the docstrings in src/ctmeter, where each line reads
`IEC|EN|IEEE number:year, clause`, for instance `IEC 61000-4-30:2015, 5.2`; several clauses stand
on lines of their own or are separated by semicolons. A clause whose number could not be checked is
left out, and the standard stands alone. With --check nothing is written and the exit
code says whether the page is up to date.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src"
PAGE = ROOT / "docs" / "clauses.md"

LINE = re.compile(r"^(?:\.\. \[\w+\] )?(?P<standard>(?:IEC|EN|IEEE)(?: TR| TS| C\d+)? ?[A-Z]?[\d.-]+):(?P<year>\d{4})(?:, (?P<clause>[^,;].*?))?\.?$")
SECTION = re.compile(r"^(?P<indent>[ \t]*)References\n[ \t]*-{3,}[ \t]*\n", re.MULTILINE)
TRIPLE = re.compile(r'(?P<quote>"""|\'\'\')(?P<text>.*?)(?P=quote)', re.DOTALL)

#: In the place of a clause where only the standard is named.
WHOLE = "not numbered"

HEAD = """# Clauses

Which clause of which standard is carried out where, collected from the docstrings by
`tools/make_clauses.py`. A clause that is not named here is not claimed.
"""


def docstrings(path: Path) -> Iterator[tuple[str, str]]:
    """Dotted name and text of every docstring in one file."""
    name = ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":  # Cython: every triple-quoted text, named by the definition before it
        for match in TRIPLE.finditer(text):
            owners = re.findall(r"^\s*(?:cdef class|class|cpdef|def)\s+(?:\w+\s+)??(\w+)\s*[(:]", text[: match.start()], re.MULTILINE)
            yield f"{name}.{owners[-1]}" if owners else name, match["text"]
        return

    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, str]]:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield prefix, ast.get_docstring(node) or ""
        for child in ast.iter_child_nodes(node):
            yield from walk(child, f"{prefix}.{child.name}" if isinstance(child, ast.ClassDef | ast.FunctionDef) else prefix)

    yield from walk(ast.parse(text), name)


def references(text: str) -> Iterator[str]:
    """The entries of the References section of one docstring."""
    match = SECTION.search(text)
    if match is None:
        return
    for line in text[match.end() :].split("\n"):
        if not line.strip():
            break
        yield from (entry.strip() for entry in line.strip().split("; "))


def collect() -> tuple[dict[str, dict[str, set[str]]], list[str]]:
    """Standard -> clause -> places, and the entries that have another form."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    wrong = []
    for path in sorted(p for p in (SRC / "ctmeter").rglob("*") if p.suffix in (".py", ".pyx")):
        for name, text in docstrings(path):
            for entry in references(text):
                match = LINE.match(entry)
                if match is None:
                    wrong.append(f"{name}: {entry!r} is not `IEC|EN|IEEE number:year[, clause]`")
                else:
                    found[f"{match['standard']}:{match['year']}"][match["clause"] or WHOLE].add(name)
    return found, wrong


def faults() -> list[str]:
    """Entries in docstrings that have another form."""
    return collect()[1]


def order(clause: str) -> tuple[list[int], str]:
    """Clause 10 stands after clause 9."""
    return [int(n) for n in re.findall(r"\d+", clause)], clause


def page() -> str:
    """The text of the page."""
    text = HEAD
    found, _ = collect()
    for standard in sorted(found):
        text += f"\n## {standard}\n\n| clause | where |\n|---|---|\n"
        for clause in sorted(found[standard], key=order):
            text += f"| {clause} | {', '.join(f'`{n}`' for n in sorted(found[standard][clause]))} |\n"
    return text


def main() -> int:
    """Write the page, or with --check compare it."""
    for fault in (wrong := faults()):
        print(fault, file=sys.stderr)
    if "--check" in sys.argv[1:]:
        fresh = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page()
        if not fresh:
            print(f"{PAGE.relative_to(ROOT)} is not up to date: run python tools/make_clauses.py", file=sys.stderr)
        return int(bool(wrong) or not fresh)
    PAGE.write_text(page(), encoding="utf-8")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
