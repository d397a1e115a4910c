"""What a meter shows of itself, as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..pipeline.describe import iso
from .legal import program_hash
from .registers import roll_overs

if TYPE_CHECKING:
    from .meter import Meter

__all__ = ["shown"]


def shown(meter: Meter, side: str) -> dict[str, Any]:
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
        },
        "hash": {"program": program_hash(), "store": meter.ledger.content_hash(), "commit": commit, "commits": number},
        "unregistered": machine.registers.unregistered(),
        "faults": meter.faults(),
        "type": config.type_code,
        "serial": config.serial,
        "site": config.site,
    }
