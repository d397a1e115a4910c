"""Which settings a recording is measured with: those of all, and those of the rules that match it."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError, SettingsError
from ..recording import positive_rate
from ..settings import Settings, layered, read_table, read_toml, unknown

__all__ = ["Match", "Rules", "load"]

#: What a rule matches by, and what it says beside settings.
_BY, _SAYS = ("path", "station", "device"), ("site", "rate")
#: Of the table `batch`.
_BATCH = ("tables", "edition", "level", "limits")
#: Tables that are kept when asked for; the others of the data set always are.
ON_REQUEST = ("3s", "basic")


@dataclass(frozen=True)
class Match:
    """A rule.

    Parameters
    ----------
    name : str
        For messages.
    by : mapping of "path", "station" or "device" to pattern
        All of them must fit; `*` stands for anything, "/" too.
    settings : mapping
    site : str
        The name of the site; "" where the rule says none.
    rate : float or None
        Hz.
    """

    name: str
    by: Mapping[str, str]
    settings: Mapping[str, Any]
    site: str = ""
    rate: float | None = None

    def fits(self, **facts: str) -> bool:
        """Whether a recording of which so much is known is meant; of what is not known yet nothing may be asked."""
        return all(key in facts and fnmatch.fnmatchcase(facts[key], pattern) for key, pattern in self.by.items())


@dataclass(frozen=True)
class Rules:
    """Everything that says how recordings are measured and what is kept.

    Parameters
    ----------
    base : mapping
        Settings of every recording.
    matches : sequence of Match
        Later ones win.
    environment, overrides : mapping
        Settings that win over all rules.
    rate : float or None
        Sample rate of files that do not say it, Hz.
    tables : tuple of str
        Those of `ON_REQUEST` that are kept.
    assessment : mapping
        Keywords for `en50160.assess`: edition, level, limits (those of a file as a mapping).
    """

    base: Mapping[str, Any] = field(default_factory=dict)
    matches: tuple[Match, ...] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    rate: float | None = None
    tables: tuple[str, ...] = ()
    assessment: Mapping[str, Any] = field(default_factory=dict)

    def rate_of(self, path: str) -> float | None:
        """The sample rate that is said of a file, by its path alone, Hz."""
        said = [m.rate for m in self.matches if m.rate is not None and m.fits(path=path)]
        return said[-1] if said else self.rate

    def site_of(self, **facts: str) -> str:
        """The site that the rules name; "" where they name none."""
        said = [m.site for m in self.matches if m.site and m.fits(**facts)]
        return said[-1] if said else ""

    def idle(self, paths: Sequence[str]) -> list[str]:
        """Of rules whose path fits no recording, what is to be said of them."""
        return [
            f"{m.name}: path = {m.by['path']!r} fits no recording"
            for m in self.matches
            if "path" in m.by and not any(fnmatch.fnmatchcase(path, m.by["path"]) for path in paths)
        ]

    def settings(self, below: Sequence[tuple[str, Mapping[str, Any]]], **facts: str) -> Settings:
        """The settings of a recording, on top of what its file and its neighbour say.

        Raises
        ------
        SettingsError
            Faults of any layer.
        """
        chosen = [(m.name, m.settings) for m in self.matches if m.fits(**facts)]
        return layered([*below, ("", self.base), *chosen, ("environment", self.environment), ("", self.overrides)])


def load(
    settings: Settings | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    *,
    overrides: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
    rate: float | None = None,
    tables: Sequence[str] | None = None,
) -> Rules:
    """Rules of settings, a mapping or a TOML file.

    Parameters
    ----------
    settings : Settings, mapping, path of a TOML file or None
        Settings, tables `[[match]]` with patterns for `path`, `station` and `device` and what holds for those that fit
        (settings, `site`, `rate`), and a table `[batch]` with `tables`, `edition`, `level`, `limits`.
    overrides, environment : mapping, optional
        Settings that win.
    rate : float, optional
        Hz.
    tables : sequence of str, optional
        Of `ON_REQUEST`.

    Raises
    ------
    SettingsError
        It names every fault.
    """
    where = ""
    options: dict[str, Any] = {}
    if isinstance(settings, Settings):
        values = settings.given()
    elif settings is None:
        values = {}
    elif isinstance(settings, Mapping):
        values = dict(settings)
        options = {k: values.pop(k) for k in ("rate", "from", "to") if k in values}
    elif isinstance(settings, str | os.PathLike):
        where = f"{os.fspath(settings)}: "
        values, options = read_toml(settings)
        values["batch"] = {**{k: options[k] for k in _BATCH if k in options}, **(read_table(settings, "batch") or {})}
    else:
        raise SettingsError(f"settings: {settings!r}, expected Settings, a mapping or the path of a TOML file")
    faults = [f"{where}{key}: recordings are measured from their first to their last sample" for key in ("from", "to") if key in options]
    said, about = _list(values.pop("match", []), where, faults), values.pop("batch", {})
    matches = tuple(_match(rule, f"{where}match {k}", faults) for k, rule in enumerate(said, 1))
    assessment = _about(about, where, faults)
    wanted = _tables(assessment.pop("tables", ()) if tables is None else tables, where, faults)
    assessment.pop("tables", None)
    _judge(assessment, where, faults)
    for layer in ((where.removesuffix(": "), values), ("environment", environment or {}), ("", overrides or {})):
        try:
            layered([layer])
        except SettingsError as error:
            faults += error.faults
    given = rate if rate is not None else options.get("rate")
    checked = _rate(given, f"{where}rate", faults)
    if faults:
        raise SettingsError(faults)
    return Rules(values, matches, environment or {}, overrides or {}, checked, wanted, assessment)


def _list(given: Any, where: str, faults: list[str]) -> list[Mapping[str, Any]]:
    if isinstance(given, list) and all(isinstance(rule, Mapping) for rule in given):
        return given
    faults.append(f"{where}match: expected tables [[match]]")
    return []


def _match(rule: Mapping[str, Any], name: str, faults: list[str]) -> Match:
    by = {key: rule[key] for key in _BY if key in rule}
    values = {k: v for k, v in rule.items() if k not in (*_BY, *_SAYS)}
    faults += [f"{name}: {key}: {v!r}, expected a pattern such as north/*" for key, v in by.items() if not isinstance(v, str) or not v]
    if not by:
        faults.append(f"{name}: it says not whom it is for, expected path, station or device")
    site = rule.get("site", "")
    if not isinstance(site, str):
        faults.append(f"{name}: site: {site!r}, expected a name")
    if "rate" in rule and set(by) - {"path"}:
        faults.append(f"{name}: rate: it is needed before station and device are known, expected a rule with path alone")
    try:
        layered([(name, values)])
    except SettingsError as error:
        faults += error.faults
    return Match(name, by, values, site, _rate(rule.get("rate"), f"{name}: rate", faults))


def _rate(given: Any, name: str, faults: list[str]) -> float | None:
    try:
        return None if given is None else positive_rate(given)
    except InputError as error:
        faults.append(f"{name}: {given!r}, expected {error.expected}")
        return None


def _about(given: Any, where: str, faults: list[str]) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        faults.append(f"{where}batch: expected a table [batch]")
        return {}
    faults += [f"{where}batch: {unknown(key, _BATCH)}" for key in given if key not in _BATCH]
    return {k: given[k] for k in _BATCH if k in given}


def _judge(assessment: dict[str, Any], where: str, faults: list[str]) -> None:
    """Check how sites are judged, and have the limits of a file as a mapping, which workers need no file for."""
    from .. import en50160

    try:
        en50160.load_limits(assessment.get("edition"), assessment.get("level", "LV"), assessment.get("limits"))
        if isinstance(assessment.get("limits"), str | os.PathLike):
            assessment["limits"] = en50160.read_limits(assessment["limits"])
    except SettingsError as error:
        faults += [f"{where}batch: {fault}" for fault in error.faults]
    except TypeError:
        faults.append(f"{where}batch: edition, level, limits: expected texts")


def _tables(given: Any, where: str, faults: list[str]) -> tuple[str, ...]:
    if isinstance(given, str) or not all(t in ON_REQUEST for t in given):
        faults.append(f"{where}batch.tables: {given!r}, expected some of {', '.join(ON_REQUEST)}")
        return ()
    return tuple(t for t in ON_REQUEST if t in given)
