"""The source tree as the architecture tests see it: modules, their imports, their sizes."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"
PACKAGE = "ctmeter"


@dataclass(frozen=True)
class Import:
    """One import of one of our modules by another."""

    source: str
    target: str
    line: int
    eager: bool  # carried out when the module is imported: not in a function, not for type checkers only

    def __str__(self) -> str:
        return f"{self.source}:{self.line} imports {self.target}"


@dataclass(frozen=True)
class Module:
    """One file of the package."""

    name: str
    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))


def _name(path: Path) -> str:
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules() -> dict[str, Module]:
    """Every Python module of the package by its dotted name."""
    return {_name(p): Module(_name(p), p) for p in sorted((SRC / PACKAGE).rglob("*.py"))}


def sources(*suffixes: str) -> list[Path]:
    """Every file of the package with one of the suffixes."""
    return sorted(p for p in (SRC / PACKAGE).rglob("*") if p.suffix in suffixes)


def compiled() -> dict[str, Module]:
    """The Cython modules by their dotted name."""
    return {_name(p): Module(_name(p), p) for p in sources(".pyx")}


class Finder(ast.NodeVisitor):
    """Collects the imports of one module; `known` are the names of all modules."""

    def __init__(self, module: Module, known: set[str]) -> None:
        self.module, self.known = module, known
        self.found: list[Import] = []
        self.lazy = 0

    def _add(self, target: str, line: int) -> None:
        self.found.append(Import(self.module.name, target, line, self.lazy == 0))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.lazy += 1
        self.generic_visit(node)
        self.lazy -= 1

    def visit_If(self, node: ast.If) -> None:
        typing_only = "TYPE_CHECKING" in ast.unparse(node.test)
        self.lazy += typing_only
        for child in node.body:
            self.visit(child)
        self.lazy -= typing_only
        for child in node.orelse:
            self.visit(child)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name.split(".")[0] == PACKAGE:
                self._add(alias.name, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level:
            parts = self.module.name.split(".")
            if self.module.path.name != "__init__.py":
                parts = parts[:-1]
            base = ".".join(parts[: len(parts) - node.level + 1] + ([node.module] if node.module else []))
        else:
            base = node.module or ""
        if base.split(".")[0] != PACKAGE:
            return
        for alias in node.names:
            full = f"{base}.{alias.name}"
            if full in self.known:
                self._add(full, node.lineno)
            elif full != f"{PACKAGE}.__version__":
                self._add(base, node.lineno)

    def visit_Call(self, node: ast.Call) -> None:
        # importlib.import_module("ctmeter.x") is an import as well
        if ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__") and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                name = first.value
                if name.startswith("."):
                    name = PACKAGE + name
                if name.split(".")[0] == PACKAGE:
                    self._add(name, node.lineno)
        self.generic_visit(node)


def imports() -> list[Import]:
    """Every import of one of our modules by another, those inside functions too."""
    found: list[Import] = []
    python, cython = modules(), compiled()
    known = set(python) | set(cython)
    for module in python.values():
        finder = Finder(module, known)
        finder.visit(module.tree)
        found += finder.found
    pattern = re.compile(rf"^\s*(?:from\s+({PACKAGE}[\w.]*|\.[\w.]*)\s+c?import\s+(\w+)|c?import\s+({PACKAGE}[\w.]*))", re.MULTILINE)
    for module in cython.values():
        text = module.text
        for match in pattern.finditer(text):
            base = match[1] or match[3]
            if base.startswith("."):
                base = f"{PACKAGE}.{base.lstrip('.')}".rstrip(".")
            target = f"{base}.{match[2]}" if f"{base}.{match[2]}" in known else base
            if "_kernels" not in target:
                found.append(Import(module.name, target, text[: match.start()].count("\n") + 1, True))
    return [i for i in found if i.target != i.source]


def tracked() -> list[Path] | None:
    """Files under version control, or None where there is none (an unpacked sdist)."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        return None
    listing = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]
