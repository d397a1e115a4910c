"""What ctmeter's own writers say of a recording in JSON: channels, segments, gaps. Never trusted further than it makes sense."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from ..errors import InputError
from ..recording import LOWEST_RATE, Channel, Gap, Segment

__all__ = ["Description", "parse"]

_MAX_BYTES = 8 << 20


class Description:
    """The parsed description; see `parse`."""

    def __init__(self, given: Mapping[str, Any], rows: int) -> None:
        self.nominal_frequency = _positive(given.get("nominal_frequency"))
        self.channels = tuple(_channel(c) for c in _list(given, "channels"))
        self.segments = tuple(_segment(s) for s in _list(given, "segments"))
        self.gaps = tuple((int(row), Gap(int(n), str(why)[:200])) for row, n, why in _list(given, "gaps"))
        edge = 0
        for s in self.segments:
            if s.start != edge or s.stop < s.start:
                raise ValueError("segments do not follow each other")
            edge = s.stop
        if edge != rows:
            raise ValueError(f"segments of {edge} rows for {rows} rows of data")
        before = -1
        for row, gap in self.gaps:
            if not before < row <= rows or gap.samples > 10**15:
                raise ValueError("gaps out of order or beyond the data")
            before = row


def parse(text: bytes | str, rows: int, width: int) -> Description:
    """Parse and check a description.

    Parameters
    ----------
    text : bytes or str
        JSON.
    rows, width : int
        Of the data it stands beside.

    Raises
    ------
    ValueError
        Anything in it that is not what the writers write or does not fit the data.
    """
    if len(text) > _MAX_BYTES:
        raise ValueError("too long")
    try:
        found = Description(json.loads(text), rows)
    except (TypeError, KeyError, AttributeError, OverflowError, RecursionError, InputError) as error:
        raise ValueError(str(error)) from None
    if len(found.channels) != width:
        raise ValueError(f"{len(found.channels)} channels for {width} columns of data")
    return found


def _list(given: Mapping[str, Any], key: str) -> list[Any]:
    value = given.get(key, [])
    if not isinstance(value, list):
        raise ValueError(f"{key} is no list")
    return value


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is not finite")
    return number


def _positive(value: Any) -> float | None:
    return None if value is None or not _finite(value) > 0 else float(value)


def _channel(given: Mapping[str, Any]) -> Channel:
    limits = given.get("range")
    ratio = _finite(given.get("ratio", 1.0))
    if ratio <= 0:
        raise ValueError("a ratio that is not positive")
    side = given.get("side")
    return Channel(
        str(given["name"])[:256],
        scale=_finite(given.get("scale", 1.0)),
        offset=_finite(given.get("offset", 0.0)),
        unit=str(given.get("unit", ""))[:32],
        phase=str(given.get("phase", ""))[:64],
        ratio=ratio,
        side=side if side in ("primary", "secondary") else None,
        skew=_finite(given.get("skew", 0.0)),
        range=None if limits is None else (_finite(limits[0]), _finite(limits[1])),
        missing=None if given.get("missing") is None else _finite(given["missing"]),
    )


def _segment(given: Mapping[str, Any]) -> Segment:
    rate = _finite(given["sample_rate"])
    if not LOWEST_RATE <= rate < 1e9:
        raise ValueError("a sample rate that is none")
    start = given.get("start_ns")
    if start is not None and not -(2**63) <= int(start) < 2**63:
        raise ValueError("a start out of range")
    return Segment(int(given["start"]), int(given["stop"]), rate, None if start is None else int(start), str(given.get("excluded", ""))[:200])
