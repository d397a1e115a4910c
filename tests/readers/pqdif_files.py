"""PQDIF files made by hand: trees of tagged elements, as bytes."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from ctmeter.readers._pqdif_tags import CHARACTERISTICS, KINDS, RECORDS, SIGNATURE, TAGS, VALUE_TYPES

OF = {name: guid for guid, name in TAGS.items()}
ID = {name: guid for table in (KINDS, VALUE_TYPES, CHARACTERISTICS) for guid, name in table.items()}
RECORD = {name: guid for guid, name in RECORDS.items()}
TYPES = {"i1": 20, "i2": 21, "i4": 22, "u1": 30, "u2": 31, "u4": 32, "f4": 40, "f8": 41}
DAY = 36313  # 1999-06-02


class G(bytes):
    """A GUID."""


class T(tuple):
    """A time: day, seconds."""


def encoded(tree: list) -> bytes:
    """A collection: pairs of tag and value; a value that is a list of pairs is a collection, an array a vector."""
    out = bytearray()

    def put(pairs: list) -> int:
        at = len(out)
        out.extend(struct.pack("<I", len(pairs)) + bytes(28 * len(pairs)))
        for k, (tag, value) in enumerate(pairs):
            kind, physical, embedded, body = element(value)
            if kind == 1:
                body = struct.pack("<II", put(value), 0)
            elif not embedded:
                link = len(out)
                out.extend(body + bytes(-len(body) % 4))
                body = struct.pack("<II", link, len(body))
            slot = at + 4 + 28 * k
            out[slot : slot + 28] = (
                OF.get(tag, tag if isinstance(tag, bytes) else bytes(16)) + bytes([kind, physical, embedded, 0]) + body.ljust(8, b"\0")
            )
        return at

    put(tree)
    return bytes(out)


def element(value) -> tuple[int, int, int, bytes]:
    if isinstance(value, list):
        return 1, 0, 0, b""
    if isinstance(value, G):
        return 2, 60, 0, bytes(value)
    if isinstance(value, T):
        return 2, 50, 0, struct.pack("<Id", *value)
    if isinstance(value, str):
        data = value.encode("latin-1") + b"\0"
        return 3, 10, 0, struct.pack("<I", len(data)) + data
    if isinstance(value, bytes):  # a vector as it is
        return 3, value[0], 0, value[1:]
    if isinstance(value, np.ndarray):
        return 3, TYPES[value.dtype.str[1:]], 0, struct.pack("<I", len(value)) + value.tobytes()
    if isinstance(value, bool):
        return 2, 3, 1, struct.pack("<I", value)
    if isinstance(value, int):
        return 2, 32, 1, struct.pack("<I", value)
    return 2, 41, 1, struct.pack("<d", value)


def record(kind: str, body: bytes, at: int, packed: bool, last: bool = False, following: int | None = None) -> bytes:
    data = zlib.compress(body) if packed else body
    after = at + 64 + len(data) if following is None else following
    return SIGNATURE + RECORD[kind] + struct.pack("<IIII", 64, len(data), 0 if last else after, zlib.adler32(data)) + bytes(16) + data


def chain(*parts: tuple[str, bytes], packed: bool = True) -> bytes:
    """A file of records; the first stands as it is."""
    out = b""
    for k, (kind, body) in enumerate(parts):
        out += record(kind, body, len(out), packed and k > 0, k == len(parts) - 1)
    return out


def container(packed: bool = True) -> tuple[str, bytes]:
    pairs = [("version", np.array([1, 5, 1, 5], "<u4")), ("title", "by hand")]
    return "container", encoded([*pairs, ("compression_style", 2), ("compression", 1)] if packed else pairs)


def definition(name: str, phase: int = 0, quantity: int = 1, kind: str = "waveform", storage: tuple[int, int] = (4, 3), time_unit: int = 2) -> list:
    series = [
        [("units", time_unit), ("value_type", G(ID["time"])), ("storage", storage[0])],
        [
            ("units", {1: 6, 2: 7}.get(quantity, 0)),
            ("value_type", G(ID["values"])),
            ("characteristic", G(ID["instantaneous" if kind == "waveform" else "rms"])),
            ("storage", storage[1]),
        ],
    ]
    pairs = [("channel_name", name)] if name else []
    return [
        *pairs,
        ("phase", phase),
        ("quantity_measured", quantity),
        ("quantity_type", G(ID[kind])),
        ("series_definitions", [("series_definition", s) for s in series]),
    ]


def source(*definitions: list, name: str = "monitor", zone: float | None = None) -> tuple[str, bytes]:
    pairs = [("source_name", name), ("channel_definitions", [("channel_definition", d) for d in definitions])]
    return "source", encoded(pairs if zone is None else [*pairs, ("utc_to_standard", zone)])


def settings(*ratios: tuple[int, float, float], transducer: bool = False, frequency: float = 60.0, calibration: bool = False) -> tuple[str, bytes]:
    each = [("channel_setting", [("definition_index", k), ("system_side", a), ("monitor_side", b)]) for k, a, b in ratios]
    return "settings", encoded(
        [("use_calibration", calibration), ("use_transducer", transducer), ("nominal_frequency", frequency), ("channel_settings", each)]
    )


def instance(index: int, *series: list) -> list:
    return [("definition_index", index), ("series_instances", [("series_instance", s) for s in series])]


def values(data: np.ndarray, scale: float | None = None, offset: float | None = None) -> list:
    pairs: list = [("values", data)]
    if scale is not None:
        pairs.append(("scale", scale))
    return pairs if offset is None else [*pairs, ("offset", offset)]


def shared(channel: int, series: int) -> list:
    return [("share_channel", channel), ("share_series", series)]


def steps(*parts: tuple[float, float], dtype: str = "<f4") -> list:
    return values(np.array([len(parts), *(x for part in parts for x in part)], dtype))


def observation(*instances: list, start: tuple[int, float] = (DAY, 3014.0), name: str = "Obs") -> tuple[str, bytes]:
    every = [("channel_instance", i) for i in instances]
    return "observation", encoded([("observation_name", name), ("start", T(start)), ("channel_instances", every)])
