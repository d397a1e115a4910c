"""What a meter shows of itself: as plain values, and on its display."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Protocol

from ..errors import InputError
from ..pipeline.describe import iso
from .billing import RECORD_FIELDS
from .configuring import Opened
from .display import PAGE_NS, Frame, Mode, automatic_page, frame
from .legal import program_hash
from .obis import definition
from .readings import Indicators, Reading
from .registers import roll_overs

__all__ = ["MODES", "Shown", "frames", "page_at", "past", "shown"]

#: The lists of the display, by the words of the command line.
MODES: dict[str, Mode] = {"auto": "automatic", "manual": "manual", "backup": "backup"}
#: Stored periods that a code can name by their number, and the code of the last one.
_NUMBERS, _LAST = 100, 101


class Shown(Opened, Protocol):
    """A meter, as far as showing it needs it."""

    @property
    def side(self) -> str:
        """The side that is shown unless another is asked for."""

    def readings(self, side: str | None = None) -> list[Reading]:
        """Every reading there is."""

    def indicators(self) -> Indicators:
        """The marks of the display."""

    def faults(self) -> list[str]:
        """What makes the error symbol."""


def shown(meter: Shown, side: str) -> dict[str, Any]:
    """`registers`, `indicators`, `clock`, `ratio`, `hash` and what else there is, for JSON."""
    machine, config = meter.machine, meter.config
    now = machine.now_ns
    stamp = None if now is None else machine.clock.stamp(now)
    number, commit = meter.ledger.last_commit
    registers: dict[str, Any] = {}
    for r in meter.readings(side):
        registers[r.obis] = {"name": r.name, "value": r.value, "unit": r.unit, "side": r.side or None, "t": iso(r.t_ns)}
        if r.millijoules is not None:
            registers[r.obis] |= {"millijoules": r.millijoules, "roll_overs": roll_overs(r.millijoules)}
    return {
        "registers": registers,
        "indicators": meter.indicators().to_dict(),
        "clock": {
            "utc": iso(now),
            "local": None if stamp is None else stamp.local.isoformat(),
            "quality": None if stamp is None else stamp.quality.label,
            "utc_offset": config.utc_offset,
            "dst": config.dst,
            "zone": config.zone,
            "ppm": config.clock_ppm,
        },
        "ratio": {
            "value": machine.registers.ratio,
            "locked": config.ratio_locked,
            "epochs": [{"t": iso(e.t_ns), "ratio": e.ratio} for e in machine.registers.epochs],
            "ordered": [{"t": iso(c.t_ns), "ratio": c.value} for c in machine.ordered if c.kind == "ratio"],
        },
        "hash": {"program": program_hash(), "store": meter.ledger.content_hash(), "commit": commit, "commits": number},
        "unregistered": machine.registers.unregistered(),
        "faults": meter.faults(),
        "type": config.type_code,
        "serial": config.serial,
        "site": config.site,
    }


def past(meter: Shown) -> list[Reading]:
    """Readings of past billing periods, by both of their codes.

    `*00` to `*99` is the number of the stop that ended the period, modulo 100; `*101` is the last period, `*102`
    the one before it. Energies and powers are those of the primary side.

    References
    ----------
    IEC 62056-61:2006
    """
    rows = meter.ledger.rows("billing", columns=["stop", "record"])
    fields = {f.name: f for f in RECORD_FIELDS if f.kind not in ("stamp", "time")}
    found: dict[str, Reading] = {}
    for back, (stop, text) in enumerate(reversed(rows[-_NUMBERS:])):
        values = json.loads(text)
        for name, f in fields.items():
            value = values.get(name)
            if value is None:
                continue
            exact = int(value) if f.kind == "energy" else None
            side = meter.side if f.kind in ("energy", "power") else ""
            known = definition(f.obis)
            unit = meter.config.pulse_input_unit if f.kind == "pulses" else f.unit
            for number in (stop % _NUMBERS, _LAST + back):
                code = f"{f.obis}*{number:02d}"
                reading = Reading(
                    code, known.name if known else name, value if exact is None else exact / 3_600_000, unit, side, values.get(f"{name} RTC"), exact
                )
                found.setdefault(code, reading)
    return list(found.values())


def page_at(meter: Shown, mode: str, seconds: float) -> int:
    """Which item of a list stands on the display after some seconds, from 0.

    Of the automatic list the one that its clock has reached. The other lists go on when the button is pressed, which nobody
    does here: they stand at their first item.

    Raises
    ------
    InputError
        Not a number of seconds from 0 on, or an empty list.
    """
    if not 0 <= seconds < 1e12:
        raise InputError(f"{seconds:g} s", expected="seconds since the display was switched on, from 0")
    items = _items(meter, mode)
    return automatic_page(len(items), int(seconds * 1e9)) if mode == "auto" else 0


def frames(meter: Shown, mode: str, page: int | None = None) -> Iterator[Frame]:
    """The pictures of a list of the display, one after another.

    Parameters
    ----------
    mode : {"auto", "manual", "backup"}
    page : int, optional
        The only one wanted, from 0.

    Raises
    ------
    InputError
        No such page, or an empty list.
    """
    items = _items(meter, mode)
    if page is not None and not 0 <= page < len(items):
        raise InputError(f"page {page + 1} of the {MODES[mode]} list", expected=f"1 to {len(items)}")
    there = meter.readings(meter.side)
    if meter.side == "primary":
        there += meter.readings("secondary")
    if any("*" in item for item in items):
        there += past(meter)
    config = meter.config
    for k in range(len(items)) if page is None else (page,):
        yield frame(items, k, there, meter.indicators(), mode=MODES[mode], decimals=config.decimals, text=config.text, serial=config.serial)


def _items(meter: Shown, mode: str) -> tuple[str, ...]:
    config = meter.config
    items = {"auto": config.display_auto, "manual": config.display_manual, "backup": config.display_backup}[mode]
    if not items:
        raise InputError(f"the {MODES[mode]} list of the display is empty", expected=f"a meter with readings in display_{mode}")
    return items


#: Seconds for which an item of the automatic list stands.
PAGE_S = PAGE_NS / 1e9
