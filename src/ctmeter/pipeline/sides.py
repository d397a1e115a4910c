"""Primary and secondary: channels scaled to the side on which results come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..recording import Channel, Wiring
from ..settings import Settings

__all__ = ["nearest_standard_voltage", "on_side"]

_LOW = (57.735, 63.509, 69.282, 100.0, 110.0, 120.0, 127.0, 200.0, 208.0, 220.0, 230.0, 240.0, 277.0, 347.0, 400.0, 415.0, 480.0, 600.0, 690.0)
_HIGH_KV = (
    3.0, 3.3, 4.16, 6.0, 6.6, 10.0, 11.0, 12.47, 13.8, 15.0, 20.0, 22.0, 24.9, 30.0, 33.0, 34.5, 35.0, 66.0, 69.0, 110.0, 115.0, 132.0, 138.0,
    150.0, 161.0, 220.0, 230.0, 275.0, 330.0, 345.0, 380.0, 400.0, 500.0, 735.0, 750.0, 765.0,
)  # fmt: skip


def on_side(channels: Sequence[Channel], settings: Settings) -> tuple[tuple[Channel, ...], dict[str, str], list[str]]:
    """Channels whose scale gives values on the side the settings ask for.

    Parameters
    ----------
    channels : sequence of Channel
    settings : Settings
        Its `ct_ratio` and `vt_ratio` replace the ratios of the file.

    Returns
    -------
    channels : tuple of Channel
    sides : dict
        What U, I and P stand for: "primary", "secondary" or "as-recorded".
    notes : list of str
        What the user should know.
    """
    notes: list[str] = []
    own = {"U": settings.vt_ratio, "I": settings.ct_ratio}
    option = {"U": "vt_ratio", "I": "ct_ratio"}
    recorded: dict[str, set[str | None]] = {"U": set(), "I": set()}
    result: list[Channel] = []
    assumed: set[str] = set()
    unscaled: set[str] = set()
    unknown: set[str] = set()
    already: set[str] = set()
    for c in channels:
        kind = c.role[0] if c.role else ""
        if kind not in own:
            result.append(c)
            continue
        ratio = own[kind] or c.ratio or 1.0
        recorded[kind].add(c.side)
        factor = 1.0
        if settings.side != "as-recorded" and c.side == settings.side and own[kind] not in (None, 1.0):
            already.add(kind)
        if settings.side != "as-recorded" and c.side != settings.side:
            if c.side is None:
                assumed.add(kind)
            # where the file does not say, values are taken as read on the secondary
            factor = ratio if settings.side == "primary" else (1.0 if c.side is None else 1.0 / ratio)
            if ratio == 1.0 and own[kind] is None:
                (unknown if c.side is None and settings.side == "primary" else unscaled).add(kind)
        side = c.side if settings.side == "as-recorded" else settings.side
        result.append(replace(c, scale=c.scale * factor, offset=c.offset * factor, ratio=ratio, side=side))
    words = {"U": "voltages", "I": "currents"}
    for kind in sorted(unknown):
        neither = f"neither the side nor a transformer ratio of the {words[kind]} is known"
        notes.append(f"{neither}: they stand as recorded although they are called primary ({option[kind]}, --{option[kind][:2]}, says the ratio)")
    for kind in sorted(assumed - unknown):
        notes.append(f"the recording does not say on which side its {words[kind]} are: taken as secondary values")
    for kind in sorted(already):
        notes.append(f"{option[kind]} is given, but the recording says that its {words[kind]} are {settings.side} values: not scaled")
    for kind in sorted(unscaled):
        notes.append(f"no transformer ratio is known for the {words[kind]}: taken as 1 ({option[kind]})")
    if settings.side == "as-recorded":
        for kind in own:
            if own[kind] not in (None, 1.0) and recorded[kind]:
                notes.append(f"{option[kind]} is given, but values come out as recorded: side = primary or secondary scales them")
        sides = {k: next(iter(s)) or "as-recorded" if len(s) == 1 else "as-recorded" for k, s in recorded.items()}
    else:
        sides = {"U": settings.side, "I": settings.side}
    sides["P"] = sides["U"] if sides["U"] == sides["I"] else "as-recorded"
    return tuple(result), sides, notes


def nearest_standard_voltage(measured: float, wiring: Wiring) -> float | None:
    """The standard nominal voltage within 15 % of a measured one, None where there is none.

    Phase-to-neutral for three phases with four wires and one phase, line-to-line for three wires.
    """
    phase = 1.0 if wiring.name == "3P3W" else 3**0.5
    standard = [*_LOW, *(round(1000 * kv / phase, 1) for kv in _HIGH_KV)]
    near = min(standard, key=lambda v: abs(v - measured))
    return near if measured > 0 and abs(near - measured) <= 0.15 * near else None
