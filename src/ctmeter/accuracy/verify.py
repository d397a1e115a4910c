"""A whole test plan, over several threads."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..errors import InputError, SettingsError
from . import trials
from .bench import bench
from .correct import estimate
from .coverage import TRIALS, assumed_of_rating, covered
from .evaluate import composites, judged
from .frontend import FrontEnd
from .limits import Limits
from .plan import MAP_F, MAP_U, Plan, bands_of, type_test
from .rating import DEFAULTS, rated
from .reference import read_reference
from .report import Report
from .rig import DEFAULT_SECONDS, Reading, Rig

__all__ = ["measured", "run", "run_bench"]

#: Measurements of a repeated point.
REPEATS = 5


def run(
    meter_class: str = "C",
    i_n: float = 5.0,
    front_end: FrontEnd | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    *,
    i_max: float | None = None,
    u_n: float = 230.0,
    f_n: float = 50.0,
    connection: str = "transformer",
    reactive_class: str | None = None,
    limits: Limits | str | os.PathLike[str] | None = None,
    bands: Sequence[str] | None = None,
    on_request: bool = False,
    seconds: float = DEFAULT_SECONDS,
    jobs: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Report:
    """Test a simulated meter: waveforms through a front end, the engine and the registers, judged by a class.

    Parameters
    ----------
    meter_class : str
        Of active energy: A, B, C, 1, 2, 0.2S, 0.5S, or one of your own tables.
    i_n : float
        A; of a direct meter its reference current.
    front_end : str, path, mapping or FrontEnd, optional
        Preset, TOML file or values; the ideal one where not given.
    i_max : float, optional
        A; the least that the class allows where not given.
    u_n, f_n : float
        V phase to neutral, Hz.
    connection : {"transformer", "direct"}
    reactive_class : str, optional
        "" for none; the one that goes with the class where not given.
    limits : path or Limits, optional
        Tables that replace and extend those of the package.
    bands : sequence of str, optional
        Temperature bands; all where not given.
    on_request : bool
        With the power factors that are tested on request.
    seconds : float
        Shortest length of a measurement.
    jobs : int, optional
        Threads; as many as processors where not given.
    progress : callable, optional
        Gets the share that is done.

    Returns
    -------
    Report

    Raises
    ------
    SettingsError
        It names every fault.
    """
    began = time.monotonic()
    faults: list[str] = []
    tables = _tables(faults, limits, meter_class)
    end = _gather(faults, lambda: FrontEnd.load(front_end))
    rating = _gather(
        faults,
        lambda: rated(meter_class, i_n, i_max=i_max, u_n=u_n, f_n=f_n, connection=connection, reactive_class=reactive_class, limits=tables),
    )
    if not _is_number(seconds) or not 1 <= seconds <= 3600:
        faults.append(f"seconds: {seconds!r}, expected a number from 1 to 3600 s")
    if jobs is not None and (not _is_number(jobs) or jobs < 1 or jobs % 1):
        faults.append(f"jobs: {jobs!r}, expected a whole number above 0")
    if faults or rating is None or end is None:
        raise SettingsError(faults)
    plan = type_test(rating, on_request=on_request, bands=bands)
    rig = Rig(rating, end, seconds)
    readings, grid = measured(rig, plan, jobs, progress)
    points = judged(readings)
    composite, missing = composites(rating, plan.bands, points, plan.composite)
    tried = dict(zip(TRIALS, (trials.starting(rig), trials.no_load(rig), trials.constant(rig)), strict=True))
    untried = (f"{name.replace('_', '-')}: {t['reason']}" for name, t in tried.items() if t["verdict"] is None)
    return Report(
        rating,
        end,
        points,
        composite,
        tried["starting"],
        tried["no_load"],
        tried["constant"],
        {"U": [u * rating.u_n for u in MAP_U], "f": [f * rating.f_n for f in MAP_F], "error_pct": grid},
        time.monotonic() - began,
        not_judged=(*missing, *untried),
        coverage=covered(rating, plan, points, composite, tried),
    )


def run_bench(
    recordings: str | os.PathLike[str],
    reference: str | os.PathLike[str],
    meter_class: str | None = None,
    i_n: float | None = None,
    *,
    settings: Any = None,
    correct: bool = False,
    limits: Limits | str | os.PathLike[str] | None = None,
    bands: Sequence[str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    progress: Callable[[float], None] | None = None,
    **rating: Any,
) -> Report:
    """Judge recordings of a test bench against what its reference standard said.

    Parameters
    ----------
    recordings : path
        Directory.
    reference : path
        CSV; `docs/accuracy-verification.md` has its columns.
    meter_class, i_n, limits, **rating
        As in `run`: `i_max`, `u_n`, `f_n`, `connection`, `reactive_class`. What of class, currents, voltage and frequency is not
        given is as in `run`, and the report says that it was assumed.
    settings : Settings, mapping or path, optional
        How to measure the recordings.
    correct : bool
        Estimate corrections too, without those of the settings, and measure again with them.
    bands : sequence of str, optional
        Temperature bands of composite errors; all where not given.
    overrides : mapping, optional
        Further keywords of `ctmeter.measure`.

    Raises
    ------
    SettingsError, InputError
        They name every fault.
    """
    began = time.monotonic()
    faults: list[str] = []
    tables = _tables(faults, limits, meter_class)
    stated = {k: v for k, v in {**rating, "meter_class": meter_class, "i_n": i_n}.items() if v is not None}
    rated_ = _gather(faults, lambda: rated(limits=tables, **{**DEFAULTS, **stated}))
    if rated_ is not None:
        _gather(faults, lambda: bands_of(rated_, bands))
    if faults or rated_ is None:
        # what else is wrong is said at once
        try:
            faults += read_reference(reference, recordings)[1]
        except InputError as error:
            faults.append(str(error))
        raise SettingsError(faults)
    more = dict(overrides or {})
    plain: dict[str, Any] = {"corrections": {}} if correct else {}
    report, found = bench(recordings, reference, rated_, settings=settings, bands=bands, progress=progress, **more | plain)
    if correct:
        made = estimate(found, rated_.i_n)
        after, _ = bench(recordings, reference, rated_, settings=settings, bands=bands, progress=progress, **{**more, "corrections": made})
        pairs = [(a, b) for a, b in zip(report.points, after.points, strict=True) if a.reading.point.test != "difference"]
        points = [{"id": a.id, "before_pct": a.reading.error, "after_pct": b.reading.error} for a, b in pairs]
        report = replace(report, correction={"settings": made, "points": points})
    assumed = (*assumed_of_rating(rated_, stated), *report.assumed)
    return replace(report, seconds=time.monotonic() - began, assumed=assumed)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _gather(faults: list[str], make: Callable[[], Any]) -> Any:
    """What `make` gives; None, and its faults with the others, where it fails."""
    try:
        return make()
    except SettingsError as error:
        faults += error.faults
        return None


def _tables(faults: list[str], limits: Limits | str | os.PathLike[str] | None, meter_class: Any) -> Limits:
    """The tables of limits; where they cannot be read those of the package, as if they had the class, which is then not known to be none."""
    found = _gather(faults, lambda: limits if isinstance(limits, Limits) else Limits.load(limits))
    if isinstance(found, Limits):
        return found
    plain = Limits.load()
    return replace(plain, classes={("active", str(meter_class)): plain.classes["active", DEFAULTS["meter_class"]], **plain.classes})


def measured(
    rig: Rig, plan: Plan, jobs: int | None = None, progress: Callable[[float], None] | None = None
) -> tuple[dict[str, list[Reading]], list[list[float]]]:
    """The readings of a plan by point, and the errors of its map.

    The result does not depend on the number of threads.
    """
    from concurrent.futures import ThreadPoolExecutor

    tasks = [(p, k) for p in plan.points for k in range(REPEATS if p.test == "repeatability" else 1)]
    tasks += [(p, 0) for p in plan.map]
    found: list[Reading] = []
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        for reading in pool.map(lambda task: rig.measure(*task), tasks):
            found.append(reading)
            if progress is not None:
                progress(len(found) / len(tasks))
    readings: dict[str, list[Reading]] = {}
    for reading in found[: len(tasks) - len(plan.map)]:
        readings.setdefault(reading.point.id, []).append(reading)
    errors = [r.error for r in found[len(tasks) - len(plan.map) :]]
    width = len(MAP_F)
    return readings, [errors[k : k + width] for k in range(0, len(errors), width)]
