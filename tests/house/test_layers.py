"""Who may import whom: each layer only downwards, siblings blind to each other, no cycles."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from house.tree import PACKAGE, Finder, Import, Module, compiled, imports, modules

# Bottom first. Everything may raise `errors`; roles are given to channels, so `roles` stands on `recording`.
LAYERS = (
    ("errors", "checks"),
    ("quantity", "settings", "_dsp"),
    ("recording", "measurements", "power"),
    ("roles", "frequency", "kernels", "columns", "flicker", "corrections"),
    ("readers", "engine", "synth", "_aggregate_rules", "_aggregate_state"),
    ("_aggregate_intervals",),
    ("aggregation", "events"),
    ("store", "writers"),
    ("en50160",),  # reads results, and reports draw its curves
    ("reports",),
    ("pipeline",),
    ("meter",),
    ("accuracy",),
    ("batch",),
    ("cli",),
    ("", "__main__"),  # the facade
)
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
#: Packages whose modules are plug-ins of one kind and know nothing of each other.
PLUGINS = ("readers", "writers")
MAX_DEPTH = 11


def part(module: str) -> str:
    """The part of the house a module belongs to: `readers` for `ctmeter.readers.csv`."""
    return module.removeprefix(PACKAGE).lstrip(".").split(".")[0]


def listing(faults: list[Import]) -> str:
    return "\n" + "\n".join(f"  {i}" for i in faults)


@pytest.mark.parametrize(
    ("code", "target", "eager"),
    [
        ("from ..store import results", "ctmeter.store.results", True),
        ("def f():\n    from ctmeter.store.results import load", "ctmeter.store.results", False),
        ("class A:\n    import ctmeter.errors", "ctmeter.errors", True),
        ("if TYPE_CHECKING:\n    from ..errors import InputError", "ctmeter.errors", False),
        ("def f():\n    importlib.import_module('ctmeter.errors')", "ctmeter.errors", False),
        ("from .. import read", "ctmeter", True),
    ],
)
def test_the_finder_sees_every_kind_of_import(code: str, target: str, eager: bool):
    finder = Finder(Module("ctmeter.readers.x", Path("x.py")), {"ctmeter.store.results", "ctmeter.errors"})
    finder.visit(ast.parse(code))
    assert [(i.target, i.eager) for i in finder.found] == [(target, eager)]


def test_every_module_has_a_layer():
    unknown = sorted({m for m in [*modules(), *compiled()] if part(m) not in LEVEL})
    assert not unknown, f"give these a place in LAYERS: {unknown}"


def test_imports_go_downwards_and_siblings_are_blind():
    faults = []
    for i in imports():
        source, target = part(i.source), part(i.target)
        if source not in LEVEL or target not in LEVEL or source in (target, "__main__"):
            continue  # a part without a layer is the matter of the test above
        if LEVEL[target] >= LEVEL[source]:
            faults.append(i)
    assert not faults, listing(faults)


def test_nobody_imports_the_facade():
    faults = [i for i in imports() if i.target == PACKAGE and part(i.source) != "__main__"]
    assert not faults, listing(faults)


def test_plugins_know_nothing_of_each_other():
    faults = []
    for i in imports():
        source, target = i.source.split("."), i.target.split(".")
        inside = len(source) == len(target) == 3 and source[1] == target[1] and source[1] in PLUGINS
        # a private module belongs to the public one whose name it carries, or to all (`_text`)
        if inside and not target[2].startswith("_") and not source[2].startswith("_"):
            faults.append(i)
    assert not faults, listing(faults)


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Sets of modules that import each other (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def walk(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in graph.get(node, ()):
            if target not in index:
                walk(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            component = [stack.pop()]
            while component[-1] != node:
                component.append(stack.pop())
            if len(component) > 1:
                found.append(sorted(component))

    for node in graph:
        if node not in index:
            walk(node)
    return found


def graph_of(edges: list[Import]) -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {m: set() for m in [*modules(), *compiled()]}
    for i in edges:
        graph[i.source].add(i.target)
    return graph


def test_no_cycles():
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]], "the search itself"
    edges = imports()
    rings = cycles(graph_of(edges))
    assert not rings, "\n".join(f"{ring}{listing([i for i in edges if {i.source, i.target} <= set(ring)])}" for ring in rings)


def test_import_depth():
    graph = graph_of([i for i in imports() if i.eager])
    rings = cycles(graph)
    assert not rings, "depth is undefined while there are cycles"

    @cache
    def chain(module: str) -> tuple[str, ...]:
        return (module, *max((chain(t) for t in graph.get(module, ())), key=len, default=()))

    longest = max((chain(m) for m in graph), key=len)
    assert len(longest) <= MAX_DEPTH, " > ".join(longest)
