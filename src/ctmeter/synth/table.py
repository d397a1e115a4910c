"""Reading nested settings while collecting every fault."""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Table"]


class Table:
    """A mapping that is read key by key; what is wrong with it goes to a common list of faults.

    Parameters
    ----------
    content : mapping
    path : str
        Where it stands, "" for the top.
    faults : list of str
        Grows by one sentence for each fault.
    """

    def __init__(self, content: Any, path: str, faults: list[str]) -> None:
        self.path = path
        self.faults = faults
        self._known: set[str] = set()
        if not isinstance(content, Mapping):
            self.fault("", f"is {content!r}, not a table")
            content = {}
        self.content = content

    def name(self, key: str) -> str:
        """The full name of a key."""
        return f"{self.path}.{key}" if self.path and key else self.path or key

    def fault(self, key: str, sentence: str) -> None:
        """Note a fault of a key."""
        self.faults.append(f"{self.name(key)} {sentence}")

    def __contains__(self, key: str) -> bool:
        return self.content.get(key) is not None

    def get(self, key: str, default: Any = None) -> Any:
        """The value as it stands."""
        self._known.add(key)
        return self.content.get(key, default)

    def number(self, key: str, default: Any = None, low: float = -1e12, high: float = 1e12, *, above: bool = False, required: bool = False) -> Any:
        """A finite number in [low, high], in (low, high] with `above`; the default where it is absent or wrong."""
        value = self.get(key)
        if value is None:
            if required:
                self.fault(key, "is missing")
            return default
        number = float(value) if isinstance(value, numbers.Real) and not isinstance(value, bool) else math.nan
        if not math.isfinite(number):
            self.fault(key, f"is {value!r}, not a finite number")
        elif number < low or number > high or (above and number == low):
            self.fault(key, f"is {value!r}, not {'above' if above else 'from'} {low:g} {'and at most' if above else 'to'} {high:g}")
        else:
            return number
        return default

    def whole(self, key: str, default: Any = None, low: int = 0, high: int = 2**63, *, required: bool = False) -> Any:
        """An integer in [low, high]."""
        value = self.get(key)
        if value is None:
            if required:
                self.fault(key, "is missing")
            return default
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not low <= int(value) <= high:
            self.fault(key, f"is {value!r}, not a whole number from {low} to {high}")
            return default
        return int(value)

    def choice(self, key: str, options: Sequence[str], default: Any = None) -> Any:
        """One of some words."""
        value = self.get(key)
        if value is None:
            return default
        if value not in options:
            self.fault(key, f"is {value!r}, not one of {', '.join(options)}")
            return default
        return value

    def text(self, key: str, default: str = "") -> str:
        """A text."""
        value = self.get(key, default)
        if not isinstance(value, str):
            self.fault(key, f"is {value!r}, not a text")
            return default
        return value

    def words(self, key: str, options: Sequence[str], default: Sequence[str] | None = None) -> Any:
        """A list of distinct words out of some; a single word may stand without the list."""
        value = self.get(key)
        if value is None:
            return default
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list | tuple) or not value:
            self.fault(key, f"is {value!r}, not a list of some of {', '.join(options)}")
            return default
        wrong = [v for v in value if v not in options]
        if wrong or len(set(value)) < len(value):
            self.fault(key, f"has {', '.join(map(repr, wrong))}, not of {', '.join(options)}" if wrong else "names something twice")
            return default
        return tuple(value)

    def table(self, key: str) -> Table:
        """A table, empty where absent."""
        return Table(self.get(key, {}), self.name(key), self.faults)

    def tables(self, key: str) -> list[Table]:
        """A list of tables; a single one may stand without the list."""
        value = self.get(key, [])
        value = [value] if isinstance(value, Mapping) else value
        if not isinstance(value, list | tuple):
            self.fault(key, f"is {value!r}, not a list of tables")
            return []
        return [Table(v, f"{self.name(key)}[{i}]", self.faults) for i, v in enumerate(value)]

    def ratio(self, default: Any = None, *, high: float = 100.0) -> Any:
        """`ratio`, or `percent` divided by 100; exactly one of them unless there is a default."""
        given = [k for k in ("ratio", "percent") if k in self]
        if len(given) == 2:
            self.fault("", "has both ratio and percent")
        if not given and default is None:
            self.fault("", "has neither ratio nor percent")
        ratio = self.number("ratio", None, 0.0, high)
        percent = self.number("percent", None, 0.0, 100 * high)
        return ratio if ratio is not None else default if percent is None else percent / 100

    def done(self) -> None:
        """Note every key that nobody asked for."""
        for key in self.content:
            if key not in self._known:
                near = difflib.get_close_matches(str(key), sorted(self._known), 1)
                self.fault(str(key), "is unknown" + (f", perhaps {near[0]}" if near else f" (known: {', '.join(sorted(self._known))})"))
