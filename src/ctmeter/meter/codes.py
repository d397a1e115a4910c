"""The configuration codes of the meter: read from their text, checked as a whole, printed back unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import SettingsError
from .code_tables import HARDWARE, MODULES, PROFILES, SOFTWARE, Code, Option, missing_energies

__all__ = ["SoftwareCodes", "TypeCode", "describe"]

_SEPARATORS = re.compile(r"[\s.\-\u2010-\u2015]+")
_ASSIGNMENT = re.compile(r"\s*[=:]\s*")
_PLACES = 16


def _illegal(code: Code, value: Any) -> str:
    return f"{code.name}: {value!r} is not legal for {code.title}, expected {code.legal}"


def _fields(options: Iterable[Option | None]) -> dict[str, Any]:
    return {name: value for option in options if option is not None for name, value in option.fields.items()}


@dataclass(frozen=True)
class TypeCode:
    """The type of a meter, `68` and sixteen characters X1 to X16.

    Attributes
    ----------
    places : tuple of str
        X1 to X13, one character each, and last the country X14 to X16 together; upper case.
    text : str
        As it was given; it does not take part in comparisons.

    Raises
    ------
    SettingsError
        Characters that the places do not have; it names every fault.

    Examples
    --------
    >>> code = TypeCode.parse("685-11-35C-D14-0011-000")
    >>> code["X4"], code.fields()["systems"], code.format()
    ('3', 3, '685-11-35C-D14-0011-000')
    """

    places: tuple[str, ...]
    text: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        faults = [_illegal(code, value) for code, value in zip(HARDWARE.values(), self.places, strict=False) if code.option(value) is None]
        if len(self.places) != len(HARDWARE):
            faults.append(f"type_code: {len(self.places)} places, expected {len(HARDWARE)}, the last one for X14 to X16")
        if faults:
            raise SettingsError(faults)

    @classmethod
    def parse(cls, text: str) -> TypeCode:
        """The code of a text, with dashes, dots and blanks between the places or without.

        Raises
        ------
        SettingsError
            Not such a text, or characters that the places do not have; it names every fault.
        """
        if not isinstance(text, str):
            raise SettingsError(f"type_code: {text!r} is not text, expected 68 and the {_PLACES} characters X1 to X16")
        bare = _SEPARATORS.sub("", text).upper()
        if len(bare) != 2 + _PLACES:
            raise SettingsError(f"type_code: {text!r} has {len(bare)} characters, expected 68 and the {_PLACES} characters X1 to X16")
        places = (*bare[2:15], bare[15:])
        if bare.startswith("68"):
            return cls(places, text)
        faults = [f"type_code: {text!r} does not begin with 68"]
        try:
            cls(places)
        except SettingsError as error:
            faults += error.faults
        raise SettingsError(faults)

    def __getitem__(self, name: str) -> str:
        """The character of "X1" to "X16".

        Raises
        ------
        KeyError
            No such place.
        """
        if name in ("X14", "X15", "X16"):
            return self.places[-1][int(name[1:]) - 14]
        return dict(zip(HARDWARE, self.places, strict=True))[name]

    @property
    def country(self) -> str:
        """X14 to X16; what they mean stands on order forms."""
        return self.places[-1]

    @property
    def variant(self) -> int:
        """X8: which generation of options the meter has."""
        return int(self["X8"])

    @property
    def energy_type(self) -> int:
        """X9: which energies the meter registers."""
        return int(self["X9"])

    def format(self) -> str:
        """The text as it was given, else grouped as on a type label."""
        if self.text:
            return self.text
        x = "".join(self.places)
        return "-".join(("68" + x[0], x[1:3], x[3:6], x[6:9], x[9:13], x[13:]))

    def fields(self) -> dict[str, Any]:
        """Fields of `MeterConfig` that the type decides."""
        return _fields(code.option(value) for code, value in zip(HARDWARE.values(), self.places, strict=True))


@dataclass(frozen=True)
class SoftwareCodes:
    """Configuration codes Z1 to Z30, as many of them as were given.

    Attributes
    ----------
    values : tuple of (str, str)
        Names and values in the order of the names; codes are text, for their leading zeros count.
    text : str
        As it was given; it does not take part in comparisons.

    Examples
    --------
    >>> codes = SoftwareCodes.parse("Z1=2 Z21=040")
    >>> codes["Z21"], codes.fields()
    ('040', {'decimals': 1, 'ct_ratio': 40})
    """

    values: tuple[tuple[str, str], ...] = ()
    text: str = field(default="", compare=False)

    @classmethod
    def parse(cls, source: str | Mapping[str, str], *, variant: int | None = None, energy_type: int | None = None) -> SoftwareCodes:
        """The codes of a text such as "Z1=1, Z3=05" or of a mapping.

        Parameters
        ----------
        source : str or mapping
            Names and values; in a text, separated by blanks, commas, semicolons or line ends.
        variant, energy_type : int, optional
            X8 and X9 of the meter; without them nothing is said about what needs them.

        Raises
        ------
        SettingsError
            Unknown names, illegal values, codes that contradict each other or the meter; it names every fault.
        """
        codes, faults = cls.collect(source, variant=variant, energy_type=energy_type)
        if faults:
            raise SettingsError(faults)
        return codes

    @classmethod
    def collect(
        cls, source: str | Mapping[str, str], *, variant: int | None = None, energy_type: int | None = None
    ) -> tuple[SoftwareCodes, list[str]]:
        """As `parse`, but gives the legal ones among the codes beside every fault."""
        pairs, faults = _pairs(source)
        legal: dict[str, str] = {}
        for name, value in pairs:
            code = SOFTWARE.get(name)
            if code is None:
                faults.append(f"{name}: no such code, there are Z1 to Z30 without Z9 and Z19")
            elif name in legal:
                faults.append(f"{name}: given twice")
            elif not isinstance(value, str):
                faults.append(f'{name}: {value!r} is not text, write "{value}" with its leading zeros')
            elif code.option(value) is None:
                faults.append(_illegal(code, value))
            else:
                legal[name] = value
        codes = cls(tuple((name, legal[name]) for name in SOFTWARE if name in legal), source if isinstance(source, str) else "")
        return codes, faults + codes.contradictions(variant, energy_type)

    def __getitem__(self, name: str) -> str:
        """The value of a code.

        Raises
        ------
        KeyError
            It was not given.
        """
        return dict(self.values)[name]

    def get(self, name: str, default: str = "") -> str:
        """The value of a code, or the default where it was not given."""
        return dict(self.values).get(name, default)

    def format(self) -> str:
        """The text as it was given; of a mapping, names and values in the order of the names."""
        return self.text or " ".join(f"{name}={value}" for name, value in self.values)

    def to_dict(self) -> dict[str, str]:
        """Names and values."""
        return dict(self.values)

    def options(self) -> Iterator[tuple[str, Option]]:
        """Name and meaning of each code."""
        for name, value in self.values:
            option = SOFTWARE[name].option(value)
            if option is not None:
                yield name, option

    def fields(self) -> dict[str, Any]:
        """Fields of `MeterConfig` that the codes set."""
        return _fields(option for _, option in self.options())

    def contradictions(self, variant: int | None = None, energy_type: int | None = None) -> list[str]:
        """What does not go together, among the codes and with X8 and X9 of the meter where they are known."""
        faults = []
        for name, option in self.options():
            if variant is not None and option.variant not in (None, variant):
                faults.append(f"{name}: {self[name]} ({option.meaning}) is for variant {option.variant} only, X8 is {variant}")
            if option.refused:
                faults.append(f"{name}: {self[name]} ({option.meaning}) is refused, {option.refused}")
        given = self.to_dict()
        side, channels = given.get("Z23"), given.get("Z29")
        if side and channels and (side == "2") != (len(channels) == 2):
            wanted = "1 to 6" if side == "1" else "11 to 16"
            faults.append(
                f"Z29: {channels} contradicts Z23 = {side}, expected {wanted} for a {'primary' if side == '1' else 'secondary'} load profile"
            )
        if given.get("Z13") == "port" and "Z3" in given and not MODULES[given["Z3"]].tariffs:
            faults.append(f"Z13: port control needs tariff inputs, Z3 = {given['Z3']} has none")
        if energy_type is not None:
            faults += self._unregistered(energy_type)
        return faults

    def _unregistered(self, energy_type: int) -> Iterator[str]:
        """Codes that ask for energies the meter does not register."""
        given = self.to_dict()
        module, channels = given.get("Z3", "00"), int(given.get("Z29", energy_type))
        for name, wanted in (("Z3", MODULES[module].outputs), ("Z29", PROFILES[channels % 10])):
            missing = " ".join(missing_energies(energy_type, wanted))
            if missing:
                there = " ".join(PROFILES[energy_type])
                yield f"{name}: {given[name]} needs {missing}, which X9 = {energy_type} ({there}) does not register"


def _pairs(source: Any) -> tuple[list[tuple[str, Any]], list[str]]:
    """Names and values as given, and what could not be read."""
    if isinstance(source, Mapping):
        return [(str(name).upper(), value) for name, value in source.items()], []
    if not isinstance(source, str):
        return [], [f'software_codes: {source!r} is neither text such as "Z1=1 Z3=05" nor a table']
    pairs: list[tuple[str, Any]] = []
    faults = []
    for word in filter(None, re.split(r"[\s,;]+", _ASSIGNMENT.sub("=", source))):
        name, equals, value = word.partition("=")
        if equals:
            pairs.append((name.upper(), value))
        else:
            faults.append(f"software_codes: {word!r}, expected a code and its value such as Z1=1")
    return pairs, faults


def describe() -> Iterator[tuple[str, str, str, str]]:
    """Name of the code, what it decides, a value and its meaning, for help and documentation.

    Values of order forms stand as "..." ; Z21 is summed up in one line.
    """
    for code in (*HARDWARE.values(), *SOFTWARE.values()):
        name = "X14-X16" if code.name == "X14" else code.name
        if code.name == "Z21":
            yield name, code.title, "001-600", "ratio; also a pair such as 200/5"
            continue
        for value, option in code.options.items():
            yield name, code.title, value, option.meaning
        if code.free:
            yield name, code.title, "...", "see its order form"
