"""COMTRADE (IEEE C37.111, IEC 60255-24): revisions 1991, 1999 and 2013, CFG with DAT, and CFF.

Files of the field break the standard in every way; what can be read honestly is read, and every
liberty taken stands in `Recording.warnings`. The sizes of files are believed before any number in them.

References
----------
IEC 60255-24:2013
"""

from __future__ import annotations

import itertools
import mmap
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..recording import Recording, Segment
from ._access import distant, held, opened
from ._comtrade_ascii import TableData, parse_ascii
from ._comtrade_cfg import Cfg, parse_cfg
from ._comtrade_dat import Layout, MappedData, find_layout_fault
from ._comtrade_text import decode
from ._comtrade_time import plan_time

__all__ = ["READER", "ComtradeReader"]

_CFG_LIMIT = 16 << 20
_TEXT_LIMIT = 1 << 20
_COUNTS = re.compile(rb"^[^\r\n]*[\r\n]+\s*\d+\s*,\s*\d+\s*[Aa]\b", re.MULTILINE)
_SEPARATOR = re.compile(
    rb"^[ \t]*-{2,}[ \t]*file[ \t]*type[ \t]*:?[ \t]*(CFG|INF|HDR|DAT)[ \t]*([A-Z]+[ \t]*\d*)?[ \t]*(?::[ \t]*(\d*))?[ \t]*-*[ \t]*(\r\n|\n|\r|\Z)",
    re.MULTILINE | re.IGNORECASE,
)
#: ASCII numbers that stand for a missing sample.
_MISSING_ASCII = {1991: 999999, 1999: 99999, 2013: 99999}
#: A CFG that declares so many rows for a file that holds less than a thousandth of them is not a cut record but a lie.
_ABSURD_ROWS = 10**8


@dataclass
class _Parts:
    """The pieces of a record, wherever they came from."""

    cfg: bytes
    cfg_path: Path
    cfg_line: int
    dat_path: Path
    dat_offset: int
    dat_size: int
    file_type: str = ""
    hdr: bytes = b""
    inf: bytes = b""
    notes: tuple[str, ...] = ()
    container: str = ""


class ComtradeReader:
    """The reader object of this format."""

    name = "comtrade"
    extensions = (".cfg", ".cff", ".dat")

    def sniff(self, path: Path, head: bytes) -> bool:
        """Whether a file is part of a COMTRADE record, by its ending and its first bytes."""
        ending = path.suffix.lower()
        if ending in (".dat", ".hdr", ".inf"):
            return any(True for _ in partners(path, ".cfg"))
        return ending in (".cfg", ".cff") or _COUNTS.match(head) is not None or _SEPARATOR.match(head) is not None

    def by_ranges(self, path: Path, head: bytes) -> bool:
        """Whether a file of this beginning is read by ranges where it is a remote one: pairs are."""
        return path.suffix.lower() in (".cfg", ".dat", ".hdr", ".inf")

    def read(self, path: Path, *, rate: float | None = None, encoding: str | None = None, **options: Any) -> Recording:
        """Open a record by any of its files.

        Parameters
        ----------
        path : Path
            The .cfg, .dat or .cff, in any case.
        rate : float, optional
            Hz; replaces every declared rate.
        encoding : str, optional
            Of the text, detected where not given.

        Raises
        ------
        InputError
            Nothing there, no whole sample, or a configuration that cannot be.
        """
        if rate is not None and not 0 < rate < 1e8:
            raise InputError(f"rate {rate}", path=path, expected="a positive number of Hz")
        path = Path(path)
        try:
            parts = _cff_parts(path) if path.suffix.lower() == ".cff" or _is_cff(path) else _pair_parts(path)
            cfg = parse_cfg(parts.cfg, parts.cfg_path, encoding=encoding, first_line=parts.cfg_line)
            return _recording(path, parts, cfg, rate)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror or error}", path=error.filename or path) from error


READER = ComtradeReader()


def partners(path: Path, ending: str) -> Iterator[Path]:
    """Files beside `path` with the same stem and another ending, in any case; the likeliest first."""
    for place in _usual(path, ending):
        # a folder of ten thousand records would be listed ten thousand times
        if place.is_file():
            yield place
            return
    if ending not in (".cfg", ".dat"):
        return
    try:
        names = os.listdir(path.parent)
    except OSError:
        return
    wanted = (path.stem + ending).lower()
    found = [name for name in names if name.lower() == wanted]
    like = ending.upper() if path.suffix.isupper() else ending
    yield from (path.parent / name for name in sorted(found, key=lambda n: (Path(n).stem != path.stem, Path(n).suffix != like, n)))


def _usual(path: Path, ending: str) -> list[Path]:
    """How a file beside `path` is called nearly always."""
    endings = (ending.upper(), ending) if path.suffix.isupper() else (ending, ending.upper())
    stem = path.stem
    return [path.parent / f"{s}{e}" for s in dict.fromkeys((stem, stem.lower(), stem.upper())) for e in (*endings, ending.title())]


def _regular(path: Path) -> os.stat_result:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise InputError("is not a regular file", path=path, expected="a file")
    return status


def _read_text(path: Path, limit: int) -> bytes:
    size = _regular(path).st_size
    with opened(path) as file:
        return file.read(min(limit, size))


def _is_cff(path: Path) -> bool:
    if path.suffix.lower() in (".cfg", ".dat"):
        return False
    return _SEPARATOR.match(_read_text(path, 4096)) is not None


def _pair_parts(path: Path) -> _Parts:
    status = _regular(path)
    cfg_path = path
    if path.suffix.lower() in (".dat", ".hdr", ".inf"):
        found = next(partners(path, ".cfg"), None)
        if found is None:
            raise InputError("no configuration beside it", path=path, expected=path.stem + ".cfg")
        cfg_path, status = found, _regular(found)
    if status.st_size > _CFG_LIMIT:
        raise InputError(f"a configuration of {status.st_size} bytes", path=cfg_path, expected=f"at most {_CFG_LIMIT}")
    dat_path = path if path.suffix.lower() == ".dat" else next(partners(cfg_path, ".dat"), None)
    cfg = _read_text(cfg_path, _CFG_LIMIT)
    if dat_path is None:
        parse_cfg(cfg, cfg_path)  # a file that is no configuration at all is the greater fault
        raise InputError("no data file beside the configuration", path=cfg_path, expected=cfg_path.stem + ".dat")
    hdr, inf = (next(partners(cfg_path, ending), None) for ending in (".hdr", ".inf"))
    texts = [_read_text(p, _TEXT_LIMIT) if p is not None and p.is_file() else b"" for p in (hdr, inf)]
    return _Parts(cfg, cfg_path, 1, dat_path, 0, _regular(dat_path).st_size, "", texts[0], texts[1])


def _cff_parts(path: Path) -> _Parts:
    size = _regular(path).st_size
    if size == 0:
        raise InputError("an empty file", path=path, expected="a CFF")
    sections: dict[str, tuple[int, int, int]] = {}
    notes: list[str] = []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        limit = min(size, 2 * _CFG_LIMIT)
        end_of_cfg, file_type, declared, position, name = 0, "", "", 0, ""
        while match := _SEPARATOR.search(mapped, position, limit):
            if name:
                sections[name] = (sections[name][0], match.start(), sections[name][2])
            name = match[1].decode().upper()
            line = mapped[: match.end()].count(b"\n") + 1 if name == "CFG" else 1
            sections[name] = (match.end(), size, line)
            position = match.end()
            if name == "DAT":
                file_type = (match[2] or b"").decode().upper().replace(" ", "")
                declared = (match[3] or b"").decode()
                break
        del match
        if "CFG" not in sections or "DAT" not in sections:
            missing = "CFG" if "CFG" not in sections else "DAT"
            raise InputError(f"no section {missing}", path=path, offset=end_of_cfg, expected=f"a line --- file type: {missing} ---")
        start, end, _ = sections["DAT"]
        if file_type == "ASCII" and (after := _SEPARATOR.search(mapped, start)):
            end = after.start()
            del after
        elif declared and len(declared) < 18 and int(declared) < end - start and _SEPARATOR.match(mapped, start + int(declared) + 2):
            end = start + int(declared)
        if declared and file_type != "ASCII" and declared != str(end - start):
            notes.append(f"{path.name}: the data section declares {declared[:20]} bytes and holds {end - start}; what it holds was read")
        texts = {key: mapped[a : min(b, a + _CFG_LIMIT)] for key, (a, b, _) in sections.items() if key != "DAT"}
    return _Parts(
        texts["CFG"], path, sections["CFG"][2], path, start, end - start, file_type,
        texts.get("HDR", b"")[:_TEXT_LIMIT], texts.get("INF", b"")[:_TEXT_LIMIT], tuple(notes), " CFF",
    )  # fmt: skip


def _recording(path: Path, parts: _Parts, cfg: Cfg, rate: float | None) -> Recording:
    warnings = [*parts.notes, *cfg.warnings]
    file_type = _decide_type(parts, cfg, warnings)
    n_analog, n_status = len(cfg.channels), len(cfg.status_names)
    source: MappedData | TableData
    missing: float | None
    if file_type == "ASCII":
        code = _MISSING_ASCII[cfg.revision]
        with opened(parts.dat_path) as file:
            file.seek(parts.dat_offset)
            data = file.read(parts.dat_size)
        source, missing = parse_ascii(data, n_analog, n_status, code, parts.dat_path, parts.dat_offset, warnings), float(code)
    else:
        source, missing = _mapped(parts, Layout(file_type, n_analog, n_status), warnings)
    rates = _fit_rates(cfg, source.rows, parts.dat_path, warnings)
    plan = plan_time(
        source, rates, unit=cfg.stamp_unit, multiplier=cfg.multiplier, start_ns=cfg.start_ns,
        nominal=cfg.nominal_frequency, path=parts.dat_path, forced_rate=rate,
    )  # fmt: skip
    if rate is not None:
        warnings.append(f"the rate of {rate:g} Hz was given by the user; the declared rates were not used")
    return Recording(
        source,
        tuple(replace(channel, missing=missing) for channel in cfg.channels),
        tuple(plan.segments),
        tuple(plan.gaps),
        cfg.nominal_frequency,
        f"COMTRADE {cfg.revision} {file_type}{parts.container}",
        path,
        cfg.status_names,
        "",
        warnings + plan.warnings,
        _metadata(parts, cfg, plan.segments, plan.from_stamps),
    )


def _decide_type(parts: _Parts, cfg: Cfg, warnings: list[str]) -> str:
    """The file type that the data bear out."""
    with opened(parts.dat_path) as file:
        file.seek(parts.dat_offset)
        head = file.read(min(parts.dat_size, 64))
    text = bool(head.strip()) and not head.strip(b"0123456789+-.,eE \t\r\n\x1a") and b"," in head
    declared = cfg.file_type or (parts.file_type if parts.file_type in ("ASCII", "BINARY", "BINARY32", "FLOAT32") else "")
    if parts.file_type and declared != parts.file_type:
        warnings.append(f"{parts.cfg_path.name}: the configuration says {declared}, the data section {parts.file_type}; the former was followed")
    if not declared:
        return "ASCII" if text else "BINARY"
    if declared != "ASCII" and text and len(head) >= 16:
        warnings.append(f"{parts.dat_path.name}: {declared} is declared, but the data are text; read as ASCII")
        return "ASCII"
    return declared


def _mapped(parts: _Parts, layout: Layout, warnings: list[str]) -> tuple[MappedData, float | None]:
    rows, tail = divmod(parts.dat_size, layout.record)
    if rows == 0:
        raise InputError(
            f"{parts.dat_size} bytes of data, less than one record",
            path=parts.dat_path,
            offset=parts.dat_offset,
            expected=f"records of {layout.record} bytes",
        )
    content = held(parts.dat_path)
    if content.size < parts.dat_offset + rows * layout.record:
        raise InputError("the file shrank while it was opened", path=parts.dat_path)
    find_layout_fault(content, parts.dat_offset, parts.dat_size, layout, parts.dat_path)
    if tail:
        offset = parts.dat_offset + rows * layout.record
        buffer, base = content.window(offset, offset + tail)
        rest = bytes(buffer[offset - base : offset - base + tail])
        what = "a DOS end-of-file mark" if not rest.strip(b"\x1a\r\n") else f"the last {tail} bytes are no whole record of {layout.record} bytes"
        warnings.append(f"{parts.dat_path.name}, byte {offset}: {what}; left out")
    return MappedData(content, parts.dat_offset, rows, layout, distant(parts.dat_path)), layout.missing


def _fit_rates(cfg: Cfg, rows: int, dat: Path, warnings: list[str]) -> list[tuple[float, int]]:
    """Rates and ends of segments that cover exactly the rows there are."""
    rates = [(r, end) for r, end in cfg.rates if end > 0]
    if not rates:
        return [(cfg.rates[0][0] if cfg.rates else 0.0, rows)]
    ends = [end for _, end in rates]
    if any(b <= a for a, b in itertools.pairwise(ends)):
        if sum(ends) != rows:
            fault = next(k for k in range(1, len(ends)) if ends[k] <= ends[k - 1])
            raise InputError(
                f"the last sample {ends[fault]} of a rate is not after {ends[fault - 1]}",
                path=cfg.path, line=cfg.rate_lines[min(fault, len(cfg.rate_lines) - 1)], expected="last samples that increase",
            )  # fmt: skip
        warnings.append(f"{cfg.path.name}: the last samples of the rates do not increase; they are taken as counts, whose sum is right")
        ends = [sum(ends[: k + 1]) for k in range(len(ends))]
    declared = ends[-1]
    if declared >= _ABSURD_ROWS and rows * 1000 < declared:
        raise InputError(
            f"{declared} samples are declared, but the data hold {rows}", path=cfg.path, line=cfg.rate_lines[-1], expected=f"at most {rows}"
        )
    if declared != rows:
        difference = f"{declared - rows} fewer" if rows < declared else f"{rows - declared} more"
        warnings.append(f"{dat.name}: {rows} rows, {difference} than the {declared} declared; all {rows} are kept")
    fitted = [(rate, min(end, rows)) for (rate, _), end in zip(rates, ends, strict=True)]
    last = next(k for k, (_, end) in enumerate(fitted) if end == max(e for _, e in fitted))
    fitted = fitted[: last + 1]
    fitted[-1] = (fitted[-1][0], rows)
    return fitted


def _metadata(parts: _Parts, cfg: Cfg, segments: list[Segment], from_stamps: list[bool]) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "station": cfg.station,
        "device": cfg.device,
        "revision": cfg.declared_revision or "1991",
        "encoding": cfg.encoding,
        "trigger_ns": cfg.trigger_ns,
        "declared_rates": list(cfg.rates),
        "rates_from_stamps": [k for k, used in enumerate(from_stamps) if used],
        "time_multiplier": cfg.multiplier,
        "circuits": list(cfg.circuits),
    }
    for key, text in (("time_code", cfg.time_code), ("local_code", cfg.local_code), ("time_quality", cfg.quality)):
        if text:
            metadata[key] = text
    for key, data in (("hdr", parts.hdr), ("inf", parts.inf)):
        if data.strip():
            metadata[key], metadata[f"{key}_encoding"] = decode(data)
    return metadata
