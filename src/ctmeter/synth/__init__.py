"""Waveforms whose truth is known in closed form, of any length, computed as they are read.

A specification is a TOML file or the same as a mapping; `docs/synth.md` describes every key. The
shortest one:

    sample_rate = 12800.0
    duration = 10.0

makes 230 V and 5 A, three phases and four wires, at 50 Hz. Everything else is added by keys:

    [voltage]
    harmonics = [{ order = 5, percent = 4.0, phase = 180.0 }]
    [current]
    amplitude = 4.0
    lag = 30.0
    [[event]]
    type = "dip"
    phases = ["L1"]
    start = 2.0
    cycles = 5
    residual = 0.6
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError, SettingsError
from ..recording import Channel, Gap, Recording, Segment
from .plan import Plan
from .source import Generator
from .spec import read_plan
from .truth import truth

__all__ = ["generate", "recording_of"]


def generate(spec: Mapping[str, Any] | str | os.PathLike[str]) -> Recording:
    """Synthesise a recording.

    Parameters
    ----------
    spec : mapping, or path of a TOML file
        See the module's description.

    Returns
    -------
    Recording
        Lazy, of any length; `metadata["truth"]` says what was synthesised.

    Raises
    ------
    SettingsError
        With every fault of the specification.
    InputError
        A file that cannot be read or is not TOML.

    Examples
    --------
    >>> rec = generate({"sample_rate": 10000, "duration": 1, "voltage": {"amplitude": 230}, "current": {"amplitude": 5, "lag": 60}})
    >>> rec.samples, round(rec.metadata["truth"]["values"]["P"], 6)
    (10000, 1725.0)
    """
    if not isinstance(spec, Mapping | str | os.PathLike):
        raise SettingsError(f"spec is {spec!r}, not a mapping or a path")
    if not isinstance(spec, Mapping):
        spec = _load(Path(spec))
    return recording_of(read_plan(spec))


def recording_of(plan: Plan) -> Recording:
    """The recording of a plan; see `generate`."""
    gaps, lost = [], 0
    for m in plan.missing:
        if m.cut:
            gaps.append((m.first - lost, Gap(m.stop - m.first, "specified")))
            lost += m.stop - m.first
    segment = Segment(0, plan.samples - lost, plan.sample_rate, plan.start_ns)
    metadata: dict[str, Any] = {"truth": truth(plan)}
    if plan.title:
        metadata["title"] = plan.title
    return Recording(
        Generator(plan),
        tuple(_channel(plan, role) for role in plan.roles),
        (segment,),
        gaps=tuple(gaps),
        nominal_frequency=plan.nominal_frequency,
        format="synthesised",
        metadata=metadata,
    )


def _channel(plan: Plan, role: str) -> Channel:
    half = 2 ** (plan.bits - 1) if plan.bits else 0
    return Channel(
        role,
        scale=(plan.lsb(role) or 1.0) if plan.integer else 1.0,
        phase=role[2:],
        ratio=plan.vt_ratio if role[0] == "U" else plan.ct_ratio,
        side=plan.side,
        range=(float(-half), float(half - 1)) if plan.integer else None,
        missing=float(plan.missing_value) if plan.integer and any(not m.cut for m in plan.missing) else None,
    )


def _load(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"is not TOML: {error}", path=path) from None
