"""What tables of limits are made of: classes, temperature bands, rows, and the limit that holds at a point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Band", "Class", "Limit", "Row"]


@dataclass(frozen=True)
class Class:
    """An accuracy class: its currents, and what goes with it.

    Parameters
    ----------
    name, energy, standard : str
    currents : mapping of (symbol, connection) to expression
        Symbols itr, imin, ist, imax.
    tags : mapping of (symbol, connection) to provenance
    reactive : str
        The reactive class that goes with an active one, "" where none is named.
    mpe : str
        The standard of its maximum permissible errors, "" where there is none.
    no_load : mapping
        `rule` and `n` of the duration of the no-load test; empty where none is known.
    """

    name: str
    energy: str
    standard: str
    currents: Mapping[tuple[str, str], str]
    tags: Mapping[tuple[str, str], str]
    reactive: str
    mpe: str
    no_load: Mapping[str, Any]


@dataclass(frozen=True)
class Band:
    """A temperature band with the temperatures, degrees C, at which it is examined."""

    name: str
    temperatures: tuple[float, ...]


@dataclass(frozen=True)
class Row:
    """The limits of one condition: a percentage for each class.

    Parameters
    ----------
    quantity : str
        "error", "difference", "mpe", or an influence such as "voltage".
    standard, energy : str
    connection : str
        "transformer", "direct", or "any".
    load : str
        "balanced" or "single".
    factors : tuple of str
        Power factors such as "0.5 ind" (of reactive energy sin phi); empty for all.
    low, high : str
        Expressions of the range's ends.
    closed : bool
        Whether `high` belongs to it.
    band : str
    on_request : bool
    percent, tags : mapping of class name
    """

    quantity: str
    standard: str
    energy: str
    connection: str
    load: str
    factors: tuple[str, ...]
    low: str
    high: str
    closed: bool
    band: str
    on_request: bool
    percent: Mapping[str, float]
    tags: Mapping[str, str]

    @property
    def key(self) -> tuple[Any, ...]:
        """What a row of another table must share to replace this one."""
        return (
            self.quantity, self.standard, self.energy, self.connection, self.load, self.factors, self.low, self.high, self.closed, self.band,
        )  # fmt: skip


@dataclass(frozen=True)
class Limit:
    """A limit that holds at a point, %, (temperature: %/K) and where it is known from."""

    percent: float
    standard: str
    tag: str
