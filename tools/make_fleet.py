#!/usr/bin/env python3
"""Make the recordings of three sites on which the queries of docs/cookbook.md were run: `python tools/make_fleet.py FOLDER [HOURS]`.

Nothing here was measured on a real network. `north` records without a break, in files of one hour; `south` and `harbour` record twelve
minutes around the turn of each hour. The time is around the turn of a month. The last recording lacks its data file; `fleet.toml` has the settings.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ctmeter import Recording

RATE = 1600.0
HOURS = 14
#: 2026-04-01T00:00:00Z, in the middle of all recordings.
MIDDLE = 1_775_001_600
NAMES = ("U_L1", "U_L2", "U_L3", "I_L1", "I_L2", "I_L3")
SCALE = dict(zip(NAMES, [0.02] * 3 + [0.005] * 3, strict=True))
SETTINGS = """\
nominal_frequency = 50
nominal_voltage = 230.0
wiring = "3P4W"

[[match]]
path = "harbour/*"
site = "Harbour crane 2"
nominal_current = 100.0

[batch]
edition = "2010"
"""


@dataclass(frozen=True)
class Sag:
    """Voltages times `share`, for `seconds` from `at` (s from `MIDDLE`)."""

    at: float
    seconds: float
    share: float
    phases: Sequence[int] = (0, 1, 2)


@dataclass(frozen=True)
class Site:
    """What a site is like: its recorder, when files begin in the hour and how long they are (s), size of voltage, load, fifth harmonic."""

    name: str
    device: str
    begin: int
    seconds: int
    level: float
    amperes: float
    fifth: float
    sags: Sequence[Sag] = ()


SITES = (
    Site("north", "R-101", 0, 3600, 1.01, 80.0, 0.02, (Sag(-1489.0, 0.18, 0.62, (0,)), Sag(1812.5, 0.24, 0.48))),
    Site("south", "R-102", -60, 720, 0.93, 40.0, 0.03, (Sag(-3600.0, 600.0, 0.9), Sag(130.0, 0.42, 1.29, (1,)))),
    Site("harbour", "R-103", -60, 720, 1.00, 55.0, 0.07, (Sag(95.0, 1.3, 0.0), Sag(410.0, 0.09, 0.81, (0, 1)))),
)


def second(site: Site) -> np.ndarray:
    """One second of the site's waveforms at full size, in counts."""
    angle = 2 * np.pi * 50 * np.arange(round(RATE)) / RATE
    frames = np.empty((len(angle), 6))
    for k in range(3):
        a = angle - 2 * np.pi * k / 3
        frames[:, k] = 230 * np.sqrt(2) * (np.cos(a) + site.fifth * np.cos(5 * a + 0.4) + 0.01 * np.cos(7 * a)) / SCALE["U_L1"]
        frames[:, 3 + k] = site.amperes * np.sqrt(2) * (1 - 0.1 * k) * (np.cos(a - 0.45) + 0.15 * np.cos(5 * a - 1.5)) / SCALE["I_L1"]
    return frames.astype(np.float32)


def recorded(site: Site, start: int, seconds: int) -> np.ndarray:
    """Raw frames from `start`, s from `MIDDLE`."""
    t = start + np.arange(seconds)
    size = site.level * (1 + 0.012 * np.sin(2 * np.pi * t / 7000))
    load = 0.6 + 0.3 * np.sin(2 * np.pi * t / 43_200) + 0.1 * np.sin(2 * np.pi * t / 900)
    whole = second(site)
    raw = np.empty((seconds, len(whole), 6), np.int16)
    for k in range(seconds):
        raw[k, :, :3] = np.round(whole[:, :3] * size[k])
        raw[k, :, 3:] = np.round(whole[:, 3:] * load[k])
    frames = raw.reshape(-1, 6)
    for sag in site.sags:
        a, b = (max(round((at - start) * RATE), 0) for at in (sag.at, sag.at + sag.seconds))
        for phase in sag.phases:
            frames[a:b, phase] = np.round(frames[a:b, phase] * sag.share)
    return frames


def make(folder: Path, hours: int = HOURS) -> None:
    """Write the recordings of `hours` hours."""
    for site in SITES:
        for hour in range(-(hours // 2), hours - hours // 2):
            begin = hour * 3600 + site.begin
            frames, begun = recorded(site, begin, site.seconds), np.datetime64(MIDDLE + begin, "s")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # which side the values are on
                made = Recording.from_arrays(dict(zip(NAMES, frames.T, strict=True)), sample_rate=RATE, start=begun, scale=SCALE)
                path = folder / site.name / f"{site.name}-{str(begun)[:16].replace(':', '')}.cfg"
                path.parent.mkdir(parents=True, exist_ok=True)
                replace(made, metadata={**made.metadata, "station": site.name, "device": site.device}).write(path)
    # what a broken transfer leaves
    path.with_suffix(".dat").unlink()
    (folder / "fleet.toml").write_text(SETTINGS, encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else HOURS)
