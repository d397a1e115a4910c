"""Checks of single values: how `Settings` and `MeterConfig` say what each of their fields may hold.

A check takes what was given, returns what is kept, and raises `FaultError` with one sentence about the value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import field
from types import MappingProxyType
from typing import Any, cast

__all__ = ["Check", "FaultError", "boolean", "choice", "line", "number", "ratio", "setting", "table", "whole"]

Check = Callable[[Any], Any]


class FaultError(ValueError):
    """One fault; its text is a sentence about the value."""


def _as_number(value: Any) -> float | None:
    """The value as a float, infinite where it is too large for one; None where it is no number."""
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def number(low: float, high: float, *, unit: str = "", optional: bool = True, open_low: bool = True) -> Check:
    """A finite number up to `high`, above `low` or, with `open_low` false, from `low`."""
    wanted = f"a number {'above' if open_low else 'from'} {low:g} up to {high:g}" + (f" {unit}" if unit else "")

    def check(value: Any) -> float | None:
        if value is None and optional:
            return None
        result = _as_number(value)
        if result is None:
            raise FaultError(f"{value!r} is not a number, expected {wanted}")
        if not math.isfinite(result) or result > high or result < low or (open_low and result == low):
            raise FaultError(f"{value!r} is out of range, expected {wanted}")
        return result

    return check


def whole(low: int, high: int, *, optional: bool = False) -> Check:
    """A whole number from `low` to `high`; 40.0 is one, true is none."""

    def check(value: Any) -> int | None:
        if value is None and optional:
            return None
        result = _as_number(value)
        if result is None or not result.is_integer() or not low <= result <= high:
            raise FaultError(f"{value!r} is not a whole number from {low} to {high}")
        return int(result)

    return check


def ratio(value: Any) -> float | None:
    """A transformer ratio: a number, or text such as "200/5"."""
    if isinstance(value, str):
        parts = [p.strip() for p in re.split("[/:]", value)]
        try:
            numbers = [float(p) for p in parts]
        except ValueError:
            numbers = []
        if len(numbers) not in (1, 2) or (len(numbers) == 2 and numbers[1] == 0):
            raise FaultError(f"{value!r} is not a ratio, expected a number or text such as '200/5'")
        value = numbers[0] / numbers[1] if len(numbers) == 2 else numbers[0]
    return cast("float | None", number(0, 1e6)(value))


def choice(*values: Any, optional: bool = False) -> Check:
    """One of the values given."""
    wanted = "one of " + ", ".join(f'"{v}"' if isinstance(v, str) else f"{v:g}" for v in values)

    def check(value: Any) -> Any:
        if value is None and optional:
            return None
        for v in values:
            if value == v and not isinstance(value, bool):
                return v
        raise FaultError(f"{value!r} is not {wanted}")

    return check


def boolean(value: Any) -> bool:
    """True or false, nothing that merely counts as such."""
    if isinstance(value, bool):
        return value
    raise FaultError(f"{value!r} is not true or false")


def line(limit: int) -> Check:
    """One line of printable text, at most `limit` characters."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or len(value) > limit or not value.isprintable():
            raise FaultError(f"{value!r} is not one line of text of at most {limit} characters")
        return value

    return check


def setting(default: Any, check: Check, doc: str, *, hashed: bool = True) -> Any:
    """A dataclass field that carries its check and its meaning; `hashed` false where a value may hold mappings."""
    return field(default=default, metadata={"check": check, "doc": doc}, hash=None if hashed else False)


def table(check: Check, doc: str) -> Any:
    """A dataclass field like `setting` that holds a read-only mapping, empty by default."""
    return field(default_factory=lambda: MappingProxyType({}), metadata={"check": check, "doc": doc}, hash=False)
