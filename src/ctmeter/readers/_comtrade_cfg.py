"""The configuration part of a COMTRADE record: parsed with tolerance, every liberty taken is noted."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from ..errors import InputError
from ..recording import Channel
from ._comtrade_text import decode, integer, number, parse_offset, parse_time, unit_of

__all__ = ["FILE_TYPES", "Cfg", "parse_cfg"]

FILE_TYPES = ("ASCII", "BINARY", "BINARY32", "FLOAT32")
#: Hz; no recorder of power samples faster, so more is a damaged or lying file.
_HIGHEST_RATE = 1e8
_ANALOG = "An,ch_id,ph,ccbm,uu,a,b,skew,min,max,primary,secondary,PS"
_COUNT = re.compile(r"(\d{1,9})\s*([AaDd])")


@dataclass
class Cfg:
    """What a CFG says, as far as it makes sense. Times are ns since 1970-01-01 UTC."""

    path: Path
    encoding: str = ""
    station: str = ""
    device: str = ""
    declared_revision: str = ""
    revision: int = 1991
    channels: tuple[Channel, ...] = ()
    circuits: tuple[str, ...] = ()
    status_names: tuple[str, ...] = ()
    nominal_frequency: float | None = None
    rates: list[tuple[float, int]] = field(default_factory=list)
    rate_lines: list[int] = field(default_factory=list)
    start_ns: int | None = None
    trigger_ns: int | None = None
    file_type: str = ""
    multiplier: float = 1.0
    stamp_unit: float = 1e-6
    time_code: str = ""
    local_code: str = ""
    quality: str = ""
    warnings: list[str] = field(default_factory=list)
    _grouped: dict[str, list[int]] = field(default_factory=dict)

    def note(self, sentence: str) -> None:
        self.warnings.append(sentence)

    def note_line(self, what: str, line: int) -> None:
        """One sentence for all lines with the same oddity."""
        self._grouped.setdefault(what, []).append(line)

    def finish_notes(self) -> None:
        for what, lines in self._grouped.items():
            shown = ", ".join(map(str, lines[:5])) + (f" and {len(lines) - 5} more" if len(lines) > 5 else "")
            self.note(f"{self.path.name}, line{'s' if len(lines) > 1 else ''} {shown}: {what}")


class _Lines:
    """Lines that are not blank, with their numbers."""

    def __init__(self, path: Path, text: str, first_line: int) -> None:
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._path = path
        self._lines = [(k, line.strip(" \t\0")) for k, line in enumerate(lines, first_line) if line.strip(" \t\0")]
        self._at = 0
        self._end = first_line + len(lines) - 1

    def __len__(self) -> int:
        return len(self._lines) - self._at

    @property
    def line(self) -> int:
        """Number of the line given last."""
        return self._lines[self._at - 1][0] if self._at else 1

    def peek(self) -> str:
        return self._lines[self._at][1] if self else ""

    def next(self, expected: str) -> str:
        if not self:
            raise InputError("the configuration ends here", path=self._path, line=self._end, expected=expected)
        self._at += 1
        return self._lines[self._at - 1][1]


def parse_cfg(data: bytes, path: Path, *, encoding: str | None = None, first_line: int = 1) -> Cfg:
    """Parse the bytes of a CFG.

    Parameters
    ----------
    data : bytes
    path : Path
        For messages.
    encoding : str, optional
        Of the text; detected where not given.
    first_line : int
        Number of the first line within its file.

    Raises
    ------
    InputError
        What stands there cannot be a configuration, or declares what its own lines or reason contradict.
    """
    cfg = Cfg(path)
    end = data.find(b"\x1a")
    if end >= 0 and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        cfg.note(f"{path.name}, byte {end}: DOS end-of-file mark in the configuration; nothing is read after it")
        data = data[:end]
    try:
        text, cfg.encoding = decode(data, encoding)
    except LookupError:
        raise InputError(f"unknown encoding {encoding!r}", path=path, expected="a name Python knows, such as gb18030") from None
    if encoding is None and cfg.encoding not in ("ascii", "utf-8"):
        cfg.note(f"{path.name}: the text is not UTF-8; it was read as {cfg.encoding}")
    lines = _Lines(path, text.lstrip("\ufeff"), first_line)
    _head(cfg, lines)
    n_analog, n_status = _counts(cfg, lines)
    _channels(cfg, lines, n_analog, n_status)
    _rates(cfg, lines)
    _times_and_type(cfg, lines)
    cfg.finish_notes()
    return cfg


def _refuse(cfg: Cfg, lines: _Lines, problem: str, expected: str) -> NoReturn:
    raise InputError(problem, path=cfg.path, line=lines.line, expected=expected)


def _head(cfg: Cfg, lines: _Lines) -> None:
    fields = lines.next("station,device,revision").split(",")
    while len(fields) > 1 and not fields[-1].strip():
        fields.pop()
    year = integer(fields[-1]) if len(fields) > 1 else None
    if year is not None and (len(fields) > 2 or 1990 <= year < 2100):
        cfg.declared_revision = fields.pop().strip()
    cfg.device = fields.pop().strip() if len(fields) > 1 else ""
    cfg.station = ",".join(fields).strip()
    if year is None or not cfg.declared_revision:
        cfg.revision = 1991
        return
    cfg.revision = 2013 if year >= 2013 else 1999 if year > 1991 else 1991
    if year != cfg.revision:
        cfg.note_line(f"revision year {cfg.declared_revision} is none of 1991, 1999, 2013; read as {cfg.revision}", lines.line)


def _counts(cfg: Cfg, lines: _Lines) -> tuple[int, int]:
    expected = "channel counts such as 8,4A,4D"
    text = lines.next(expected)
    counts = {"A": 0, "D": 0}
    fields = [f.strip() for f in text.split(",")]
    found = [_COUNT.fullmatch(f) for f in fields]
    wrong = [f for f, match in zip(fields[1:], found[1:], strict=True) if match is None and integer(f) is None and f]
    if wrong or not any(found):
        _refuse(cfg, lines, f"{text[:60]!r} names no channel counts", expected)
    for match in filter(None, found):
        counts[match[2].upper()] = int(match[1])
    total = integer(fields[0])
    n_analog, n_status = counts["A"], counts["D"]
    if n_analog + n_status == 0:
        _refuse(cfg, lines, "no channels are declared", "at least one")
    if n_analog + n_status > len(lines):
        _refuse(cfg, lines, f"{n_analog + n_status} channels are declared, but only {len(lines)} lines follow", "a line for each channel")
    if total != n_analog + n_status:
        cfg.note_line(f"the counts {text[:40]!r} do not add up; {n_analog} analog and {n_status} status channels were read", lines.line)
    return n_analog, n_status


def _channels(cfg: Cfg, lines: _Lines, n_analog: int, n_status: int) -> None:
    channels, circuits, names = [], [], []
    for k in range(n_analog):
        channel, circuit = _analog(cfg, lines, k + 1)
        channels.append(channel)
        circuits.append(circuit)
    for k in range(n_status):
        fields = [f.strip() for f in lines.next("a status channel: Dn,ch_id,ph,ccbm,y").split(",")]
        if len(fields) < 2 or integer(fields[0]) is None:
            _refuse(cfg, lines, f"{','.join(fields)[:60]!r} is no status channel; the counts in line 2 may be wrong", "Dn,ch_id,ph,ccbm,y")
        names.append(fields[1] or f"D{k + 1}")
    cfg.channels, cfg.circuits, cfg.status_names = tuple(channels), tuple(circuits), tuple(names)


def _align(fields: list[str]) -> list[str]:
    """The fields of an analog line of too many, one for each place: commas inside the name joined, the rest dropped.

    The first alignment holds in which the places for numbers hold numbers and that for P or S holds it.
    """
    places = 13 if len(fields) > 13 else 10
    for extra in range(len(fields) - places + 1):
        moved = [fields[0], ",".join(fields[1 : 2 + extra]), *fields[2 + extra :]]
        numbers = number(moved[5]) is not None and all(not x or number(x) is not None for x in moved[6:10])
        if numbers and (places == 10 or moved[12].lower() in ("p", "s")):
            return moved
    return fields


def _analog(cfg: Cfg, lines: _Lines, index: int) -> tuple[Channel, str]:
    fields = [f.strip() for f in lines.next(f"analog channel {index}: {_ANALOG}").split(",")]
    if len(fields) > 13 or (10 < len(fields) < 13 and number(fields[5]) is None):
        aligned = _align(fields)
        if aligned[1] != fields[1]:
            cfg.note_line("a name holds commas; the fields after it were found by their numbers", lines.line)
        elif any(aligned[13:]):
            cfg.note_line("surplus fields at the end of an analog channel were ignored", lines.line)
        elif len(aligned) > 13:
            cfg.note_line("a comma too many at the end of an analog channel", lines.line)
        fields = aligned
    if len(fields) < 7 or number(fields[5]) is None:
        _refuse(cfg, lines, f"{','.join(fields)[:80]!r} is no analog channel with a multiplier", _ANALOG)
    if integer(fields[0]) != index:
        cfg.note_line("channel numbers are not in order; the order of the lines counts", lines.line)

    def value(place: int, name: str, default: float = 0.0) -> float:
        text = fields[place] if place < len(fields) else ""
        result = number(text)
        if result is None:
            cfg.note_line(f"{name} is {'empty' if not text else 'no number'}, taken as {default:g}", lines.line)
            return default
        return result

    unit, factor = unit_of(fields[4])
    scale = value(5, "a")
    if scale == 0:
        cfg.note_line("multiplier a is 0, so the channel is constant", lines.line)
    offset, skew = value(6, "offset b"), value(7, "skew")
    low, high = (number(fields[k]) if k < len(fields) else None for k in (8, 9))
    limits = (low, high) if low is not None and high is not None and low < high and max(-low, high) < 1e37 else None
    if limits is None and (low is None or high is None or low >= high):
        cfg.note_line("min and max are no range; saturation is not recognised by them", lines.line)
    ratio, side = _ratio(cfg, fields, lines.line)
    name = fields[1] or f"A{index}"
    return Channel(name, scale * factor, offset * factor, unit, None, fields[2], ratio, side, skew * 1e-6, limits), fields[3]


def _ratio(cfg: Cfg, fields: list[str], line: int) -> tuple[float, str | None]:
    if len(fields) < 13 or not any(fields[10:13]):
        if cfg.revision > 1991:
            cfg.note_line("no transformer ratio or P/S flag", line)
        return 1.0, None
    primary, secondary = number(fields[10]), number(fields[11])
    side = {"p": "primary", "s": "secondary"}.get(fields[12].lower()[:1])
    if side is None:
        cfg.note_line(f"{fields[12][:10]!r} is neither P nor S; the side of the values is unknown", line)
    ratio = 1.0
    if primary is not None and secondary is not None and primary > 0 and secondary > 0 and primary / secondary < 1e12:
        ratio = primary / secondary
    else:
        cfg.note_line(f"primary {fields[10][:20]!r} and secondary {fields[11][:20]!r} are no ratio, taken as 1", line)
    return ratio, side


def _rates(cfg: Cfg, lines: _Lines) -> None:
    text = lines.next("the line frequency")
    if text.count(",") > 1:
        _refuse(cfg, lines, f"{text[:60]!r} is no line frequency; the counts in line 2 may be wrong", "a number of Hz")
    frequency = number(text.split(",")[0])
    if frequency is not None and 1 <= frequency <= 1000:
        cfg.nominal_frequency = frequency
    else:
        cfg.note_line(f"line frequency {text[:20]!r} is not usable; none is taken", lines.line)
    count = integer(lines.next("the number of sample rates"))
    if count is None or count < 0:
        _refuse(cfg, lines, "no number of sample rates", "a whole number, 0 or more")
    if count > len(lines):
        _refuse(cfg, lines, f"{count} sample rates are declared, but only {len(lines)} lines follow", "a line for each rate")
    if count == 0 and not _is_rate(lines.peek()):
        cfg.note_line("no sample rate and no number of samples; the time stamps and the size of the data decide", lines.line)
        return
    for _ in range(max(count, 1)):
        fields = [f.strip() for f in lines.next("a sample rate: samp,endsamp").split(",")]
        rate, last = number(fields[0]), integer(fields[1]) if len(fields) > 1 else None
        if rate is None or not 0 <= rate <= _HIGHEST_RATE:
            _refuse(cfg, lines, f"sample rate {fields[0][:30]!r}", "a number of Hz, not negative and below 1e8")
        if last is None or last < 0:
            _refuse(cfg, lines, f"last sample {','.join(fields[1:])[:30]!r} of a rate", "a whole number, 0 or more")
        cfg.rates.append((rate, last))
        cfg.rate_lines.append(lines.line)


def _is_rate(text: str) -> bool:
    fields = text.split(",")
    return len(fields) >= 2 and number(fields[0]) is not None and number(fields[1]) is not None


def _times_and_type(cfg: Cfg, lines: _Lines) -> None:
    times: list[int | None] = []
    digits = 0
    for what in ("start", "trigger"):
        if not lines or _file_type(lines.peek()):
            cfg.note(f"{cfg.path.name}, after line {lines.line}: no {what} time")
            times.append(None)
            continue
        text = lines.next(f"the {what} time")
        ns, decimals, oddity = parse_time(text, cfg.revision == 1991)
        digits = max(digits, decimals)
        if ns is None:
            cfg.note_line(f"the {what} time {text[:40]!r} {oddity}" + ("; the recording has no clock" if what == "start" else ""), lines.line)
        elif oddity:
            cfg.note_line(f"the {what} time {text[:40]!r} {oddity}", lines.line)
        times.append(ns)
    if lines:
        text = lines.next("the file type")
        cfg.file_type = _file_type(text)
        if not cfg.file_type:
            cfg.note_line(f"file type {text[:20]!r} is none of {', '.join(FILE_TYPES)}; the data decide", lines.line)
    else:
        cfg.note(f"{cfg.path.name}, after line {lines.line}: no file type; the data decide")
    _multiplier_and_codes(cfg, lines, digits)
    if cfg.quality[:1] in ("F", "f") and times[0] == 0:
        # a failed clock that still stands at 1970-01-01 tells no time; writers without one say so in this way
        cfg.note(f"{cfg.path.name}: the clock has failed and stands at 1970-01-01; the recording has no clock")
        cfg.trigger_ns = times[1] or None
        return
    offset = parse_offset(cfg.time_code) if cfg.time_code else None
    if offset is None and times[0] is not None:
        why = f"time code {cfg.time_code!r} names no offset" if cfg.time_code else "no time code"
        cfg.note(f"{cfg.path.name}: {why}; the times are taken as UTC")
    cfg.start_ns, cfg.trigger_ns = (None if t is None else t - (offset or 0) * 1_000_000_000 for t in times)


def _file_type(text: str) -> str:
    word = text.split(",")[0].strip().upper().replace(" ", "")
    return {"BIN": "BINARY", "BINARY16": "BINARY", "FLOAT": "FLOAT32"}.get(word, word if word in FILE_TYPES else "")


def _multiplier_and_codes(cfg: Cfg, lines: _Lines, digits: int) -> None:
    if lines:
        text = lines.next("the time multiplier")
        value = number(text.split(",")[0])
        if value is not None and 0 < value < 1e12:
            cfg.multiplier = value
        else:
            cfg.note_line(f"time multiplier {text[:20]!r} is not usable, taken as 1", lines.line)
    elif cfg.revision > 1991:
        cfg.note(f"{cfg.path.name}, after line {lines.line}: no time multiplier, taken as 1")
    if cfg.revision >= 2013:
        # 2013: stamps count ns where the times of the CFG are given to the ns
        cfg.stamp_unit = 1e-9 if digits > 6 else 1e-6
        if lines:
            cfg.time_code, _, cfg.local_code = (part.strip() for part in lines.next("time codes").partition(","))
        if lines:
            cfg.quality = lines.next("time quality")
    cfg.stamp_unit *= cfg.multiplier
