"""Counts for file formats of integers: as they are where they fit, else with a scale of their own for each channel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..recording import Channel, Recording
from ._output import pieces

__all__ = ["Scaling", "plan_counts"]


@dataclass(frozen=True)
class Scaling:
    """How one channel's raw numbers become counts.

    Parameters
    ----------
    channel : Channel
        As it stands in the file: scale, offset, range and missing are those of the counts.
    source : Channel
        As it is in the recording.
    kept : bool
        Whether the counts are the raw numbers themselves.
    """

    channel: Channel
    source: Channel
    kept: bool

    def counts(self, raw: np.ndarray, code: float) -> np.ndarray:
        """Float64 or integer counts of a column; `code` where a sample is missing."""
        lost = _lost(raw, self.source)
        if self.kept:
            out = raw.astype(np.float64) if raw.dtype.kind == "f" else raw
        else:
            # raw to count in one step, so that equal scales cancel exactly
            out = np.rint((raw * self.source.scale + (self.source.offset - self.channel.offset)) / self.channel.scale)
        return np.where(lost, code, out) if lost is not None else out


def _lost(raw: np.ndarray, channel: Channel) -> np.ndarray | None:
    """Where samples are missing, None where none is."""
    lost = np.zeros(len(raw), bool) if raw.dtype.kind != "f" else ~np.isfinite(raw)
    if channel.missing is not None:
        lost |= raw == channel.missing
    return lost if lost.any() else None


def plan_counts(recording: Recording, limit: int, missing: float) -> list[Scaling]:
    """How each channel is to be written in counts from -limit to limit; reads the recording once.

    Raw numbers that are whole and within the limits are kept, together with scale and offset. Others are spread over
    the limits less one, so that nothing looks saturated: an error of at most half a count.

    Parameters
    ----------
    recording : Recording
    limit : int
        Largest count.
    missing : float
        Count that stands for a missing sample.
    """
    n = len(recording.channels)
    low, high, whole = np.full(n, np.inf), np.full(n, -np.inf), np.ones(n, bool)
    for piece in pieces(recording):
        for k, channel in enumerate(recording.channels):
            column = piece.raw[:, k]
            lost = _lost(column, channel)
            column = column if lost is None else column[~lost]
            if not len(column):
                continue
            low[k], high[k] = min(low[k], float(column.min())), max(high[k], float(column.max()))
            if column.dtype.kind == "f" and whole[k]:
                whole[k] = bool(np.all(column == np.rint(column)))
    return [_scaling(c, low[k], high[k], bool(whole[k]), limit, missing) for k, c in enumerate(recording.channels)]


def _scaling(channel: Channel, low: float, high: float, whole: bool, limit: int, missing: float) -> Scaling:
    if low > high:
        low = high = 0.0
    if whole and -limit <= low and high <= limit:
        bounds = channel.range or (-float(limit), float(limit))
        return Scaling(replace(channel, range=bounds, missing=missing), channel, True)
    a, b = sorted((low * channel.scale + channel.offset, high * channel.scale + channel.offset))
    step = (b - a) / (2.0 * (limit - 1)) or abs(channel.scale) or 1.0
    step = max(step, 1e-300)
    spread = replace(channel, scale=step, offset=(a + b) / 2, range=(-float(limit), float(limit)), missing=missing)
    return Scaling(spread, channel, False)
