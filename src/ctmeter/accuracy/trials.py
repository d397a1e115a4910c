"""Starting, no-load and constant: the tests that have no error to measure.

References
----------
EN 50470-3:2006
IEC 62053-21:2003
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..meter.pulses import quantum
from ..meter.registers import KEYS
from ..synth.truth import truth
from .evaluate import FAIL, PASS
from .plan import REPEATABLE
from .points import Point
from .rig import Rig

__all__ = ["constant", "no_load", "starting"]

_PHASES = 3
#: A starting test uses a test output with a pulse every so many seconds at the nominal power; its criterion counts pulse periods.
_PULSE_S = 2.0
#: The criterion: two pulses, each within 1.5 times 1.2 periods.
_WITHIN = 1.5 * 1.2
#: A no-load test looks at the growth of registers over so many seconds, and goes on with it for the prescribed time.
_NO_LOAD_S = 40.0
_NO_LOAD_VOLTAGE = 1.15
#: A test of the constant waits for so many pulses, at most for so many seconds.
_PULSES, _CONSTANT_S = 10, 300.0


def starting(rig: Rig) -> dict[str, Any]:
    """Whether the meter starts at Ist, PF 1, balanced, and continues, in both directions.

    Returns
    -------
    dict
        `I`, A, `P`, W, `period_s`, the period of pulses of the marked constant there, `directions` with the times of
        the first two pulses in such periods, the error of the energy, %, and a verdict each; `verdict`.
    """
    rating = rig.rating
    current = rating.starting_current()
    if current is None:
        return {"I": None, "verdict": None, "reason": f"no starting current of class {rating.meter_class} is known"}
    power = _PHASES * rating.u_n * current
    out: dict[str, Any] = {
        "I": current,
        "P": power,
        "period_s": quantum(rig.front_end.constant) / power,
        "directions": {},
    }
    for direction in ("import", "export"):
        point = Point(test="starting", I=current, U=rating.u_n, f=rating.f_n, direction=direction)
        waveform = rig.waveform(point, 2 * _WITHIN * _PULSE_S)
        known = truth(waveform)
        run = rig.run(waveform, known, point, pulses=[(point.register, power * _PULSE_S, 0.0)])
        times = (run.pulses[0] / _PULSE_S).tolist()[:2]
        started = len(times) == 2 and times[0] <= _WITHIN and times[1] - times[0] <= _WITHIN
        true = 3600 * known["energy"][point.register]
        out["directions"][direction] = {
            "pulses_after": times,
            "error_pct": 100 * (run.energy[point.register] / true - 1),
            "verdict": PASS if started else FAIL,
        }
    out["verdict"] = PASS if all(d["verdict"] == PASS for d in out["directions"].values()) else FAIL
    return out


def no_load(rig: Rig) -> dict[str, Any]:
    """Whether registers stand still with voltage and without current.

    Returns
    -------
    dict
        `U`, V, `required_s`, how long the test lasts, `simulated_s`, `pulses` of each register in the required time,
        and `verdict`: at most one pulse of any.
    """
    rating = rig.rating
    required = rating.no_load_seconds(rig.front_end.constant, _PHASES)
    point = Point(test="no-load", I=0.0, U=_NO_LOAD_VOLTAGE * rating.u_n, f=rating.f_n)
    if required is None:
        return {"U": point.U, "required_s": None, "verdict": None, "reason": f"no duration for class {rating.meter_class} is known"}
    waveform = rig.waveform(point, min(required, _NO_LOAD_S))
    run = rig.run(waveform, truth(waveform), point)
    simulated = float(run.seconds[-1])
    share = required / simulated / quantum(rig.front_end.constant)
    pulses = {name: run.energy[name] * share for name in ("A+", "A-")}
    return {
        "U": point.U,
        "required_s": required,
        "simulated_s": simulated,
        "pulses": pulses,
        "verdict": PASS if max(pulses.values()) <= 1.0 else FAIL,
    }


def constant(rig: Rig) -> dict[str, Any]:
    """Whether pulses and registers agree as the nameplate says: the relation of the test output to the display is the marked constant.

    Returns
    -------
    dict
        `marked`, imp/kWh, `found`, the same from the energy that the register grew between the first and the last pulse
        (None with less than two), `error_pct` of it, `pulses`, `energy_Wh` of the register, `difference_pulses`
        between what the marking makes of that energy and the pulses, `verdict`: less than one pulse of difference, and the found
        constant within a tenth of the limit of error; None where a pulse takes too long to wait for.
    """
    rating = rig.rating
    point = Point(test="constant", I=rating.i_n, U=rating.u_n, f=rating.f_n)
    size = quantum(rig.front_end.constant)
    marked = rig.front_end.constant if rig.front_end.marked is None else rig.front_end.marked
    period = size / (_PHASES * rating.u_n * rating.i_n)
    waveform = rig.waveform(point, min(max(rig.seconds, _PULSES * period), _CONSTANT_S))
    run = rig.run(waveform, truth(waveform), point, pulses=[("A+", size, 0.0)])
    times, energy = run.pulses[0], run.energy["A+"]
    difference = energy / quantum(marked) - len(times)
    found = None
    if len(times) > 1:
        grown = np.interp(times[[0, -1]], [0.0, *run.seconds], [0.0, *run.rows[:, KEYS.index("A+")]])
        found = float((len(times) - 1) * quantum(1.0) / (grown[1] - grown[0]))
    error = None if found is None else 100 * (found / marked - 1)
    limit = rating.limit("error", rating.i_n)
    exact = error is None or limit is None or abs(error) <= REPEATABLE * limit.percent
    out: dict[str, Any] = {
        "marked": marked,
        "found": found,
        "error_pct": error,
        "pulses": len(times),
        "energy_Wh": energy / 3600,
        "difference_pulses": difference,
        "verdict": PASS if len(times) and abs(difference) < 1 and exact else FAIL,
    }
    if period > _CONSTANT_S / 2:
        out |= {"verdict": None, "reason": f"a pulse takes {period:.4g} s at In, the test waits for {_CONSTANT_S:g} s"}
    return out
