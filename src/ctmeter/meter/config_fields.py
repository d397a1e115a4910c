"""The fields of a meter's configuration, and what follows from them.

Of the defaults only those of `decimals` and `profile_channels` are the data sheet's; the others are ours. Where the
sheet leaves open even which values there are, or never speaks of the matter, the meaning says "open in the sheet".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..checks import boolean, choice, line, number, setting, table, whole
from . import config_checks as checks
from .code_tables import MODULES, PROFILES, SOFTWARE, Module
from .codes import SoftwareCodes

__all__ = ["MAX_DAYS", "WIRING", "MeterFields"]

#: Wiring by the number of measuring systems.
WIRING = {2: "3P3W", 3: "3P4W"}
#: The longest load profile, in days, by country.
MAX_DAYS = {"AT": 60}
_ANALYSIS = ("P+", "P-", "Q+", "Q-", "U_L1", "U_L2", "U_L3", "I_L1", "I_L2", "I_L3")
#: Imin, Itr, In and Imax in A by current range.
_CURRENTS = {1: (0.01, 0.05, 1.0, 6.0), 5: (0.05, 0.25, 5.0, 6.0)}


@dataclass(frozen=True, kw_only=True)
class MeterFields:
    """Every field with its default, check and meaning; `MeterConfig` checks them."""

    serial: str = setting("", line(32), "serial number, shown and stored")
    site: str = setting("", line(80), "where the meter is, shown and stored")
    text: str = setting("", line(80), "text field of the display")
    type_code: str | None = setting(None, checks.type_code, "type of the meter, 68 and X1 to X16, kept as it is written")
    software_codes: Mapping[str, str] = table(checks.software_codes, "codes Z1 to Z30 as text, kept as they are written")
    systems: int = setting(3, choice(2, 3), "measuring systems: 3, or 2 for Aron (X4)")
    wiring: str = setting(
        None, choice("3P4W", "3P3W", "1P2W", optional=True), "by the systems where not given; 1P2W is an extension for single-phase recordings"
    )
    current_range: int = setting(5, choice(1, 5), "rated current in A: 5 for 0.05-5(6) A, 1 for 0.01-1(6) A (X5)")
    accuracy_class: str = setting("C", choice("B", "C", "1", "0.5"), "accuracy class (X6)")
    variant: int = setting(2, choice(1, 2), "variant, which decides on some options (X8)")
    energy_type: int = setting(4, choice(1, 2, 3, 4), "energies there are: 1 A+, 2 A+ A-, 3 A+ R+, 4 A+ A- R+ R- (X9)")
    nominal_voltage: float = setting(
        230.0, number(0, 2e6, unit="V", optional=False), "V, secondary; phase-to-neutral for 3P4W and 1P2W, line-to-line for 3P3W"
    )
    nominal_frequency: float | None = setting(None, choice(50.0, 60.0, optional=True), "50 or 60 Hz; the recording's where not given")
    reactive: str = setting(
        "fundamental", choice("fundamental", "quarter-shift", "budeanu", "fryze"), "definition of reactive power; open in the sheet"
    )
    apparent: str = setting("arithmetic", choice("arithmetic", "vector", "effective"), "definition of the total apparent power; open in the sheet")
    summation: str = setting("vector", choice("vector", "per-phase", "absolute"), "how phases are summed into registers; open in the sheet")
    p_creep: float = setting(
        0.0, number(0, 1e6, unit="W", optional=False, open_low=False), "VA, sum of the phases, secondary: nothing is counted below; open in the sheet"
    )
    p_start: float = setting(
        0.0, number(0, 1e6, unit="W", optional=False, open_low=False), "VA, sum of the phases, secondary: counting starts above; open in the sheet"
    )
    p_indicator: float = setting(0.6, number(0, 1e6, unit="W", optional=False), "W per phase, secondary: the current mark is on above")
    u_indicator: float = setting(160.0, number(0, 2e6, unit="V", optional=False), "V per phase, secondary: the voltage mark is on above")
    power_threshold: float | None = setting(
        None,
        number(0, 1e12, unit="W"),
        "W, secondary: periods with a mean import above it are counted; not counted where not given, open in the sheet",
    )
    ct_ratio: int = setting(1, checks.ct_ratio, "current transformer, primary over secondary, 1 to 600: 40 or 200/5 (Z21)")
    ratio_locked: bool = setting(False, boolean, "the ratio cannot be changed (Z22)")
    decimals: int = setting(0, choice(0, 1, 2), "decimals of energies on the display (Z1)")
    display_auto: tuple[str, ...] = setting(None, checks.readings(16, stored=False), "OBIS codes shown in turn, 16 at most; totals of all energies")
    display_manual: tuple[str, ...] = setting(
        None,
        checks.readings(30, stored=True),
        "OBIS codes shown by the push button, 30 at most; totals, tariffs, maxima, momentary values, ratio, counters, clock",
    )
    display_backup: tuple[str, ...] = setting(None, checks.readings(8, stored=True), "OBIS codes shown without supply, 8 at most; totals")
    led_without_load: bool = setting(False, boolean, "the LED is on without load (Z2)")
    module: str = setting("00", choice(*MODULES), "terminals of the module (Z3)")
    input_1: str = setting("", line(80), "status channel of the recording that stands for the first terminal")
    input_2: str = setting("", line(80), "status channel of the recording that stands for the second terminal")
    period: int = setting(15, choice(15, 30, 60), "minutes of a demand period and of a load profile record (Z4)")
    billing_day: int = setting(1, whole(1, 28), "day of the month on which billing periods end, at 00:00 local time (Z6)")
    billing_interval: str = setting("01", choice(*SOFTWARE["Z7"].options), "which months billing periods end in, by the code of Z7; 00 for none")
    pulse_width: float = setting(0.030, choice(0.030, 0.080), "s, length of an output pulse (Z8)")
    alarm_input: bool = setting(False, boolean, "the alarm input of the module is heard (Z8)")
    pulse_side: str = setting("secondary", choice("secondary", "primary"), "side of the energy that pulses stand for (Z24)")
    pulse_input_unit: str = setting("", choice("", "kWh", "m3", "L"), "unit of the pulse input (Z12)")
    pulse_input_divisor: float = setting(1.0, number(0, 1e9, optional=False), "pulses per unit of the pulse input; open in the sheet")
    led_constant: float = setting(10_000.0, number(0, 1e9, optional=False), "pulses of the LED per kWh")
    s0_constant: float = setting(5000.0, number(0, 1e9, optional=False), "pulses of the S0 output per kWh")
    pulse_queue: int = setting(100, whole(0, 10**9), "pulses that may wait for the output before an overrun; open in the sheet")
    utc_offset: int = setting(0, whole(-11, 12), "h, local standard time less UTC (Z11)")
    dst: str = setting("none", choice("none", "EU"), "daylight saving time (Z15)")
    zone: str | None = setting(None, checks.zone, "extension: a zone of the IANA database in place of utc_offset and dst")
    tariff_source: str = setting("off", choice("off", "plan", "port", "register"), "what chooses the tariff (Z13)")
    tariff_plan: Mapping[str, Any] = table(checks.tariff_plan, "seasons, days and switching times; on order forms, open in the sheet")
    exception_days: tuple[Any, ...] = setting(
        (), checks.days, "days with times of their own, 100 at most (Z20); on order forms, open in the sheet", hashed=False
    )
    load_control: str = setting("000", checks.load_control, "load control by the code of Z14; stored")
    logger_2: str = setting("monthly", choice("monthly", "weekly", "daily"), "interval of the second billing logger (Z25)")
    logger_2_profile: int = setting(1, choice(1, 2), "contents of the second billing logger (Z30)")
    logger_2_depth: int = setting(45, whole(1, 10**9), "records of the second billing logger; open in the sheet")
    alarms: tuple[str, ...] = setting((), checks.alarms, "alarms that are given; none is Z26 = 000, names are open in the sheet")
    profile_values: str = setting("absolute", choice("absolute", "delta"), "values of the load profile (Z27)")
    profile_channels: int = setting(None, choice(*PROFILES, optional=True), "channels of the load profile, 1 to 6 (Z29); all energies there are")
    profile_side: str = setting("primary", choice("primary", "secondary"), "side of the load profile (Z23, Z29)")
    profile_depth: str | int = setting("unlimited", checks.profile_depth, '"unlimited", "sheet" for the depth of the meter, or a number of records')
    stamp: str = setting("end", choice("end", "start"), "which end of a period its time stamp names; open in the sheet")
    country: str = setting("", choice("", *MAX_DAYS), "AT: load profile of 15 min and at most 60 days")
    analysis_registers: tuple[str, ...] = setting(
        _ANALYSIS, checks.registers, "registers of the analysis logger, 24 at most (Z10); open in the sheet"
    )
    analysis_interval: int = setting(15, choice(1, 5, 10, 15, 30, 60), "minutes between records of the analysis logger; open in the sheet")
    clock_ppm: float = setting(0.0, number(-1e5, 1e5, optional=False, open_low=False), "how fast the recorder's clock runs, 1e-6")
    clock_sync: str | None = setting(None, checks.instant, "ISO time at which the recorder's clock was right")
    overlap: str = setting("reject", choice("reject", "first", "last"), "which of two recordings of the same time counts")
    allow_incomplete: bool = setting(False, boolean, "let incomplete demand periods become a maximum; open in the sheet")

    @property
    def i_min(self) -> float:
        """Smallest current of the stated accuracy at all, A."""
        return _CURRENTS[self.current_range][0]

    @property
    def i_tr(self) -> float:
        """Transitional current, In/20, from which the class limits hold, A."""
        return _CURRENTS[self.current_range][1]

    @property
    def i_n(self) -> float:
        """Rated current, A."""
        return _CURRENTS[self.current_range][2]

    @property
    def i_max(self) -> float:
        """Largest current, A."""
        return _CURRENTS[self.current_range][3]

    @property
    def u_range(self) -> tuple[float, float]:
        """Voltages the meter is specified for, V: nominal -20 % to +15 %."""
        return self.nominal_voltage * 80 / 100, self.nominal_voltage * 115 / 100

    @property
    def f_range(self) -> tuple[float, float] | None:
        """Frequencies the meter is specified for, Hz: nominal +-5 %; None without a nominal frequency."""
        f = self.nominal_frequency
        return None if f is None else (f * 95 / 100, f * 105 / 100)

    @property
    def energies(self) -> tuple[str, ...]:
        """Total energies the meter registers."""
        return PROFILES[self.energy_type]

    @property
    def tariffs(self) -> int:
        """Tariffs in use: 4, or 0 where nothing chooses one."""
        return 0 if self.tariff_source == "off" else 4

    @property
    def profile_energies(self) -> tuple[str, ...]:
        """Energies in the load profile, one for each channel."""
        return PROFILES[self.profile_channels]

    @property
    def profile_days_max(self) -> int | None:
        """Days a load profile may reach back; None where nothing limits it."""
        return MAX_DAYS.get(self.country)

    @property
    def terminals(self) -> Module:
        """What the terminals of the module do."""
        return MODULES[self.module]

    @property
    def billing_months(self) -> tuple[int, int] | None:
        """Months from stop to stop, and the first month of the year with one; None where there is no schedule.

        Examples
        --------
        Every third month from February, code 05, is `(3, 2)`.
        """
        code = int(self.billing_interval)
        for first, step in ((13, 12), (7, 6), (4, 3), (2, 2), (1, 1)):
            if code >= first:
                return step, code - first + 1
        return None

    @property
    def billing_control(self) -> str:
        """What ends a billing period: "schedule", else "input" of the module or "command"; the latter two also beside a schedule."""
        if self.billing_interval != "00":
            return "schedule"
        return "input" if self.terminals.io1.role == "billing-stop" else "command"

    @property
    def clock_sync_ns(self) -> int | None:
        """`clock_sync` as ns UTC."""
        if self.clock_sync is None:
            return None
        since = dt.datetime.fromisoformat(self.clock_sync) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        return since // dt.timedelta(microseconds=1) * 1000

    @property
    def codes(self) -> SoftwareCodes:
        """The Z codes as they were given."""
        return SoftwareCodes.parse(self.software_codes)

    @property
    def overridden(self) -> dict[str, tuple[str, ...]]:
        """Z codes with a meaning that a field given beside them replaced: names of these fields by code."""
        changed = {name: tuple(k for k, v in option.fields.items() if getattr(self, k) != v) for name, option in self.codes.options()}
        return {name: found for name, found in changed.items() if found}

    @property
    def extensions(self) -> tuple[str, ...]:
        """Fields in use that no meter of this type has."""
        return tuple(name for name, used in (("wiring", self.wiring == "1P2W"), ("zone", self.zone is not None)) if used)
