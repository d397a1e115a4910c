"""The configuration of a meter: one frozen value made of its codes and of what the codes do not say."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..errors import SettingsError
from ..settings import read_table, read_toml, unknown
from . import config_checks as checks
from .code_tables import PROFILES, SOFTWARE, missing_energies
from .codes import SoftwareCodes, TypeCode
from .config_fields import WIRING, MeterFields
from .display_lists import Lists
from .registers import existing

__all__ = ["MeterConfig", "describe", "read_values"]

#: What makes a record of the load profile what it is.
_PROFILE = ("period", "energy_type", "profile_channels", "profile_side")


@dataclass(frozen=True, kw_only=True)
class MeterConfig(MeterFields):
    """How a meter is built and set up. Keyword-only and frozen; units are SI without prefix.

    The constructor takes every field as it stands; `of_codes`, `from_dict` and `load` take what the codes say
    first and overlay it by what is given beside them.

    Raises
    ------
    SettingsError
        Values of the wrong type, absurd or contradictory ones; it names every fault.

    Examples
    --------
    >>> config = MeterConfig.of_codes("685-11-35C-D14-0011-000", "Z4=4 Z21=040")
    >>> config.systems, config.period, config.ct_ratio, config.i_max
    (3, 60, 40, 6.0)
    """

    def __post_init__(self) -> None:
        faults = []
        for f in fields(self):
            value, found = checks.checked(f.name, f.metadata["check"], getattr(self, f.name))
            object.__setattr__(self, f.name, value)
            faults += found
        if not faults:
            for name, value in self._consequences().items():
                if getattr(self, name) is None:
                    object.__setattr__(self, name, value)
            faults = list(self._contradictions())
        if faults:
            raise SettingsError(faults)

    def _consequences(self) -> dict[str, Any]:
        """Defaults that follow from other fields."""
        default = Lists.default(existing(self.energy_type), self.tariffs)
        lists = {"display_auto": default.automatic, "display_manual": default.manual, "display_backup": default.backup}
        return {"wiring": WIRING[self.systems], "profile_channels": self.energy_type, **lists}

    @property
    def lists(self) -> Lists:
        """The three lists of the display.

        Raises
        ------
        SettingsError
            Readings that this meter does not have, or legal ones missing; it names every fault.
        """
        return Lists(
            automatic=self.display_auto, manual=self.display_manual, backup=self.display_backup,
            energies=existing(self.energy_type), tariffs=self.tariffs,
        )  # fmt: skip

    def _contradictions(self) -> Iterator[str]:
        if self.type_code is not None:
            for name, value in TypeCode.parse(self.type_code).fields().items():
                if getattr(self, name) != value:
                    yield f"{name}: {getattr(self, name)} contradicts type_code {self.type_code!r}, which says {value}"
        yield from (f"software_codes.{fault}" for fault in self.codes.contradictions(self.variant, self.energy_type))
        if self.wiring not in (WIRING[self.systems], "1P2W"):
            yield f"wiring: {self.wiring} is not that of {self.systems} measuring systems, expected {WIRING[self.systems]}"
        if self.wiring == "1P2W" and self.systems == 2:
            yield "wiring: 1P2W needs a phase-to-neutral system, systems is 2 (Aron)"
        if self.wiring == "3P3W" and self.summation != "vector":
            yield f'summation: "{self.summation}" needs phase voltages, wiring is 3P3W'
        yield from self._beyond_the_meter()
        yield from self._time_contradictions()
        for k, port in enumerate(self.terminals.ports, 1):
            if getattr(self, f"input_{k}") and port.direction != "in":
                yield f"input_{k}: terminal {k} of module {self.module} ({self.terminals.meaning}) is no input"

    def _beyond_the_meter(self) -> Iterator[str]:
        """Options of the other variant, and energies that are not registered."""
        for code in SOFTWARE.values():
            for option in code.options.values():
                if option.fields and option.variant not in (None, self.variant) and all(getattr(self, k) == v for k, v in option.fields.items()):
                    name, value = next(iter(option.fields.items()))
                    yield f"{name}: {value!r} is for variant {option.variant} only"
        missing = missing_energies(self.energy_type, PROFILES[self.profile_channels])
        if missing:
            yield f"profile_channels: {self.profile_channels} needs {' '.join(missing)}, which energy_type {self.energy_type} does not register"
        missing = missing_energies(self.energy_type, self.terminals.outputs)
        if missing:
            yield f"module: {self.module} needs {' '.join(missing)}, which energy_type {self.energy_type} does not register"

    def _time_contradictions(self) -> Iterator[str]:
        if self.zone is not None and (self.utc_offset, self.dst) != (0, "none"):
            yield f"zone: {self.zone} excludes utc_offset and dst, which are {self.utc_offset} and {self.dst}"
        if self.clock_ppm and self.clock_sync is None:
            yield "clock_ppm: needs clock_sync, the time at which the recorder's clock was right"
        if self.tariff_source == "plan" and not self.tariff_plan:
            yield 'tariff_source: "plan" needs a tariff_plan'
        if self.tariff_source == "port" and not self.terminals.tariffs:
            yield f'tariff_source: "port" needs a module with tariff inputs, module {self.module} ({self.terminals.meaning}) has none'
        limit = self.profile_days_max
        if limit is not None:
            if self.period != 15:
                yield f"period: {self.period} min, country {self.country} allows 15 min only"
            elif isinstance(self.profile_depth, int) and self.profile_depth > limit * 96:
                yield f"profile_depth: {self.profile_depth} records, country {self.country} allows {limit} days, {limit * 96} records"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (self.to_dict(),))

    @classmethod
    def of_codes(cls, type_code: str | None = None, software_codes: str | Mapping[str, str] | None = None, **overrides: Any) -> MeterConfig:
        """The configuration the codes describe, overlaid by further fields.

        Parameters
        ----------
        type_code : str, optional
            68 and X1 to X16.
        software_codes : str or mapping, optional
            Z codes; what they set is replaced where a field says otherwise, and `overridden` names it.
        **overrides
            Fields by name.

        Raises
        ------
        SettingsError
            Faulty codes or fields, or such as contradict each other; it names every fault.
        """
        return cls.from_dict({"type_code": type_code, "software_codes": software_codes or {}, **overrides})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> MeterConfig:
        """The configuration of plain values, what their codes say included.

        Raises
        ------
        SettingsError
            Unknown keys, wrong, absurd or contradictory values; it names every fault.
        """
        known = {f.name: f.metadata["check"] for f in fields(cls)}
        faults = [unknown(key, known) for key in values if key not in known]
        given: dict[str, Any] = {}
        for name in [name for name in known if name in values and name != "software_codes"]:
            value, found = checks.checked(name, known[name], values[name])
            faults += found
            if not found:
                given[name] = value
        of_type = TypeCode.parse(given["type_code"]).fields() if given.get("type_code") else {}
        # nothing contradicts a meter that is not known
        doubtful = not _at_fault(faults).isdisjoint(("type_code", "variant", "energy_type"))
        meter = {name: None if doubtful else given.get(name, of_type.get(name, getattr(_DEFAULTS, name))) for name in ("variant", "energy_type")}
        codes, wrong = SoftwareCodes.collect(values.get("software_codes", {}), **meter)
        faults += [checks.within("software_codes", fault) for fault in wrong]
        of_codes = {k: v for name, option in codes.options() if name not in _at_fault(wrong) for k, v in option.fields.items()}
        kept = {} if wrong else {"software_codes": codes.to_dict()}
        try:
            config = cls(**{**of_type, **of_codes, **given, **kept})
        except SettingsError as error:
            # what a faulty value would have said is not known either
            faults += [f for f in error.faults if not doubtful and _at_fault(faults).isdisjoint(re.findall(r"\w+", f))]
        if faults:
            raise SettingsError(faults)
        return config

    @classmethod
    def load(cls, toml: str | os.PathLike[str]) -> MeterConfig:
        """The configuration in a TOML file: its table `meter`, or all of a file that has none.

        Options of the command line in it are passed over.

        Raises
        ------
        SettingsError
            The file cannot be read or is not TOML, or what it says is faulty; it names every fault and the file.
        """
        values = read_values(toml)
        try:
            return cls.from_dict(values)
        except SettingsError as error:
            raise SettingsError(f"{os.fspath(toml)}: {fault}" for fault in error.faults) from None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and TOML, every field; `from_dict` gives the same configuration back."""
        return {f.name: checks.plain(getattr(self, f.name)) for f in fields(self)}

    def profile_breaks(self, new: MeterConfig) -> tuple[str, ...]:
        """Fields in which `new` differs so that load profile records of the two cannot stand in one logger."""
        return tuple(name for name in _PROFILE if getattr(self, name) != getattr(new, name))

    def given(self) -> dict[str, Any]:
        """What differs from the defaults, and from what follows from other fields, as plain values."""
        default = _DEFAULTS.to_dict() | {k: checks.plain(v) for k, v in self._consequences().items()}
        return {k: v for k, v in self.to_dict().items() if v != default[k]}


def _at_fault(faults: Iterable[str]) -> set[str]:
    """Names of what is at fault."""
    return {re.split("[:.]", fault)[0] for fault in faults}


def _rebuild(values: Mapping[str, Any]) -> MeterConfig:
    return MeterConfig(**values)


_DEFAULTS = MeterConfig()


def read_values(toml: str | os.PathLike[str]) -> dict[str, Any]:
    """The values of a configuration in a TOML file, unchecked: its table `meter`, or all of a file that has none but options.

    Raises
    ------
    SettingsError
        The file cannot be read or is not TOML.
    """
    table = read_table(toml, "meter")
    return read_toml(toml)[0] if table is None else table


def describe() -> Iterator[tuple[str, Any, str]]:
    """Name, default and meaning of each field, for help and documentation."""
    default = _DEFAULTS.to_dict()
    for f in fields(MeterConfig):
        yield f.name, default[f.name], f.metadata["doc"]
