"""State of detectors as bytes: JSON, with arrays in base 64."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np

from ..errors import InputError

__all__ = ["dumps", "loads"]


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"dtype": value.dtype.str, "shape": list(value.shape), "data": data}
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no place in a snapshot")


def _array(value: dict[str, Any]) -> Any:
    if value.keys() == {"dtype", "shape", "data"}:
        return np.frombuffer(base64.b64decode(value["data"]), np.dtype(value["dtype"])).reshape(value["shape"]).copy()
    return value


def dumps(state: dict[str, Any]) -> bytes:
    """Plain values and arrays as bytes; floats keep every bit."""
    return json.dumps(state, default=_plain).encode()


def loads(data: bytes, version: int) -> dict[str, Any]:
    """The inverse of `dumps`.

    Raises
    ------
    InputError
        Not a snapshot of this version.
    """
    try:
        state: dict[str, Any] = json.loads(data, object_hook=_array)
        if state["version"] != version:
            raise ValueError(f"version {state['version']}")
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"snapshot: {error}", expected="one of this version") from None
    return state
