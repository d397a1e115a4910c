"""Conformance cases as data: how `case.toml` is read. README.md beside this file describes the keys."""

from __future__ import annotations

import ast
import itertools
import math
import operator
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
CASES = FOLDER / "cases"

#: What the units of errors and tolerances are in SI.
SCALE = {"": 1.0, "%": 1e-2, "ppm": 1e-6, "mHz": 1e-3, "ms": 1e-3, "us": 1e-6}
_UNARY: dict[type, Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: operator.pow, ast.Mod: operator.mod,
    ast.FloorDiv: operator.floordiv,
}  # fmt: skip
_CALLS: dict[str, Callable[..., Any]] = {n: getattr(math, n) for n in ("sqrt", "sin", "cos", "radians", "ceil", "floor")}


def compute(text: str, names: Mapping[str, Any]) -> Any:
    """The value of an arithmetic expression."""

    def value(node: ast.AST) -> Any:
        match node:
            case ast.Expression(body):
                return value(body)
            case ast.Constant(x):
                return x
            case ast.Name(name):
                return math.pi if name == "pi" else names[name]
            case ast.UnaryOp(op, x):
                return _UNARY[type(op)](value(x))
            case ast.BinOp(a, op, b):
                return _BINARY[type(op)](value(a), value(b))
            case ast.Call(ast.Name(name), parts, []):
                return _CALLS[name](*map(value, parts))
        raise ValueError(f"{ast.unparse(node)!r} in {text!r}")

    return value(ast.parse(text.strip(), mode="eval"))


def filled(item: Any, names: Mapping[str, Any]) -> Any:
    """The same data with every text `= expression` worked out."""
    if isinstance(item, Mapping):
        return {k: filled(v, names) for k, v in item.items()}
    if isinstance(item, list):
        return [filled(v, names) for v in item]
    return compute(item[1:], names) if isinstance(item, str) and item.startswith("=") else item


@dataclass(frozen=True)
class Tolerance:
    """How far from the expected value is allowed: `0.02 % of reading`, `5 ppm of 230`, `0.15 ms`."""

    text: str
    size: float
    unit: str
    base: float | None  #: of what `unit` is a part; None for absolute, NaN for the expected value itself

    @classmethod
    def of(cls, text: str) -> Tolerance:
        match = re.fullmatch(r"([\d.e+-]+) ?(%|ppm|mHz|ms|us|)(?: of (reading|[\d.e+-]+))?(?: ?[A-Za-z]+)?", text)
        if match is None:
            raise ValueError(f"tolerance {text!r}")
        size, unit, base = match.groups()
        return cls(text, float(size), unit, None if base is None else math.nan if base == "reading" else float(base))

    def error(self, got: float, want: float) -> float:
        """The error in the tolerance's unit."""
        whole = 1.0 if self.base is None else abs(want) if math.isnan(self.base) else self.base
        return abs(got - want) / (SCALE[self.unit] * whole)


@dataclass(frozen=True)
class Case:
    """One variation of one case."""

    name: str
    folder: Path
    title: str
    clause: str
    origin: str
    long: bool
    reference: str  #: "default", "long" or ""
    signal: dict[str, Any]
    settings: dict[str, Any]
    expect: tuple[dict[str, Any], ...]
    names: dict[str, Any]


def _variations(data: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Name, variables and length of each variation: rows of `vary`, else all combinations of `sweep`."""
    if "vary" in data:
        for k, row in enumerate(data["vary"]):
            values = {n: v for n, v in row.items() if n not in ("id", "long")}
            yield str(row.get("id", k)), values, bool(row.get("long", False))
    elif "sweep" in data:
        sweep = dict(data["sweep"])
        quick = sweep.pop("quick", None)
        for combination in itertools.product(*sweep.values()):
            name = "_".join(f"{n}{v:g}" if isinstance(v, int | float) else str(v) for n, v in zip(sweep, combination, strict=True))
            yield name, dict(zip(sweep, combination, strict=True)), quick is not None and name not in quick
    else:
        yield "", {}, False


def load(path: Path) -> Iterator[Case]:
    """The variations of one case."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    base = path.parent.relative_to(CASES).as_posix()
    constants = data.get("constants", {})
    for variation, own, long in _variations(data):
        names = {**constants, **own}
        yield Case(
            name=f"{base}/{variation}" if variation else base,
            folder=path.parent,
            title=data["title"],
            clause=data["clause"],
            origin=data["origin"],
            long=bool(data.get("long", False)) or long,
            reference=data.get("reference", ""),
            signal=filled(data["signal"], names),
            settings=filled(data.get("settings", {}), names),
            expect=tuple(filled(e, names) for e in data["expect"]),
            names=names,
        )


def files() -> list[Path]:
    """Every case file."""
    return sorted(CASES.rglob("case.toml"))


def every() -> list[Case]:
    """Every variation of every case."""
    return [case for path in files() for case in load(path)]


def limits() -> dict[str, dict[str, Any]]:
    """The quantities of the table of limits, by name."""
    return tomllib.loads((FOLDER / "limits.toml").read_text(encoding="utf-8"))
