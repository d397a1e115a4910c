"""Limits as data: those of an edition and a voltage level, overlaid by a user's own.

The numbers stand in TOML files beside this module, each with its provenance; a user's file has the same form
and replaces or extends them. Nothing here knows a limit by itself.

References
----------
EN 50160:2010
"""

from __future__ import annotations

import copy
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors import SettingsError
from ._checks import Faults, check_document

__all__ = ["DEFAULT_EDITION", "EDITIONS", "LEVELS", "Events", "Limit", "Limits", "Parameter", "load_limits", "read_limits"]

#: The editions that come with the package; the first is the default.
EDITIONS = ("2010", "2022", "1999")
DEFAULT_EDITION = EDITIONS[0]
LEVELS = ("LV", "MV")
#: What excludes an interval where a parameter does not say otherwise.
INVALID = ("dip", "swell", "interruption", "gap", "saturated", "not-finite", "no-lock", "incomplete")
#: Length of the periods, s.
PERIODS = {"day": 86_400, "week": 604_800, "year": 31_536_000}


@dataclass(frozen=True)
class Limit:
    """One limit of a parameter.

    Parameters
    ----------
    share : float
        % of the values that have to be within; 100 is always.
    low, high : float or None
        % of the reference, or in the quantity's own unit where there is none.
    source : str
        S:..., C:..., M:... (from memory, unverified) or "user".
    order : int, optional
        Of a harmonic.
    curve : tuple of (float, float)
        Where `high` depends on the signalling frequency: Hz and limit.
    """

    share: float
    low: float | None
    high: float | None
    source: str
    order: int | None = None
    curve: tuple[tuple[float, float], ...] = ()

    @property
    def verified(self) -> bool:
        """Whether the number was seen in a source or is the user's own."""
        return not self.source.startswith("M")

    @property
    def always(self) -> bool:
        """Whether all values have to be within."""
        return self.share >= 100

    def at(self, frequency: float) -> Limit:
        """The limit at a signalling frequency, Hz: linear in the logarithm of the frequency; beyond the curve that of its end."""
        if not self.curve:
            return self
        points = self.curve
        value = points[0][1] if frequency <= points[0][0] else points[-1][1]
        for (f0, v0), (f1, v1) in pairwise(points):
            if f0 < frequency <= f1:
                value = v0 + (v1 - v0) * math.log(frequency / f0) / math.log(f1 / f0)
        return Limit(self.share, None, value, self.source, self.order)


@dataclass(frozen=True)
class Parameter:
    """What is judged, on which values, over which period.

    Parameters
    ----------
    quantity : str
        Name of the quantity without its phase.
    table : str
        Where its values stand.
    period : {"day", "week", "year"}
        Over which the shares are taken.
    of : {"Un", "fn", "U1", "1"}
        What the limits are % of; "1": they are in the quantity's own unit.
    limits : tuple of Limit
    invalid : frozenset of str
        Flags that exclude an interval.
    indicative : bool
        Whether the standard only says what is usual; then it never decides the whole.
    orders : int or None
        Orders a distortion must have to be a pass.
    variation_after : float or None
        Length, s, above which a dip or swell is a variation of the supply voltage, whose intervals count.
    whole_despite : frozenset of str
        Flags with which an incomplete interval counts all the same.
    """

    quantity: str
    table: str
    period: str
    of: str
    limits: tuple[Limit, ...]
    invalid: frozenset[str]
    indicative: bool = False
    orders: int | None = None
    variation_after: float | None = None
    whole_despite: frozenset[str] = frozenset()

    @property
    def seconds(self) -> int:
        """Length of the period, s."""
        return PERIODS[self.period]

    @property
    def harmonic(self) -> bool:
        """Whether its limits are by order."""
        return any(limit.order is not None for limit in self.limits)


@dataclass(frozen=True)
class Cells:
    """A table of dips or swells: `rows` by voltage, from above, columns by length."""

    shortest: float
    durations: tuple[float, ...]
    rows: tuple[str, ...]
    voltages: tuple[float, ...]
    source: str

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the cells, row by row: A1 A2 ..."""
        return tuple(f"{row}{k}" for row in self.rows for k in range(1, len(self.durations) + 1))

    def column(self, duration: float) -> int:
        """Number of the column, from 1; 0 where it is in none. To the half microsecond, because lengths are rounded sums."""
        if duration < self.shortest - 5e-7:
            return 0
        return next((k for k, longest in enumerate(self.durations, 1) if duration <= longest + 5e-7), 0)


@dataclass(frozen=True)
class Events:
    """How events are counted.

    Parameters
    ----------
    interruption : float
        Threshold in % of the reference voltage.
    short_interruption : float
        Greatest length of a short interruption, s.
    interruption_classes : tuple of float
        Greatest lengths of further classes, s.
    aggregation : float
        Events that start within so many seconds of the first of their kind are one.
    dips, swells : Cells
    sources : mapping of str to str
        Where the numbers come from.
    """

    interruption: float
    short_interruption: float
    interruption_classes: tuple[float, ...]
    aggregation: float
    dips: Cells
    swells: Cells
    sources: Mapping[str, str]


@dataclass(frozen=True)
class Limits:
    """Everything an assessment is measured by.

    Parameters
    ----------
    edition, level, title : str
    island : bool
        No synchronous connection to an interconnected system.
    parameters : mapping of str to Parameter
    events : Events
    valid_share : float
        % of a period's intervals that must be valid for a pass.
    required : tuple of str
        Parameters without which nothing as a whole is a pass.
    sources : mapping of str to str
        Of `valid_share`.
    user : str or None
        Name of the user's own limits.
    """

    edition: str
    level: str
    title: str
    island: bool
    parameters: Mapping[str, Parameter]
    events: Events
    valid_share: float
    required: tuple[str, ...]
    sources: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None

    @property
    def unverified(self) -> tuple[str, ...]:
        """What stands on numbers that were not checked against a source."""
        names = [q for q, p in self.parameters.items() if any(not limit.verified for limit in p.limits)]
        names += [f"events.{k}" for k, s in self.events.sources.items() if s.startswith("M")]
        return (*names, *(k for k, s in self.sources.items() if s.startswith("M")))


def load_limits(
    edition: str | None = None,
    level: str = "LV",
    user: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    *,
    island: bool = False,
) -> Limits:
    """The limits of an edition at a voltage level, overlaid by a user's.

    Parameters
    ----------
    edition : str, optional
        One of `EDITIONS`; where not given, what the user's limits extend, else the default.
    level : {"LV", "MV"}
    user : path of a TOML file, or mapping, optional
    island : bool
        Of networks without synchronous connection to an interconnected system.

    Raises
    ------
    SettingsError
        An unknown edition or level, or faulty limits; it names every fault.

    Examples
    --------
    >>> limits = load_limits("2010", "MV", {"MV": {"U": {"limits": [{"share": 95, "low": -5, "high": 5}]}}})
    >>> limits.parameters["U"].limits[0].source
    'user'
    >>> load_limits().parameters["MSV"].limits[0].at(750.0).high  # between 9 % and 5 %
    6.660...
    """
    faults = Faults()
    own, name = _user(user)
    check_document(own, name, faults, user=True)
    if edition is None:
        edition = own.get("extends", DEFAULT_EDITION)
    if edition not in EDITIONS:
        faults.add(f"edition: {edition!r} is not one of {', '.join(EDITIONS)}")
    if level not in LEVELS:
        faults.add(f"level: {level!r} is not one of {', '.join(LEVELS)}")
    faults.raise_any()
    raw = _edition(str(edition))
    if own:
        _overlay(raw, own, "user")
    limits = _built(raw, str(edition), level, island, name, faults)
    faults.raise_any()
    return limits


def _user(user: Any) -> tuple[dict[str, Any], str | None]:
    if user is None:
        return {}, None
    if isinstance(user, Mapping):
        return copy.deepcopy({k: v for k, v in user.items()}), "limits"
    return read_limits(user), os.fspath(user)


def read_limits(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A user's limits as a file has them, for `load_limits` to judge.

    Parameters
    ----------
    path : path of a TOML file

    Raises
    ------
    SettingsError
        It cannot be read, or is no TOML.
    """
    path = os.fspath(path)
    try:
        return tomllib.loads(Path(path).read_text("utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not UTF-8 text at byte {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not TOML: {error}") from None


def _edition(name: str) -> dict[str, Any]:
    """The document of an edition, on top of the one it extends."""
    own = tomllib.loads(files(__package__).joinpath(f"edition-{name}.toml").read_text("utf-8"))
    if "extends" not in own:
        return own
    raw = _edition(own["extends"])
    if "carried" in own:
        _retag(raw, own["carried"])
    _overlay(raw, own, "M")
    return raw


def _retag(node: Any, source: str) -> None:
    """Another source for every number."""
    if isinstance(node, dict):
        if "source" in node:
            node["source"] = source
        for value in node.values():
            _retag(value, source)
    elif isinstance(node, list):
        for value in node:
            _retag(value, source)


def _overlay(raw: dict[str, Any], own: Mapping[str, Any], source: str) -> None:
    """Put a document over another: limits by order replace those of their order and share, others replace the whole list."""
    for key, value in own.items():
        if key in ("extends", "carried"):
            continue
        if not isinstance(value, Mapping):
            raw[key] = value
        elif key in ("assessment", "events"):
            target = raw.setdefault(key, {})
            for name, entry in value.items():
                if isinstance(entry, Mapping):
                    target[name] = {**target.get(name, {}), "source": source, **entry}
                else:
                    target[name] = entry if name == "required" else {"value": entry, "source": source}
        else:
            level = raw.setdefault(key, {})
            for quantity, section in value.items():
                level[quantity] = _section(_resolved(raw, level.get(quantity, {})), section, source)


def _resolved(raw: Mapping[str, Any], section: Mapping[str, Any]) -> dict[str, Any]:
    """A section, or a copy of the one it is the same as."""
    seen = 0
    while "same" in section and seen < 10:
        level, _, quantity = section["same"].partition(".")
        section, seen = raw[level][quantity], seen + 1
    return copy.deepcopy(dict(section))


def _section(base: dict[str, Any], own: Mapping[str, Any], source: str) -> dict[str, Any]:
    result = {**base, **{k: v for k, v in own.items() if k not in ("limits", "replace")}}
    if "limits" in own:
        new = [{"source": source, **limit} for limit in own["limits"]]
        by_order = not own.get("replace") and new and all("order" in limit for limit in new)
        replaced = {(limit.get("order"), limit["share"]) for limit in new}
        kept = [limit for limit in base.get("limits", ()) if (limit.get("order"), limit["share"]) not in replaced] if by_order else []
        result["limits"] = sorted([*kept, *new], key=lambda limit: (limit.get("order", 0), limit["share"]))
    return result


def _built(raw: Mapping[str, Any], edition: str, level: str, island: bool, user: str | None, faults: Faults) -> Limits:
    sections = {q: _resolved(raw, s) for q, s in raw.get(level, {}).items()}
    if island:
        sections |= {q: _resolved(raw, s) for q, s in raw.get(f"{level}-island", {}).items()}
    where = f"{user}: {level}" if user else level
    parameters = {q: p for q, s in sections.items() if (p := _parameter(q, s, f"{where}.{q}", faults)) is not None}
    assessment, events = raw["assessment"], raw["events"]
    required = tuple(assessment["required"])
    for q in required:
        if q not in sections:
            faults.add(f"{user or edition}: assessment.required: {q} has no limits at {level}")
    simple = {k: v for k, v in events.items() if k not in ("dips", "swells")}
    dips, swells = (Cells(**_tupled(events[k])) for k in ("dips", "swells"))
    sources = {k: v["source"] for k, v in events.items()}
    values = _tupled({k: v["value"] for k, v in simple.items()})
    counted = Events(**values, dips=dips, swells=swells, sources=MappingProxyType(sources))
    return Limits(
        edition, level, raw["title"], island, MappingProxyType(parameters), counted,
        assessment["valid_share"]["value"], required, MappingProxyType({"valid_share": assessment["valid_share"]["source"]}), user,
    )  # fmt: skip


def _tupled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


def _parameter(quantity: str, section: Mapping[str, Any], where: str, faults: Faults) -> Parameter | None:
    missing = [k for k in ("table", "period", "of", "limits") if k not in section]
    if missing:
        faults.add(f"{where}: {', '.join(missing)} missing: a quantity that the edition does not limit needs them")
        return None
    if not section["limits"]:
        return None
    limits = tuple(
        Limit(
            float(limit["share"]),
            limit.get("low"),
            None if isinstance(limit.get("high"), list) else limit.get("high"),
            limit["source"],
            limit.get("order"),
            tuple((float(f), float(v)) for f, v in limit["high"]) if isinstance(limit.get("high"), list) else (),
        )
        for limit in section["limits"]
    )
    after = section.get("variation_after")
    return Parameter(
        quantity,
        section["table"],
        section["period"],
        section["of"],
        limits,
        frozenset(section.get("invalid", INVALID)),
        section.get("indicative", False),
        section.get("orders"),
        after["value"] if isinstance(after, Mapping) else after,
        frozenset(section.get("whole_despite", ())),
    )
