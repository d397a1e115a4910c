"""Settings: one frozen value that says how to measure.

Settings come in layers. Later ones win: what the recording's file says, the sidecar
`<stem>.ctmeter.toml` beside it, the `--config` file, the environment (`CTMETER_*`), the command
line or keywords. Every fault of every layer is reported at once.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

# underscored as what this module offers are settings, not checks
from .checks import FaultError as _FaultError
from .checks import boolean as _bool
from .checks import choice as _choice
from .checks import number as _number
from .checks import ratio as _ratio
from .checks import setting as _setting
from .checks import table as _table
from .errors import SettingsError

__all__ = ["OPTIONS", "Settings", "from_environment", "layered", "parse_toml", "read_table", "read_toml", "sidecar"]

#: Keys a TOML file may hold beside the settings: options of the command line.
OPTIONS = (
    "rate", "from", "to", "output", "force", "hash", "json", "quiet", "verbose",
    "start", "events", "list", "which", "stream", "csv", "telegram", "parquet",
    "table", "edition", "level", "limits", "island", "only", "sliding", "step", "stamp", "fail_on_violation",
    "class", "in", "imax", "direct", "reactive_class", "front_end", "band", "on_request", "seconds", "jobs",
    "bench_recordings", "bench_reference", "correct",
    "scheduler", "shard", "tables", "retry_failed", "dry_run", "json_lines", "max_unpacked",
)  # fmt: skip
#: Tables of a settings file that belong to other parts.
_OTHERS = ("meter", "batch")
_ROLE = re.compile(r"U_(L[123]|N|L12|L23|L31|L21|L32|L13)|I_(L[123]|N)")


def _synchronisation(value: Any) -> str:
    if isinstance(value, str) and (value == "auto" or _ROLE.fullmatch(value)):
        return value
    raise _FaultError(f'{value!r} is neither "auto" nor a channel such as "U_L1"')


def _map(value: Any) -> Mapping[str, str]:
    if not isinstance(value, Mapping):
        raise _FaultError(f'{value!r} is not a table such as {{U_L1 = "VA", I_L1 = "-IA"}}')
    for role, name in value.items():
        if not isinstance(role, str) or not _ROLE.fullmatch(role):
            raise _FaultError(f"{role!r} is no role, expected U_L1 U_L2 U_L3 U_N U_L12 U_L23 U_L31 I_L1 I_L2 I_L3 or I_N")
        if not isinstance(name, str) or not name.removeprefix("-").strip():
            raise _FaultError(f"the channel for {role} is {name!r}, expected a name, with a minus before it to turn it round")
    return MappingProxyType(dict(value))


def _points(value: Any) -> Mapping[str, Mapping[str, Any]]:
    if not isinstance(value, Mapping) or not all(isinstance(v, Mapping) for v in value.values()):
        raise _FaultError("expected tables such as [points.feeder1]")
    for name in value:
        if not isinstance(name, str) or not re.fullmatch(r"[\w][\w .-]*", name):
            raise _FaultError(f"{name!r} is no name of a point, expected letters, digits, '_', '-', '.' or blanks")
    return MappingProxyType({name: MappingProxyType(dict(table)) for name, table in value.items()})


def _corrections(value: Any) -> Mapping[str, Mapping[str, Any]]:
    if not isinstance(value, Mapping) or not all(isinstance(t, Mapping) for t in value.values()):
        raise _FaultError("expected tables such as [corrections.I_L1]")
    gain, delay = _number(0.5, 2, optional=False, open_low=False), _number(-5e-3, 5e-3, unit="s", optional=False, open_low=False)
    made = {}
    for role, table in value.items():
        if not isinstance(role, str) or not _ROLE.fullmatch(role):
            raise _FaultError(f"{role!r} is no role, expected such as U_L1 or I_L1")
        for key in table:
            if key not in ("gain", "delay", "curve"):
                raise _FaultError(f"{role}.{key}: no such key, expected gain, delay or curve")
        found: dict[str, Any] = {}
        for key, check in (("gain", gain), ("delay", delay), ("curve", _error_curve)):
            try:
                if key in table:
                    found[key] = check(table[key])
            except _FaultError as fault:
                raise _FaultError(f"{role}.{key}: {fault}") from None
        if role[0] == "U" and "curve" in found:
            raise _FaultError(f"{role}.curve: a curve belongs to a current")
        made[role] = MappingProxyType(found)
    return MappingProxyType(made)


def _error_curve(value: Any) -> tuple[tuple[float, float, float], ...]:
    """Rows of current, ratio error and phase error."""
    wanted = "expected rows [A, ratio error in %, phase error in minutes] with rising currents above 0"
    if not isinstance(value, (list, tuple)) or not value:
        raise _FaultError(wanted)
    rows: list[tuple[float, float, float]] = []
    bounds = (_number(0, 1e7, optional=False), *(_number(-x, x, optional=False, open_low=False) for x in (50, 3000)))
    for row in value:
        if not isinstance(row, (list, tuple)) or len(row) != 3:
            raise _FaultError(f"{row!r}, {wanted}")
        current, ratio, phase = (check(x) for check, x in zip(bounds, row, strict=True))
        if rows and current <= rows[-1][0]:
            raise _FaultError(f"{row!r}, {wanted}")
        rows.append((current, ratio, phase))
    return tuple(rows)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to measure. Keyword-only and frozen; `None` means "not said".

    Raises
    ------
    SettingsError
        Values of the wrong type, absurd or contradictory ones; it names every fault.

    Notes
    -----
    There is no default for the nominal voltage: without one, what needs it is left out and named.
    The nominal frequency is the file's, else it is detected.

    Examples
    --------
    >>> Settings.from_dict({"nominal_voltage": 230, "ct_ratio": "200/5"}).ct_ratio
    40.0
    """

    wiring: str | None = _setting(
        None, _choice("3P4W", "3P3W", "1P2W", optional=True), "how the meter is connected: 3P4W, 3P3W (Aron) or 1P2W; by the channels where not given"
    )
    nominal_voltage: float | None = _setting(
        None, _number(0, 2e6, unit="V"), "V on the side of the results; phase-to-neutral for 3P4W and 1P2W, line-to-line for 3P3W"
    )
    nominal_frequency: float | None = _setting(None, _choice(50.0, 60.0, optional=True), "50 or 60 Hz; from the file or detected where not given")
    nominal_current: float | None = _setting(None, _number(0, 1e7, unit="A"), "A on the side of the results, for TDD; not measured where not given")
    ct_ratio: float | None = _setting(None, _ratio, "current transformer, primary over secondary: 40 or 200/5; the file's where not given")
    vt_ratio: float | None = _setting(None, _ratio, "voltage transformer, primary over secondary; the file's where not given")
    side: str = _setting("as-recorded", _choice("as-recorded", "primary", "secondary"), "side of the transformers on which values come out")
    summation: str = _setting("vector", _choice("vector", "per-phase", "absolute"), "how the phases are summed into energy registers")
    reactive: str = _setting("fundamental", _choice("fundamental", "quarter-shift", "budeanu", "fryze"), "definition of reactive power")
    apparent: str = _setting("arithmetic", _choice("arithmetic", "vector", "effective"), "definition of the total apparent power")
    dip: float = _setting(0.90, _number(0, 1, optional=False), "threshold of dips, of nominal")
    swell: float = _setting(1.10, _number(1, 10, optional=False), "threshold of swells, of nominal")
    interruption: float = _setting(0.05, _number(0, 1, optional=False), "threshold of interruptions, of nominal")
    hysteresis: float = _setting(0.02, _number(0, 0.5, optional=False, open_low=False), "hysteresis of the thresholds, of nominal")
    reference: str = _setting("fixed", _choice("fixed", "sliding"), "what thresholds refer to: nominal voltage, or its sliding one-minute mean")
    rvc: float | None = _setting(0.05, _number(0, 0.5), "threshold of rapid voltage changes, of nominal")
    transient: float | None = _setting(None, _number(1, 100), "threshold of transients, of the nominal peak; not looked for where not given")
    signalling_frequency: float | None = _setting(None, _number(100, 3000, unit="Hz"), "of mains signalling, Hz; not measured where not given")
    signalling_threshold: float = _setting(0.003, _number(0, 1, optional=False), "threshold of mains signalling, of nominal")
    signalling_duration: float = _setting(120.0, _number(0, 120, unit="s", optional=False), "longest event of mains signalling, s")
    signalling_trace: bool = _setting(False, _bool, "keep the table of the signalling voltage every half cycle; needs signalling_frequency")
    flicker_lamp: int = _setting(230, _choice(230, 120), "reference lamp of the flickermeter, 230 or 120 V")
    synchronisation: str = _setting("auto", _synchronisation, "auto: by all voltages; or a channel such as U_L1 as the one strict reference")
    spectra: str = _setting("3s", _choice("3s", "basic", "none"), "shortest table with spectral lists, or none")
    groups: bool = _setting(False, _bool, "add groups and interharmonic groups of IEC 61000-4-7 to the spectral lists")
    smoothing: bool = _setting(False, _bool, 'smooth the spectral lists of the table basic by 1.5 s; needs spectra = "basic"')
    power_sets: bool = _setting(False, _bool, "add the sets of IEEE 1459 and DIN 40110 to the tables of windows; three phases")
    half_cycle: bool = _setting(False, _bool, "keep the table of Urms(1/2)")
    cycle: bool = _setting(False, _bool, "keep the table of cycles; always kept for recordings shorter than one 10/12-cycle window")
    synchrophasor_rate: float | None = _setting(None, _number(0, 400, unit="frames/s"), "frames per second; no synchrophasors where not given")
    snippets: bool = _setting(True, _bool, "store the waveform around each event")
    voltages: str = _setting("phase", _choice("phase", "line"), "line: add the line-to-line twins of the voltage quantities in 3P4W")
    map: Mapping[str, str] = _table(_map, "role to channel name, a minus turns the channel round")
    corrections: Mapping[str, Mapping[str, Any]] = _table(
        _corrections, "by role: gain (factor), delay (s, sampled later), curve (rows of A, ratio error in %, phase error in min) of a transformer"
    )
    points: Mapping[str, Mapping[str, Any]] = _table(_points, "settings of several measuring points in one recording")

    def __post_init__(self) -> None:
        faults = []
        for f in fields(self):
            try:
                object.__setattr__(self, f.name, f.metadata["check"](getattr(self, f.name)))
            except _FaultError as fault:
                faults.append(f"{f.name}: {fault}")
        if not faults:
            faults = list(self._contradictions())
        if faults:
            raise SettingsError(faults)

    def _contradictions(self) -> Iterable[str]:
        if self.interruption + self.hysteresis >= self.dip:
            yield f"interruption: {self.interruption:g} with its hysteresis is not below dip {self.dip:g}"
        if self.dip + self.hysteresis >= self.swell - self.hysteresis:
            yield f"hysteresis: {self.hysteresis:g} lets dip {self.dip:g} and swell {self.swell:g} overlap"
        if self.wiring == "1P2W" and self.voltages == "line":
            yield 'voltages: "line" needs three phases, wiring is 1P2W'
        if self.smoothing and self.spectra != "basic":
            yield f'smoothing: it is for the spectral lists of the table basic, spectra is "{self.spectra}"'
        if self.signalling_trace and self.signalling_frequency is None:
            yield "signalling_trace: it needs signalling_frequency"
        if self.groups and self.spectra == "none":
            yield 'groups: they are spectral lists, spectra is "none"'
        for name, table in self.points.items():
            if "points" in table:
                yield f"points.{name}.points: points cannot be nested"
                continue
            try:
                self.point(name)
            except SettingsError as error:
                yield from (f"points.{name}.{fault}" for fault in error.faults)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (self.to_dict(),))

    def point(self, name: str) -> Settings:
        """The settings of one measuring point: these, overlaid by its own table.

        Raises
        ------
        SettingsError
            No such point, or faults in its table.
        """
        if name not in self.points:
            raise SettingsError(f"points: no point {name!r}, there are {', '.join(self.points) or 'none'}")
        return self.from_dict({**self.to_dict(), **self.points[name], "points": {}})

    def given(self) -> dict[str, Any]:
        """What differs from the defaults, as plain values."""
        default = _DEFAULTS.to_dict()
        return {k: v for k, v in self.to_dict().items() if v != default[k]}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and TOML, every setting."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        plain["map"] = dict(self.map)
        plain["corrections"] = {
            role: {k: [list(row) for row in v] if k == "curve" else v for k, v in table.items()} for role, table in self.corrections.items()
        }
        plain["points"] = {name: {k: dict(v) if isinstance(v, Mapping) else v for k, v in table.items()} for name, table in self.points.items()}
        return plain

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settings:
        """Settings of plain values.

        Raises
        ------
        SettingsError
            Unknown keys, wrong or absurd values; it names every fault.
        """
        return layered([("", values)])

    @classmethod
    def load(cls, toml: str | os.PathLike[str]) -> Settings:
        """Settings of a TOML file.

        Raises
        ------
        SettingsError
            The file cannot be read or is not TOML, or its settings are faulty; it names every fault.
        """
        values, _ = read_toml(toml)
        return layered([(str(toml), values)])


def _rebuild(values: Mapping[str, Any]) -> Settings:
    return Settings.from_dict(values)


_DEFAULTS = Settings()


def names() -> tuple[str, ...]:
    """Names of all settings."""
    return tuple(f.name for f in fields(Settings))


def describe() -> Iterable[tuple[str, Any, str]]:
    """Name, default and meaning of each setting, for help and documentation."""
    for f in fields(Settings):
        yield f.name, _DEFAULTS.to_dict()[f.name], f.metadata["doc"]


def unknown(key: str, known: Iterable[str]) -> str:
    """The fault of an unknown key, with the nearest known one."""
    near = difflib.get_close_matches(str(key), list(known), 1)
    return f"{key}: no such setting" + (f", did you mean {near[0]}?" if near else "")


def layered(layers: Iterable[tuple[str, Mapping[str, Any]]]) -> Settings:
    """One `Settings` from layers, later ones winning.

    Parameters
    ----------
    layers : iterable of (str, mapping)
        Where the layer comes from, for messages, and its values.

    Raises
    ------
    SettingsError
        It names every fault of every layer.
    """
    faults: list[str] = []
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    known = {f.name: f.metadata["check"] for f in fields(Settings)}
    for where, values in layers:
        prefix = f"{where}: " if where else ""
        for key, value in values.items():
            if key not in known:
                faults.append(prefix + unknown(key, known))
                continue
            try:
                merged[key] = known[key](value)
                origin[key] = prefix
            except _FaultError as fault:
                faults.append(f"{prefix}{key}: {fault}")
    try:
        settings = Settings(**merged)
    except SettingsError as error:
        # a contradiction between settings; say where the first-named one comes from
        faults += [origin.get(re.split("[:.]", fault)[0], "") + fault for fault in error.faults]
        raise SettingsError(faults) from None
    if faults:
        raise SettingsError(faults)
    return settings


def read_toml(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings and command-line options of a TOML file, unchecked; a table `meter` in it is passed over.

    Raises
    ------
    SettingsError
        The file cannot be read or is not TOML.
    """
    return _sorted(_read(path))


def parse_toml(text: str, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """As `read_toml`, of a text that came from elsewhere.

    Raises
    ------
    SettingsError
        It is not TOML; `name` is the place that the message names.
    """
    return _sorted(_parsed(text, name))


def _sorted(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings, and options."""
    options = {key: values.pop(key) for key in OPTIONS if key in values}
    return {k: v for k, v in values.items() if k not in _OTHERS or not isinstance(v, dict)}, options


def read_table(path: str | os.PathLike[str], name: str) -> dict[str, Any] | None:
    """One table of a TOML file, unchecked; None where it has none of that name.

    Raises
    ------
    SettingsError
        The file cannot be read or is not TOML, or what has the name is no table.
    """
    table = _read(path).get(name)
    if table is not None and not isinstance(table, dict):
        raise SettingsError(f"{os.fspath(path)}: {name}: expected a table [{name}]")
    return table


def _read(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        text = Path(path).read_text("utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{os.fspath(path)}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{os.fspath(path)}: not UTF-8 text at byte {error.start}") from None
    return _parsed(text, os.fspath(path))


def _parsed(text: str, name: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{name}: not TOML: {error}") from None


def sidecar(recording: str | os.PathLike[str]) -> Path | None:
    """The settings file `<stem>.ctmeter.toml` beside a recording, where there is one."""
    path = Path(recording)
    beside = path.with_name(path.stem + ".ctmeter.toml")
    return beside if beside.is_file() else None


def from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Settings in `CTMETER_<NAME>` variables, as plain values for `layered`.

    Text is read as a TOML value where it is one (`50`, `true`, `{U_L1 = "VA"}`), else as it
    stands; `CTMETER_MAP` also takes `U_L1=VA,I_L1=-IA`.
    """
    import tomllib

    values: dict[str, Any] = {}
    for name in names():
        text = environ.get(f"CTMETER_{name.upper()}")
        if not text:
            continue
        try:
            values[name] = tomllib.loads(f"v = {text}")["v"]
        except tomllib.TOMLDecodeError:
            values[name] = parse_map(text) if name == "map" else text
    return values


def parse_map(text: str) -> dict[str, str]:
    """A map of the form `U_L1=VA,I_L1=-IA`.

    Raises
    ------
    SettingsError
        A part without "=", or a role given twice.
    """
    result: dict[str, str] = {}
    faults = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        role, equals, name = (p.strip() for p in part.partition("="))
        if not equals:
            faults.append(f"map: {part!r}, expected ROLE=CHANNEL such as U_L1=VA")
        elif role in result:
            faults.append(f"map: {role} is given twice")
        result[role] = name
    if faults:
        raise SettingsError(faults)
    return result
