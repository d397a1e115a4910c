"""Rooms stay small: modules, kernels, functions, classes; and everything public says what it is."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from house.tree import ROOT, Module, modules, sources

PREFERRED, MODULE, KERNEL, CORE, FUNCTION, METHODS = 300, 600, 250, 900, 60, 12


def lines(path: Path) -> int:
    return path.read_text(encoding="utf-8").count("\n")


def too_long(paths: list[Path], limit: int) -> list[str]:
    return [f"{p.relative_to(ROOT)}: {lines(p)} lines, at most {limit}" for p in paths if lines(p) > limit]


def test_modules():
    faults = too_long(sources(".py", ".pyi"), MODULE)
    assert not faults


def test_most_modules_have_the_preferred_size():
    counts = [lines(p) for p in sources(".py") if p.name != "__init__.py"]
    assert statistics.median(counts) <= PREFERRED, sorted(counts)


def test_kernels():
    faults = too_long(sources(".h", ".c", ".pxd"), KERNEL)
    assert not faults


def test_core():
    faults = too_long(sources(".pyx"), CORE)
    assert not faults


def test_tests_and_tools():
    folders = [p for name in ("tests", "benchmarks", "tools") for p in sorted((ROOT / name).rglob("*.py"))]
    faults = too_long(folders, MODULE)
    assert not faults


def functions(node: ast.AST) -> Iterator[ast.FunctionDef]:
    return (n for n in ast.walk(node) if isinstance(n, ast.FunctionDef))


def body_lines(node: ast.FunctionDef) -> int:
    """Lines of a function without its decorators and its docstring."""
    total = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node) is not None:
        total -= (first.end_lineno or first.lineno) - first.lineno + 1
    return total


@pytest.mark.parametrize("module", modules().values(), ids=lambda m: m.name)
def test_functions(module: Module):
    faults = [f"{module.name}:{f.lineno} {f.name}: {body_lines(f)} lines" for f in functions(module.tree) if body_lines(f) > FUNCTION]
    assert not faults


def compiled_functions(path: Path) -> Iterator[tuple[int, str, int]]:
    """Line, name and length of every function of a Cython file (by indent) or a C header (by its braces in column 0)."""
    text = DOCSTRING.sub("", path.read_text(encoding="utf-8")).splitlines()
    head: tuple[int, str] | None = None
    indent = last = 0
    for number, line in enumerate([*text, "end"]):
        if not line.strip() or line.startswith("#"):
            continue
        depth = len(line) - len(line.lstrip())
        if head is not None and depth <= indent and not line.lstrip().startswith((")", "{")):
            yield head[0] + 1, head[1], last - head[0] + 1
            head = None
        match = FUNCTION_HEAD.match(line)
        if match and (path.suffix != ".h" or not line.rstrip().endswith(";")):
            head, indent = (number, match[1]), depth
        last = number


#: A docstring of a Cython function, which does not count.
DOCSTRING = re.compile(r'(?<=:\n)[ \t]+"""(?:.|\n)*?"""\n')
FUNCTION_HEAD = re.compile(r"\s*(?:(?:cdef|cpdef|def)\b(?! class| enum| struct)[^=(]*?|static [^=;(]*?)(\w+|FN\(\w+\))\(")


@pytest.mark.parametrize("path", sources(".pyx", ".pxd", ".h"), ids=lambda p: p.name)
def test_compiled_functions(path: Path):
    faults = [f"{path.relative_to(ROOT)}: {name}: {length} lines" for _, name, length in compiled_functions(path) if length > FUNCTION]
    assert not faults


@pytest.mark.parametrize("module", modules().values(), ids=lambda m: m.name)
def test_classes(module: Module):
    faults = []
    for cls in (n for n in ast.walk(module.tree) if isinstance(n, ast.ClassDef)):
        methods = [f.name for f in cls.body if isinstance(f, ast.FunctionDef) and not f.name.startswith("_") and not is_property(f)]
        if len(methods) > METHODS:
            faults.append(f"{module.name}:{cls.lineno} {cls.name}: {len(methods)} public methods")
    assert not faults


def is_property(function: ast.FunctionDef) -> bool:
    return any(ast.unparse(d).split(".")[-1] in ("property", "cached_property", "setter") for d in function.decorator_list)


def public(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


@pytest.mark.parametrize("module", modules().values(), ids=lambda m: m.name)
def test_docstrings(module: Module):
    """Every module, and every public class and function of a public module."""
    assert ast.get_docstring(module.tree), f"{module.name} has no docstring"
    if any(name.startswith("_") for name in module.name.split(".")):
        return
    faults = [f"{module.name}:{n.lineno} {n.name}" for n in public(module.tree.body) if not ast.get_docstring(n)]
    assert not faults, "without a docstring"
