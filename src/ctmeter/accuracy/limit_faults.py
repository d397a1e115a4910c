"""What of tables of limits cannot be meant: rows that would never hold, classes whose currents cannot be worked out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from .limit_rows import Band, Class, Row

__all__ = ["NO_LOAD_RULES", "QUANTITIES", "faults_of_bands", "faults_of_classes", "faults_of_rows"]

#: What a row may limit.
QUANTITIES = (
    "error", "difference", "mpe", "voltage", "voltage-wide", "frequency", "temperature", "sequence", "unbalance", "harmonic", "odd-harmonics",
    "sub-harmonics", "dc",
)  # fmt: skip
#: How the time of a no-load test is worked out.
NO_LOAD_RULES = ("EN 50470-3", "IEC 62053 edition 1")
_FACTOR = re.compile(r"1|0\.\d*[1-9] (ind|cap)")
_SYMBOL = re.compile(r"Ist|Imin|Itr|Imax")
_CURRENTS = ("itr", "imin", "ist", "imax")


def faults_of_rows(where: str, rows: Iterable[Row], classes: Mapping[tuple[str, str], Class], bands: Iterable[str]) -> Iterator[str]:
    """Rows that no meter would be judged by.

    Parameters
    ----------
    where : str
        The file in a message.
    rows : iterable of Row
    classes : mapping of (energy, name) to Class
        All there are, those of the package too.
    bands : iterable of str
    """
    names = tuple(bands)
    for row in rows:
        place = f"{where}: a row of {row.quantity}"
        if row.quantity not in QUANTITIES:
            yield f"{place}: no such quantity, expected one of {', '.join(QUANTITIES)}"
        yield from (f"{place}: factor {f!r}, expected such as '1' or '0.5 ind'" for f in row.factors if not _FACTOR.fullmatch(f))
        if row.quantity == "mpe" and row.band not in names:
            yield f"{place}: band {row.band!r}, expected one of {', '.join(names)}"
        elif row.quantity != "mpe" and row.band:
            yield f"{place}: band {row.band!r}, only maximum permissible errors (mpe) have bands"
        for name in row.percent:
            known = classes.get((row.energy, name))
            if known is None:
                yield f"{place} has class {name!r}, which is none"
                continue
            standard = known.mpe if row.quantity == "mpe" else known.standard
            if row.standard != standard:
                yield f"{place} of {row.standard!r} has class {name}, whose limits are those of {standard!r}"


def faults_of_classes(where: str, classes: Iterable[Class]) -> Iterator[str]:
    """Classes whose currents, or whose no-load test, cannot be worked out."""
    for c in classes:
        place = f"{where}: class {c.name}"
        connections = dict.fromkeys(connection for _, connection in c.currents)
        if c.energy == "active" and not connections:
            yield f"{place}: has no currents, expected {', '.join(_CURRENTS)}"
        for connection in connections:
            there = {symbol: text for (symbol, at), text in c.currents.items() if at == connection}
            missing = [s for s in _CURRENTS if s not in there]
            if missing and c.energy == "active":
                yield f"{place}: {', '.join(missing)} is missing for {connection} meters"
            turning = [s for s in there if _turns(s, there)]
            if turning:
                yield f"{place}: {', '.join(turning)} of {connection} meters stand on each other, expected currents that lead to In"
        if c.no_load:
            if c.no_load.get("rule") not in NO_LOAD_RULES:
                yield f"{place}: no_load.rule: {c.no_load.get('rule')!r}, expected {' or '.join(NO_LOAD_RULES)}"
            n = c.no_load.get("n")
            if isinstance(n, bool) or not isinstance(n, (int, float)) or not 0 < n < 1e6:
                yield f"{place}: no_load.n: {n!r}, expected a number above 0"


def _turns(symbol: str, currents: Mapping[str, str]) -> bool:
    """Whether a current leads back to itself."""
    seen = set()
    while symbol not in seen:
        seen.add(symbol)
        found = _SYMBOL.search(currents.get(symbol, ""))
        if found is None:
            return False
        symbol = found[0].lower()
    return True


def faults_of_bands(where: str, bands: Iterable[Band]) -> Iterator[str]:
    """Bands without a temperature."""
    for b in bands:
        if not b.temperatures or not all(-100 <= t <= 200 for t in b.temperatures):
            yield f"{where}: band {b.name}: temperatures {list(b.temperatures)}, expected at least one from -100 to 200 °C"
