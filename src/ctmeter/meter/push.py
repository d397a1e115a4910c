"""The list a CT meter pushes to its consumer module, and when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import InputError
from .obis import Obis, definition
from .readings import Reading, on_side

__all__ = ["PUSH_ID", "PUSH_LIST", "push", "push_times"]

#: Name of the list, our own: the order is that of a public frame, the numbers are in SI units.
PUSH_ID = "ctmeter_1"
_READINGS = (
    "1.8.0 2.8.0 3.8.0 4.8.0 96.1.0 1.7.0 2.7.0 3.7.0 4.7.0 1.0.0 32.7.0 52.7.0 72.7.0 31.7.0 51.7.0 71.7.0 "
    "21.7.0 41.7.0 61.7.0 33.7.0 53.7.0 73.7.0 13.7.0 22.7.0 42.7.0 62.7.0 22.8.0 42.8.0 62.8.0 21.8.0 41.8.0 61.8.0"
)
#: Meter number and clock have codes of their own there.
_PUSHED = {"96.1.0": "1.1.0.0.1.255", "1.0.0": "0.1.1.0.0.255"}

#: The pushed codes, with B = 1, each with the code of the reading behind it, in the order seen in a public
#: frame of a CT meter: a structure of 65 elements, the name of the list and then code and value in turn.
PUSH_LIST: tuple[tuple[str, str], ...] = tuple((_PUSHED.get(c, f"1.1.{c}.255"), str(Obis.parse(c))) for c in _READINGS.split())


def push(readings: Iterable[Reading], *, side: str = "primary") -> dict[str, Any]:
    """One pushed frame, for JSON: the name of the list and its values in order.

    A reading that is not there is null, so that the place of the others does not change.

    Parameters
    ----------
    side : {"primary", "secondary"}
        Which to take where there are both.
    """
    have = {r.obis: r.to_dict() for r in on_side(readings, side)}
    values = []
    for pushed, code in PUSH_LIST:
        known = definition(code)
        r = have.get(code, {"value": None, "unit": known.unit if known else "", "side": None})
        values.append({"obis": pushed, "value": r["value"], "unit": r["unit"], "side": r["side"]})
    return {"list": PUSH_ID, "values": values}


def push_times(start_ns: int, end_ns: int, every_s: int = 10) -> Iterator[int]:
    """When frames are pushed in [start_ns, end_ns): at whole multiples of the interval, UTC.

    Parameters
    ----------
    every_s : int
        Interval in s, at least 1.

    Raises
    ------
    InputError
        The interval is shorter than 1 s.
    """
    if every_s < 1:
        raise InputError(f"push every {every_s!r} s", expected="at least 1 s")
    step = every_s * 1_000_000_000
    yield from range(-(-start_ns // step) * step, end_ns, step)
