"""What the terminals of the module say: the recording's status channels, read by the module's code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import InputError, SettingsError
from ..recording import Recording, Timebase
from .code_tables import Module
from .config import MeterConfig
from .tariff import TARIFFS, port_tariff

__all__ = ["FASTEST_PULSES", "Change", "changes", "check_selection", "checked_events"]

#: Pulses of an input in a second that can be believed.
FASTEST_PULSES = 25.0
#: What may happen beside the recordings. The ratio has a way of its own, which is locked and audited.
_BESIDE = {"tariff": TARIFFS, "pulse": range(1, 1 << 31), "billing-stop": (1,), **dict.fromkeys(("alarm", "tamper-cover", "tamper-magnetic"), (0, 1))}
_SELECTING = ("tariff", "tariff-a", "tariff-b")
_ROWS = 1 << 20


@dataclass(frozen=True)
class Change:
    """Something that an input, or a file beside the recording, says at an instant.

    Parameters
    ----------
    t_ns : int
        ns UTC.
    kind : {"tariff", "billing-stop", "pulse", "alarm", "ratio", "tamper-cover", "tamper-magnetic"}
    value : int
        The tariff from then on; the number of pulses; the ratio; of alarm and tamper 1 where it begins, 0 where it ends.
    """

    t_ns: int
    kind: str
    value: int


def changes(recording: Recording, module: Module, names: tuple[str, str], t0_ns: int) -> list[Change]:
    """What the module's inputs say during a recording, in the order of time.

    Parameters
    ----------
    recording : Recording
    module : Module
    names : tuple of 2 str
        Status channels of the two terminals, "" where none is recorded.
    t0_ns : int
        Time of the recording's first sample.

    Raises
    ------
    InputError
        A status channel that the recording does not have; it lists those that it has.
    """
    wanted = [name if port.direction == "in" else "" for name, port in zip(names, module.ports, strict=True)]
    if not any(wanted):
        return []
    there = recording.status_channels
    for name in wanted:
        if name and name not in there:
            known = "one of " + ", ".join(there) if there else "a recording with status channels"
            raise InputError(f"no status channel {name!r}", path=recording.path, expected=known)
    columns = [there.index(name) if name else -1 for name in wanted]
    found: list[Change] = []
    before: list[int | None] = [None, None]
    for t_ns, states in _edges(recording, columns, t0_ns):
        found += _meaning(module, before, states, t_ns)
        before = list(states)
    return found


def check_selection(config: MeterConfig) -> None:
    """Raise SettingsError where inputs choose the tariff of which no status channel is known."""
    faults = [
        f'input_{k}: the name of the status channel is needed, as tariff_source is "port" and terminal {k} of module {config.module} selects'
        for k, port in enumerate(config.terminals.ports, 1)
        if port.role in _SELECTING and config.tariff_source == "port" and not getattr(config, f"input_{k}")
    ]
    if faults:
        raise SettingsError(faults)


def checked_events(events: Iterable[Change], config: MeterConfig) -> list[Change]:
    """Events beside the recordings, in the order of time.

    Raises
    ------
    InputError
        An event that is none, or a value that it cannot have.
    SettingsError
        A tariff where the register does not choose it.
    """
    found = sorted(events, key=lambda e: e.t_ns)
    for event in found:
        if event.kind not in _BESIDE:
            raise InputError(f"event {event.kind!r}", expected="one of " + ", ".join(_BESIDE))
        if event.value not in _BESIDE[event.kind]:
            raise InputError(f"event {event.kind!r}: {event.value!r}", expected="a value that it can have")
        if event.kind == "tariff" and config.tariff_source != "register":
            raise SettingsError(f'tariff_source: "{config.tariff_source}", expected "register" for tariffs given as events')
    return found


def _edges(recording: Recording, columns: list[int], t0_ns: int) -> Iterator[tuple[int, tuple[int | None, int | None]]]:
    """Time and states of the two inputs, at the first row and wherever one changes."""
    shift = t0_ns - (recording.start_ns or 0)
    last: np.ndarray | None = None
    used = [c for c in columns if c >= 0]
    since = recording.start_ns or 0
    for segment in recording.segments:
        base = Timebase(since if segment.start_ns is None else segment.start_ns, segment.sample_rate)
        rows = np.array([row for row, _ in recording.gaps], np.int64)
        missing = np.cumsum([0] + [gap.samples for _, gap in recording.gaps])
        inside = int(missing[np.searchsorted(rows, segment.start)])
        for start in range(segment.start, segment.stop, _ROWS):
            stop = min(segment.stop, start + _ROWS)
            block = recording.read_status(start, stop)[:, used]
            previous = block[:1] ^ 1 if last is None else last
            at = np.flatnonzero((np.diff(block.astype(np.int8), axis=0, prepend=previous.astype(np.int8)) != 0).any(axis=1))
            for k in at.tolist():
                row = start + k
                elapsed = row - segment.start + int(missing[np.searchsorted(rows, row, side="right")]) - inside
                values = iter(block[k].tolist())
                first, second = (next(values) if c >= 0 else None for c in columns)
                yield base.ns(elapsed) + shift, (first, second)
            last = block[-1:]
        since = base.ns(segment.stop - segment.start + int(missing[np.searchsorted(rows, segment.stop)]) - inside)


def _meaning(module: Module, before: list[int | None], states: tuple[int | None, int | None], t_ns: int) -> Iterator[Change]:
    """What a change of the inputs' states means."""
    # without one of the inputs that select nothing is known
    if module.tariffs and all(s is not None for port, s in zip(module.ports, states, strict=True) if port.role in _SELECTING):
        yield Change(t_ns, "tariff", port_tariff([bool(s) for s in states], module.code))
    for port, old, new in zip(module.ports, before, states, strict=True):
        if port.role not in ("pulse-in", "alarm-in", "billing-stop") or new is None or new == old:
            continue
        active = bool(new) != port.inverted
        if port.role == "alarm-in":
            if old is not None or active:
                yield Change(t_ns, "alarm", int(active))
        elif active and old is not None:
            # the edge counts, not the level
            yield Change(t_ns, "pulse" if port.role == "pulse-in" else "billing-stop", 1)
