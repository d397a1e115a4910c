"""What may change of a meter in use, and what becomes of its state and its loggers when it does.

Fields that say what is measured and registered, or that stand on the nameplate, stay as the store was made:
who wants others makes another store. The transformer ratio has a way of its own, which keeps epochs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from ..errors import SettingsError
from ..settings import unknown
from .clock import LocalClock
from .config import MeterConfig
from .machine import Machine
from .profile import depth_of
from .tariff import TariffPlan

__all__ = ["LEGAL", "Opened", "adapted", "changed", "cleared", "ready", "refused"]

#: Fields that cannot change.
LEGAL = frozenset(
    {
        "serial", "type_code", "software_codes", "systems", "wiring", "current_range", "accuracy_class", "variant", "energy_type",
        "nominal_voltage", "nominal_frequency", "reactive", "apparent", "summation", "p_creep", "p_start", "ct_ratio", "ratio_locked",
        "led_constant", "country", "allow_incomplete",
    }
)  # fmt: skip
#: Lists of the display, which follow from other fields where they were not chosen.
_LISTS = ("display_auto", "display_manual", "display_backup")


class Opened(Protocol):
    """A meter, as far as those need it who only look at it."""

    config: MeterConfig
    machine: Machine
    ledger: Any


def ready(config: MeterConfig) -> MeterConfig:
    """The configuration, if a meter can be made of it: its plan, its loggers and its display too.

    Raises
    ------
    SettingsError
        It names every fault.
    """
    faults: list[str] = []
    checks = (
        lambda: config.lists,
        lambda: depth_of(config.profile_depth, len(config.profile_energies), config.period, config.country),
        lambda: Machine(config),
    )
    for check in checks:
        try:
            check()
        except SettingsError as error:
            faults += error.faults
    if faults:
        raise SettingsError(faults)
    return config


def refused(config: MeterConfig, changes: Mapping[str, Any]) -> list[str]:
    """The faults of changes that would touch what is legally relevant, or no field at all."""
    known = config.to_dict()
    faults = [unknown(name, known) for name in changes if name not in known]
    for name in sorted(LEGAL & set(changes)):
        if name == "ct_ratio":
            faults.append("ct_ratio: it is changed by `ratio`, which keeps what was registered with the old one")
        elif name == "ratio_locked" and changes[name] is True:
            continue  # it can be locked, and then never again be unlocked
        else:
            faults.append(f"{name}: it is legally relevant and cannot be changed in a store; make another one")
    return faults


def changed(config: MeterConfig, changes: Mapping[str, Any]) -> MeterConfig:
    """The configuration with other fields; lists of the display that nobody chose follow.

    Raises
    ------
    SettingsError
        It names every fault.
    """
    given = config.given()
    kept = {name: value for name, value in config.to_dict().items() if name not in _LISTS or name in given}
    return ready(MeterConfig.from_dict({**kept, **changes}))


def cleared(old: MeterConfig, new: MeterConfig, rows: Mapping[str, int]) -> dict[str, int]:
    """Loggers whose rows cannot all stay, and how many of the newest do.

    Parameters
    ----------
    rows : mapping
        How many rows there are of "profile", "analysis" and "logger2".
    """
    keep: dict[str, int] = {}
    if old.profile_breaks(new):
        keep["profile"] = 0
    else:
        depth = depth_of(new.profile_depth, len(new.profile_energies), new.period, new.country)
        if depth is not None:
            keep["profile"] = depth
    if (old.analysis_registers, old.analysis_interval) != (new.analysis_registers, new.analysis_interval):
        keep["analysis"] = 0
    keep["logger2"] = new.logger_2_depth
    return {name: n for name, n in keep.items() if rows[name] > n}


def adapted(state: Mapping[str, Any], old: MeterConfig, new: MeterConfig) -> dict[str, Any]:
    """The state of a machine for another configuration, from now on."""
    values = dict(state)
    if (old.analysis_registers, old.analysis_interval) != (new.analysis_registers, new.analysis_interval):
        values["analysis"] = Machine(new).analysis.state()
    if old.period != new.period:
        values["period"] = None
    if new.tariff_source == "off":
        values["tariff"] = 1
    elif new.tariff_source == "plan" and values["now_ns"] is not None:
        plan = TariffPlan.from_dict(new.tariff_plan, new.exception_days)
        values["tariff"] = plan.tariff(values["now_ns"], LocalClock(new.utc_offset, new.dst, new.zone))
    return values
