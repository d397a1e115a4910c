"""Every reading a meter can give, from where its registers and its last second stand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from .demand import summed
from .machine import Machine
from .obis import REGISTERS, Definition, Form
from .readings import Reading

__all__ = ["readings"]


def readings(machine: Machine, side: str, errors: int = 0) -> list[Reading]:
    """Readings with a value, in the order of the table of readings.

    Parameters
    ----------
    machine : Machine
    side : {"primary", "secondary"}
        On which energies, demands, powers and currents stand.
    errors : int
        The error register.
    """
    energies = set(machine.registers.names())
    values = _demands(machine, side) | _various(machine, errors)
    found = []
    for d in REGISTERS:
        if (d.energy and d.energy not in energies) or (d.tariff and not machine.uses_tariffs):
            continue
        if d.form is Form.ENERGY:
            if d.name in energies:
                units = machine.registers.value(d.name, side)
                found.append(Reading(d.obis, d.name, units / 3_600_000, d.unit, side, machine.now_ns, units))
        else:
            found += _other(machine, d, side, values)
    return found


def _other(machine: Machine, d: Definition, side: str, values: Mapping[str, Any]) -> Iterator[Reading]:
    if d.name in values:
        value, t_ns = values[d.name]
        of_side = side if d.form in (Form.MAXIMUM, Form.POWER) else ""
        yield Reading(d.obis, d.name, value, d.unit or _pulse_unit(machine, d), of_side, t_ns)
    elif d.form in (Form.POWER, Form.VOLTAGE, Form.CURRENT, Form.FACTOR, Form.FREQUENCY):
        momentary = _momentary(machine, d.name)
        if momentary is not None:
            sided = d.form in (Form.POWER, Form.CURRENT)
            factor = machine.registers.ratio if sided and side == "primary" else 1
            yield Reading(d.obis, d.name, momentary * factor, d.unit, side if sided else "", machine.now_ns)


def _pulse_unit(machine: Machine, d: Definition) -> str:
    return machine.config.pulse_input_unit if d.name == "pulse input" else ""


def _momentary(machine: Machine, name: str) -> float | None:
    """A mean of the last second; powers of one direction are null in the other."""
    if name[0] in "PQS" and name[1:2] in ("+", "-"):
        sign = 1.0 if name[1] == "+" else -1.0
        value = machine.last.get(name[0] + name[2:])
        if value is None or name[0] != "S":
            return None if value is None else max(sign * value, 0.0)
        direction = machine.last.get("P" + name[2:])
        # a tie is import
        return None if direction is None else value if (direction >= 0) == (sign > 0) else 0.0
    return machine.last.get(name)


def _demands(machine: Machine, side: str) -> dict[str, tuple[Any, int | None]]:
    """Maxima, with their times; they are kept on the primary side, by the ratio of their time."""
    maxima, ratio = machine.maxima, machine.registers.ratio
    factor = 1.0 if side == "primary" else 1.0 / ratio
    values: dict[str, tuple[Any, int | None]] = {name: (power * factor, t) for name, (power, t) in maxima.largest.items()}
    values |= {summed(name): (power * factor, None) for name, power in maxima.accumulated.items()}
    if maxima.last is not None:
        values["P+last"] = (maxima.last * factor, None)
    return values


def _various(machine: Machine, errors: int) -> dict[str, tuple[Any, int | None]]:
    now, config = machine.now_ns, machine.config
    values: dict[str, Any] = {
        "hours": machine.watch.supplied_ns / 3.6e12,
        "billing stops": machine.stops.count,
        "P+ threshold": machine.maxima.above,
        "pulse input": machine.pulses_in / config.pulse_input_divisor,
        "ratio": machine.registers.ratio,
        "serial": config.serial,
        "errors": errors,
    }
    if machine.uses_tariffs:
        values["tariff"] = machine.tariff
    if now is not None:
        local = machine.clock.local(now)
        utc = dt.datetime.fromtimestamp(now // 1_000_000_000, dt.UTC)
        values |= {"clock": f"{utc:%Y-%m-%dT%H:%M:%SZ}", "time": f"{local:%H:%M:%S}", "date": f"{local:%Y-%m-%d}"}
    return {name: (value, now) for name, value in values.items()}
