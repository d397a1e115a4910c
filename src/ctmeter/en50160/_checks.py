"""What a document of limits may say; every fault is named, with its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import SettingsError
from ..quantity import QUANTITIES, Flag, Quantity

__all__ = ["Faults", "check_document"]

_LEVELS = ("LV", "MV", "LV-island", "MV-island")
_TOP = ("title", "extends", "carried", "assessment", "events", *_LEVELS)
_SECTION = {"table", "period", "of", "invalid", "indicative", "orders", "variation_after", "whole_despite", "limits", "replace", "same"}
_LIMIT = {"share", "low", "high", "order", "source"}
_TABLES = ("10min", "2h", "3s", "frequency")
_PERIODS = ("day", "week", "year")
_REFERENCES = ("Un", "fn", "U1", "1")
_EVENTS = ("interruption", "short_interruption", "interruption_classes", "aggregation")
_CELLS = {"shortest", "durations", "rows", "voltages", "source"}
_KNOWN: dict[str, Quantity] = {q.name: q for q in QUANTITIES if q.dtype in ("f8", "orders") and set(q.tables) & set(_TABLES)}


class Faults:
    """Faults on their way to one error."""

    def __init__(self) -> None:
        self._all: list[str] = []

    def add(self, fault: str) -> None:
        """Take in a fault."""
        self._all.append(fault)

    def raise_any(self) -> None:
        """Raise what was found.

        Raises
        ------
        SettingsError
            There is a fault.
        """
        if self._all:
            raise SettingsError(self._all)


def check_document(raw: Mapping[str, Any], where: str | None, faults: Faults, *, user: bool) -> None:
    """Check the form of a document; `user`: without the keys of the package's own."""
    prefix = f"{where}: " if where else ""
    for key, value in raw.items():
        if key not in _TOP or (user and key == "carried"):
            faults.add(f"{prefix}{key}: no such key, expected {', '.join(k for k in _TOP if k != 'carried')}")
        elif key in ("title", "extends", "carried"):
            if not isinstance(value, str):
                faults.add(f"{prefix}{key}: {value!r} is not a text")
        elif not isinstance(value, Mapping):
            faults.add(f"{prefix}{key}: expected a table")
        elif key == "assessment":
            _assessment(value, f"{prefix}assessment", faults)
        elif key == "events":
            _events(value, f"{prefix}events", faults)
        else:
            for quantity, section in value.items():
                _check_section(str(quantity), section, f"{prefix}{key}.{quantity}", faults, _SECTION - {"same"} if user else _SECTION)


def _number(value: Any, where: str, faults: Faults, low: float = -1e9, high: float = 1e9) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        faults.add(f"{where}: {value!r} is not a number from {low:g} to {high:g}")
        return False
    return True


def _valued(entry: Any, where: str, faults: Faults) -> Any:
    """The value of `x = 5` or of `x = { value = 5, source = "..." }`."""
    if not isinstance(entry, Mapping):
        return entry
    for key in set(entry) - {"value", "source"}:
        faults.add(f"{where}.{key}: no such key, expected value or source")
    if not isinstance(entry.get("source", ""), str):
        faults.add(f"{where}.source: {entry['source']!r} is not a text")
    return entry.get("value")


def _assessment(section: Mapping[str, Any], where: str, faults: Faults) -> None:
    for key, value in section.items():
        if key == "valid_share":
            _number(_valued(value, f"{where}.{key}", faults), f"{where}.{key}", faults, 0, 100)
        elif key == "required":
            if not isinstance(value, list) or not all(isinstance(q, str) for q in value):
                faults.add(f"{where}.required: {value!r} is not a list of quantities")
        else:
            faults.add(f"{where}.{key}: no such key, expected valid_share or required")


def _ascending(values: Any, where: str, faults: Faults, *, down: bool = False) -> None:
    if not isinstance(values, list) or not values or not all(_number(v, where, faults, 0) for v in values):
        if not isinstance(values, list) or not values:
            faults.add(f"{where}: {values!r} is not a list of numbers")
    elif sorted(set(values), reverse=down) != values:
        faults.add(f"{where}: {values!r} does not {'fall' if down else 'rise'}")


def _events(section: Mapping[str, Any], where: str, faults: Faults) -> None:
    for key, value in section.items():
        place = f"{where}.{key}"
        if key in ("dips", "swells"):
            if not isinstance(value, Mapping):
                faults.add(f"{place}: expected a table")
                continue
            for name in set(value) - _CELLS:
                faults.add(f"{place}.{name}: no such key, expected {', '.join(sorted(_CELLS))}")
            if "shortest" in value:
                _number(value["shortest"], f"{place}.shortest", faults, 0)
            if "durations" in value:
                _ascending(value["durations"], f"{place}.durations", faults)
            if "voltages" in value:
                _ascending(value["voltages"], f"{place}.voltages", faults, down=True)
            rows = value.get("rows", [])
            if not isinstance(rows, list) or not all(isinstance(r, str) and r for r in rows) or len(set(rows)) < len(rows):
                faults.add(f"{place}.rows: {rows!r} is not a list of names, each once")
            elif ("rows" in value) != ("voltages" in value) or len(rows) != len(value.get("voltages", ())):
                faults.add(f"{place}: rows and voltages belong together, one voltage for each row")
        elif key not in _EVENTS:
            faults.add(f"{place}: no such key, expected {', '.join((*_EVENTS, 'dips', 'swells'))}")
        elif key == "interruption_classes":
            _ascending(_valued(value, place, faults), place, faults)
        else:
            _number(_valued(value, place, faults), place, faults, 0, 100 if key == "interruption" else 1e9)


def _check_section(quantity: str, section: Any, where: str, faults: Faults, known_keys: set[str]) -> None:
    if not isinstance(section, Mapping):
        faults.add(f"{where}: expected a table")
        return
    if quantity not in _KNOWN and quantity != "rvc":
        faults.add(f"{where}: no such quantity; the names are those of the columns without their phase, and rvc")
        return
    for key in sorted(set(section) - known_keys):
        faults.add(f"{where}.{key}: no such key, expected {', '.join(sorted(known_keys))}")
    tables = ("events",) if quantity == "rvc" else tuple(t for t in _TABLES if t in _KNOWN[quantity].tables)
    for key, known in (("table", tables), ("period", _PERIODS), ("of", _REFERENCES)):
        if key in section and section[key] not in known:
            faults.add(f"{where}.{key}: {section[key]!r} is not one of {', '.join(known)}")
    unit = "V" if quantity == "rvc" else _KNOWN[quantity].unit
    needed = {"Un": "V", "U1": "V", "fn": "Hz"}.get(section.get("of", "1"), unit)
    if unit != needed:
        faults.add(f"{where}.of: {section['of']!r} is for quantities in {needed}, not in {unit}")
    labels = {f.label for f in Flag}
    for key in ("invalid", "whole_despite"):
        named = section.get(key, [])
        if not isinstance(named, list):
            faults.add(f"{where}.{key}: {named!r} is not a list of flags")
            continue
        for label in named:
            if not isinstance(label, str) or label not in labels:
                faults.add(f"{where}.{key}: {label!r} is no flag, expected {', '.join(f.label for f in Flag)}")
    for key in ("indicative", "replace"):
        if not isinstance(section.get(key, True), bool):
            faults.add(f"{where}.{key}: {section[key]!r} is not true or false")
    if "variation_after" in section:
        _number(_valued(section["variation_after"], f"{where}.variation_after", faults), f"{where}.variation_after", faults, 0)
    if "orders" in section and _number(section["orders"], f"{where}.orders", faults, 2, 50) and section["orders"] % 1:
        faults.add(f"{where}.orders: {section['orders']!r} is not a whole number")
    limits = section.get("limits", [])
    if not isinstance(limits, list):
        faults.add(f"{where}.limits: expected a list of tables such as {{ share = 95, low = -10, high = 10 }}")
        return
    lists = quantity != "rvc" and _KNOWN[quantity].dtype == "orders"
    good = [
        (limit.get("order"), limit["share"] >= 100)
        for k, limit in enumerate(limits)
        if _check_limit(limit, f"{where}.limits[{k}]", faults, lists=lists, curve=quantity == "MSV")
    ]
    if len(set(good)) < len(good):
        faults.add(f"{where}.limits: at most one limit for a share and one for 100 %, of each order")


def _check_limit(limit: Any, where: str, faults: Faults, *, lists: bool, curve: bool) -> bool:
    if not isinstance(limit, Mapping):
        faults.add(f"{where}: expected a table such as {{ share = 95, low = -10, high = 10 }}")
        return False
    good = True
    for key in sorted(set(limit) - _LIMIT):
        faults.add(f"{where}.{key}: no such key, expected {', '.join(sorted(_LIMIT))}")
        good = False
    if "share" not in limit:
        faults.add(f"{where}.share: missing, expected the % of values that have to be within")
        good = False
    else:
        good &= _number(limit["share"], f"{where}.share", faults, 0, 100)
    if "low" not in limit and "high" not in limit:
        faults.add(f"{where}: neither low nor high")
        return False
    if "low" in limit:
        good &= _number(limit["low"], f"{where}.low", faults)
    if "high" in limit and not (curve and isinstance(limit["high"], list)):
        good &= _number(limit["high"], f"{where}.high", faults)
    elif isinstance(limit.get("high"), list):
        good &= _check_curve(limit["high"], f"{where}.high", faults)
    if good and "low" in limit and "high" in limit and limit["low"] >= limit["high"]:
        faults.add(f"{where}: low {limit['low']!r} is not below high {limit['high']!r}")
        good = False
    if lists != ("order" in limit):
        faults.add(f"{where}.order: {'missing, expected the order of the harmonic' if lists else 'only harmonics have orders'}")
        good = False
    elif lists:
        order = limit["order"]
        if isinstance(order, bool) or not isinstance(order, int) or not 2 <= order <= 50:
            faults.add(f"{where}.order: {order!r} is not an order from 2 to 50")
            good = False
    if not isinstance(limit.get("source", ""), str):
        faults.add(f"{where}.source: {limit['source']!r} is not a text")
        good = False
    return good


def _check_curve(points: list[Any], where: str, faults: Faults) -> bool:
    pairs = all(
        isinstance(p, list) and len(p) == 2 and all(isinstance(v, int | float) and not isinstance(v, bool) and v > 0 for v in p) for p in points
    )
    if not points or not pairs or sorted({p[0] for p in points}) != [p[0] for p in points]:
        faults.add(f"{where}: expected pairs of Hz and limit, the Hz rising")
        return False
    return True
