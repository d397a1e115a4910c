"""State of nested mappings, plain values and arrays to bytes and back: JSON and npy."""

from __future__ import annotations

import io
import json
import struct
from typing import Any

import numpy as np

__all__ = ["from_bytes", "to_bytes"]


def to_bytes(state: Any) -> bytes:
    """State as bytes: length of the JSON, the JSON, the arrays it counts."""
    arrays: list[np.ndarray] = []

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            arrays.append(value)
            return {"array": len(arrays) - 1}
        if isinstance(value, np.generic):
            return value.item()
        raise TypeError(f"{type(value).__name__} in a state")

    head = json.dumps(state, default=plain).encode()
    body = io.BytesIO()
    for array in arrays:
        np.save(body, np.ascontiguousarray(array), allow_pickle=False)
    return struct.pack("<Q", len(head)) + head + body.getvalue()


def from_bytes(data: bytes) -> Any:
    """The inverse of `to_bytes`.

    Raises
    ------
    ValueError, KeyError
        Damaged bytes.
    """
    if len(data) < 8:
        raise ValueError("too short")
    (size,) = struct.unpack_from("<Q", data)
    body = io.BytesIO(data[8 + size :])
    arrays: list[np.ndarray] = []

    def full(value: dict[str, Any]) -> Any:
        if value.keys() != {"array"}:
            return value
        while len(arrays) <= value["array"]:
            try:
                arrays.append(np.load(body, allow_pickle=False))
            except EOFError as error:
                raise ValueError(str(error)) from None
        return arrays[value["array"]]

    return json.loads(data[8 : 8 + size], object_hook=full)
