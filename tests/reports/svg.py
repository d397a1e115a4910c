"""Reading charts back: what is drawn, in the values of the axes, found the way a person does, by the ticks."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import numpy as np


def root(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def points(path: str) -> list[tuple[float, float]]:
    """The corners of a path of absolute M and relative l, v and h commands."""
    found: list[tuple[float, float]] = []
    x = y = 0.0
    for command, rest in re.findall(r"([MlZ])([^MlZ]*)", path):
        numbers = [float(n) for n in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", rest)]
        for a, b in zip(numbers[::2], numbers[1::2], strict=True):
            x, y = (a, b) if command == "M" else (x + a, y + b)
            found.append((x, y))
    return found


def curves(element: ElementTree.Element) -> list[list[tuple[float, float]]]:
    """The corners of each curve, in the order they are drawn."""
    return [points(p.get("d") or "") for p in element.iter("path") if p.get("class") == "curve"]


def ribbons(element: ElementTree.Element) -> list[list[tuple[float, float]]]:
    return [points(p.get("d") or "") for p in element.iter("path") if p.get("class") == "ribbon"]


def ticks(element: ElementTree.Element) -> list[tuple[float, float, str, str]]:
    """Place, anchor and words of the ticks."""
    group = next(g for g in element.iter("g") if g.get("class") == "ticks")
    return [(float(t.get("x") or 0), float(t.get("y") or 0), t.get("text-anchor") or "start", t.text or "") for t in group.iter("text")]


def _number(words: str) -> float:
    return float(words.replace("\N{MINUS SIGN}", "-"))


def scale_y(element: ElementTree.Element) -> np.ndarray:
    """From a place to a value: slope and offset, by the ticks at the left (their base line is 4 below their place)."""
    found = [(y - 4, _number(words)) for _, y, anchor, words in ticks(element) if anchor == "end"]
    return np.polyfit(*zip(*found, strict=True), 1)


def scale_x(element: ElementTree.Element) -> np.ndarray:
    """The same of numbers along the bottom."""
    found = [(x, _number(words)) for x, _, anchor, words in ticks(element) if anchor == "middle"]
    return np.polyfit(*zip(*found[:-1], strict=True), 1)


def values(element: ElementTree.Element, curve: int = 0) -> np.ndarray:
    """The values of a curve, by the ticks."""
    drawn = np.array(curves(element)[curve])
    return np.polyval(scale_y(element), drawn[:, 1])


def places(element: ElementTree.Element, curve: int = 0) -> np.ndarray:
    drawn = np.array(curves(element)[curve])
    return np.polyval(scale_x(element), drawn[:, 0])
