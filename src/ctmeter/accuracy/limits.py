"""Limits of error as data: tables in TOML, each number with where it is known from; users replace and extend them.

References
----------
EN 50470-3:2006
IEC 62053-21:2003
IEC 62053-22:2003
IEC 62053-23:2003
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import SettingsError
from .limit_faults import faults_of_bands, faults_of_classes, faults_of_rows
from .limit_rows import Band, Class, Row

__all__ = ["EXPRESSION", "Limits", "standard_limits"]

#: A current of the tables: a factor, a current of the range, and perhaps a division.
EXPRESSION = re.compile(r"(?:(?P<factor>\d+(?:\.\d+)?) )?(?P<symbol>Ist|Imin|Itr|In|Imax)(?P<root>/sqrt2)?")
ENERGIES, CONNECTIONS, LOADS = ("active", "reactive"), ("transformer", "direct"), ("balanced", "single")
#: Lists of currents: of load curves, of those under single-phase load, of composite errors.
CURVES = (*CONNECTIONS, "single", "composite")
_SYMBOLS = ("itr", "imin", "ist", "imax")
_KEYS = {
    "quantity", "standard", "energy", "connection", "load", "factors", "on_request", "from", "below", "to", "at", "band", "percent", "tag",
}  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """Every class, band and limit there is.

    Parameters
    ----------
    classes : mapping of (energy, name) to Class
    bands : tuple of Band
    rows : tuple of Row
    curve : mapping of name to tuple of expressions
        Currents of load curves: of meters on transformers, direct ones, under single-phase load, for composite errors.
    """

    classes: Mapping[tuple[str, str], Class]
    bands: tuple[Band, ...]
    rows: tuple[Row, ...]
    curve: Mapping[str, tuple[str, ...]]

    def names(self, energy: str = "active") -> tuple[str, ...]:
        """The classes there are."""
        return tuple(name for e, name in self.classes if e == energy)

    def of_quantity(self, quantity: str, energy: str, name: str, connection: str) -> tuple[Row, ...]:
        """The rows that say something of a quantity for a class."""
        standard = self.classes[energy, name].mpe if quantity == "mpe" else self.classes[energy, name].standard
        return tuple(
            r
            for r in self.rows
            if (r.quantity, r.energy, r.standard) == (quantity, energy, standard) and r.connection in ("any", connection) and name in r.percent
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None) -> Limits:
        """The tables of the package, with those of a file replacing and extending them.

        Raises
        ------
        SettingsError
            A file that cannot be read, or is faulty; it names every fault.
        """
        standard = standard_limits()
        if path is None:
            return standard
        name = os.fspath(path)
        try:
            values = tomllib.loads(Path(path).read_text("utf-8-sig"))
        except OSError as error:
            raise SettingsError(f"{name}: cannot be read: {error.strerror or error}") from None
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"{name}: is not TOML: {error}") from None
        return standard.extended(values, name)

    def extended(self, values: Mapping[str, Any], where: str = "limits") -> Limits:
        """These with further tables, whose rows replace those of the same conditions.

        Raises
        ------
        SettingsError
            It names every fault.
        """
        reader = _Reader(where)
        classes = {(c.energy, c.name): c for c in reader.each(values, "class", reader.read_class)}
        bands = {b.name: b for b in reader.each(values, "band", reader.read_band)}
        rows = list(reader.each(values, "limit", reader.read_row))
        curve = reader.read_curve(values.get("curve", {}))
        unknown = set(values) - {"class", "band", "limit", "curve"}
        reader.faults += [f"{where}: {key}: no such table, expected class, curve, band or limit" for key in sorted(unknown)]
        reader.faults += faults_of_classes(where, classes.values())
        reader.faults += faults_of_bands(where, bands.values())
        reader.faults += faults_of_rows(where, rows, {**self.classes, **classes}, {**{b.name: b for b in self.bands}, **bands})
        if reader.faults:
            raise SettingsError(reader.faults)
        return Limits(
            {**self.classes, **classes}, tuple({**{b.name: b for b in self.bands}, **bands}.values()), self._merged(rows), {**self.curve, **curve}
        )

    def _merged(self, rows: Iterable[Row]) -> tuple[Row, ...]:
        merged = {r.key: r for r in self.rows}
        for r in rows:
            old = merged.get(r.key)
            # a row of other classes leaves what the old one says of the rest
            merged[r.key] = r if old is None else replace(r, percent={**old.percent, **r.percent}, tags={**old.tags, **r.tags})
        return tuple(merged.values())


class _Reader:
    """Plain values of TOML to the tables; gathers faults."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.faults: list[str] = []

    def each(self, values: Mapping[str, Any], kind: str, read: Any) -> Iterable[Any]:
        found = values.get(kind, [])
        if not isinstance(found, list) or not all(isinstance(v, Mapping) for v in found):
            self.faults.append(f"{self.where}: {kind}: expected tables [[{kind}]]")
            return
        for number, table in enumerate(found, 1):
            self.place = f"{self.where}: {kind} {number}"
            before = len(self.faults)
            try:
                made = read(table)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                self.faults.append(f"{self.place}: {f'{error.args[0]} is missing' if isinstance(error, KeyError) else error}")
                continue
            if len(self.faults) == before:
                yield made

    def current(self, name: str, text: Any) -> str:
        if not isinstance(text, str) or not EXPRESSION.fullmatch(text):
            self.faults.append(f"{self.place}: {name}: {text!r} is no current, expected such as 'Imin' or '0.05 In'")
            return "In"
        return text

    def choice(self, name: str, value: Any, among: tuple[str, ...]) -> str:
        if value not in among:
            self.faults.append(f"{self.place}: {name}: {value!r}, expected one of {', '.join(among)}")
        return str(value)

    def read_class(self, t: Mapping[str, Any]) -> Class:
        currents, tags = {}, {}
        for symbol in _SYMBOLS:
            table = t.get(symbol, {})
            if not isinstance(table, Mapping):
                self.faults.append(f"{self.place}: {symbol}: {table!r}, expected such as {{ transformer = '0.05 In', tag = 'own' }}")
                continue
            for connection in CONNECTIONS:
                if connection in table:
                    currents[symbol, connection] = self.current(f"{symbol}.{connection}", table[connection])
                    tag = table["tag"]
                    tags[symbol, connection] = tag if isinstance(tag, str) else tag[connection]
        energy = self.choice("energy", t["energy"], ENERGIES)
        return Class(t["name"], energy, t["standard"], currents, tags, t.get("reactive", ""), t.get("mpe", ""), dict(t.get("no_load", {})))

    def read_curve(self, table: Any) -> dict[str, tuple[str, ...]]:
        if not isinstance(table, Mapping):
            self.faults.append(f"{self.where}: curve: expected a table")
            return {}
        found: dict[str, tuple[str, ...]] = {}
        for key, value in table.items():
            if key == "tag":
                continue
            if key not in CURVES:
                self.faults.append(f"{self.where}: curve.{key}: no such key, expected {', '.join(CURVES)}")
            elif not isinstance(value, list) or not value:
                self.faults.append(f"{self.where}: curve.{key}: expected a list of currents")
            else:
                self.faults += [f"{self.where}: curve.{key}: {e!r} is no current" for e in value if not EXPRESSION.fullmatch(str(e))]
                found[key] = tuple(str(e) for e in value)
        return found

    def read_band(self, t: Mapping[str, Any]) -> Band:
        return Band(t["name"], tuple(float(x) for x in t["temperatures"]))

    def read_row(self, t: Mapping[str, Any]) -> Row:
        self.faults += [f"{self.place}: {key}: no such key" for key in t if key not in _KEYS]
        missing = [key for key in ("quantity", "standard", "percent", "tag") if key not in t]
        if missing:
            raise ValueError(f"{', '.join(missing)} is missing")
        low = self.current("from", t.get("from", t.get("at")))
        high = self.current("to", t.get("to", t.get("below", t.get("at"))))
        percent = {str(k): float(v) for k, v in t["percent"].items()}
        self.faults += [f"{self.place}: percent: {v:g} for class {k}, expected more than 0" for k, v in percent.items() if not 0 < v < 1e3]
        tag = t["tag"]
        tags = {k: tag if isinstance(tag, str) else str(tag[k]) for k in percent}
        return Row(
            str(t["quantity"]),
            str(t["standard"]),
            self.choice("energy", t.get("energy", "active"), ENERGIES),
            self.choice("connection", t.get("connection", "any"), (*CONNECTIONS, "any")),
            self.choice("load", t.get("load", "balanced"), LOADS),
            tuple(str(f) for f in t.get("factors", ())),
            low,
            high,
            "below" not in t,
            str(t.get("band", "")),
            bool(t.get("on_request", False)),
            percent,
            tags,
        )


@lru_cache(maxsize=1)
def standard_limits() -> Limits:
    """The tables of the package."""
    text = (Path(__file__).parent / "limits.toml").read_text("utf-8")
    return Limits({}, (), (), {}).extended(tomllib.loads(text), "limits.toml")
