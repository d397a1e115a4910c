"""What happened beside the recordings, as a CSV file: tampering, alarms, tariffs by register, billing stops, pulses."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from ..errors import InputError
from ..recording import nanoseconds
from .config import MeterConfig
from .inputs import Change

__all__ = ["COLUMNS", "read_events"]

COLUMNS = ("time", "kind", "value")
#: What may stand as a value, by kind; the first entry where nothing stands there.
_EDGES = {"": 1, "begin": 1, "1": 1, "end": 0, "0": 0}
_VALUES: dict[str, dict[str, int]] = {
    "tamper-cover": _EDGES,
    "tamper-magnetic": _EDGES,
    "alarm": _EDGES,
    "billing-stop": {"": 1, "1": 1},
    "tariff": {"1": 1, "2": 2, "3": 3, "4": 4},
}
_MOST_PULSES = 10**9


def read_events(path: str | os.PathLike[str], config: MeterConfig) -> list[Change]:
    """Events of a CSV file with the columns `time`, `kind` and `value`, in the order of time.

    Parameters
    ----------
    path : path
        UTF-8. Empty lines and lines that begin with # are passed over. `time` is ISO 8601 with its zone; `kind`
        one of tamper-cover, tamper-magnetic, alarm (value begin or end, 1 or 0), tariff (1 to 4), billing-stop
        (no value), pulse (how many).
    config : MeterConfig
        Of the meter that is to take them.

    Raises
    ------
    InputError
        A file that cannot be read, another header, or a line that is no event, or none that this meter listens to; it names the line.
    """
    try:
        text = Path(path).read_text("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", path=path) from None
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8 text", path=path, offset=error.start) from None
    found: list[Change] = []
    header = False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            cells = [c.strip() for c in next(csv.reader([line], strict=True))]
        except csv.Error as error:
            raise InputError(f"not CSV: {error}", path=path, line=number, expected=",".join(COLUMNS)) from None
        if not header:
            if tuple(c.lower() for c in cells) != COLUMNS:
                raise InputError(f"header {line.strip()[:60]!r}", path=path, line=number, expected=",".join(COLUMNS))
            header = True
            continue
        try:
            found.append(_event(cells, config))
        except InputError as error:
            raise InputError(error.problem, path=path, line=number, expected=error.expected) from None
    if not header:
        raise InputError("no lines", path=path, expected=",".join(COLUMNS))
    return sorted(found, key=lambda c: c.t_ns)


def _event(cells: list[str], config: MeterConfig) -> Change:
    if len(cells) not in (2, 3):
        raise InputError(f"{len(cells)} values", expected="time, kind and value")
    time, kind, value = (*cells, "")[:3]
    t_ns = _time(time)
    if kind == "pulse":
        if not value.isascii() or not value.isdigit() or not 0 < int(value) <= _MOST_PULSES:
            raise InputError(f"{value!r} pulses", expected=f"a whole number from 1 to {_MOST_PULSES}")
        return Change(t_ns, kind, int(value))
    if kind not in _VALUES:
        raise InputError(f"kind {kind!r}", expected="one of " + ", ".join((*_VALUES, "pulse")))
    if value not in _VALUES[kind]:
        raise InputError(f"{kind} has the value {value!r}", expected="one of " + ", ".join(v or "nothing" for v in _VALUES[kind]))
    if kind == "tariff" and config.tariff_source != "register":
        raise InputError("a tariff by register", expected=f'a meter with tariff_source "register"; this one has "{config.tariff_source}"')
    if kind == "alarm" and not config.alarm_input:
        raise InputError("an alarm", expected="a meter that hears its alarm input (alarm_input, Z8)")
    return Change(t_ns, kind, _VALUES[kind][value])


def _time(text: str) -> int:
    expected = "an ISO 8601 time with its zone, such as 2026-01-01T00:00:00Z"
    # a time without a zone would be taken as UTC, which is what nobody who writes local time means
    if not (text.endswith("Z") or "+" in text[10:] or "-" in text[10:]):
        raise InputError(f"time {text[:40]!r}", expected=expected)
    try:
        t_ns = nanoseconds(text)
    except InputError:
        t_ns = None
    if t_ns is None:
        raise InputError(f"time {text[:40]!r}", expected=expected)
    return t_ns
