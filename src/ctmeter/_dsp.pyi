"""The compiled core; see `_dsp.pyx`."""

from collections.abc import Sequence
from typing import Any, final

__all__ = ["GRAIN", "LARGEST", "Core", "instruction_set"]

GRAIN: int
LARGEST: float

def instruction_set() -> str: ...

@final
class Core:
    def __new__(
        cls,
        sample_rate: float,
        lanes: Sequence[Any],
        tables: Any,
        *,
        line: bool = ...,
        derive: tuple[bool, bool] = ...,
        cycles_per_window: int = ...,
        origin: int = ...,
        grain: int = ...,
        reactive: int = ...,
        apparent: int = ...,
        summation: int = ...,
        strict: int = ...,
        dead: float = ...,
        next_tick: float = ...,
        tick_period: float = ...,
        next_f: float = ...,
        f_period: float = ...,
        cycles: bool = ...,
        halves: bool = ...,
        lines: bool = ...,
        next_sync: float = ...,
        sync_period: float = ...,
        next_energy: float = ...,
        energy_period: float = ...,
        instants: Sequence[float] = ...,
        limits: tuple[float, float, bool] = ...,
        pulses: Sequence[tuple[int, float, float]] = ...,
        spectra: Sequence[Any] = ...,
        signalling: float = ...,
        groups: bool = ...,
        flicker: Any = ...,
        kernels: str = ...,
    ) -> Core: ...
    @property
    def wants_lock(self) -> bool: ...
    @property
    def locked(self) -> bool: ...
    @property
    def ready(self) -> int: ...
    def pending(self, last: bool = False) -> tuple[bytes, bytes]: ...
    def lock(
        self, frequency: float, phases: Sequence[float] | None = None, measured: bool = True, least: float = 0.0, blind: bool = False
    ) -> None: ...
    def feed(self, block: Any, start: int = 0) -> int: ...
    def gap(self, samples: int) -> None: ...
    def set_clock(self, sample: int, later: float, instants: Any) -> None: ...
    def flush(self) -> None: ...
    def take(self) -> tuple[bytes, ...]: ...
    def energy(self) -> list[float]: ...
    def counts(self) -> dict[str, Any]: ...
    def snapshot(self) -> bytes: ...
    def restore(self, state: bytes) -> None: ...
