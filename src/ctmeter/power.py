"""Power quantities that follow from what a table holds: IEEE 1459 and DIN 40110 sets, factors of distortion, smoothing.

They are functions of the columns of any table with windows in it. A measurement calls the same functions: always for the
K factor, and where the settings `nominal_current`, `power_sets` and `smoothing` ask for TDD, the sets and smoothed spectra.

References
----------
IEEE 1459:2010, 3.2
IEC 61000-4-7:2002, 3.3
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .errors import InputError
from .quantity import LINES, PHASES

__all__ = ["din40110", "ieee1459", "k_factor", "smoothed", "tdd"]

_TURN = np.exp(2j * np.pi / 3)


def _columns(table: Mapping[str, np.ndarray], names: list[str]) -> list[np.ndarray]:
    missing = [n for n in names if n not in table]
    if missing:
        raise InputError(f"no column {', '.join(missing)}", expected="a table of three phases with voltages, currents and fundamentals")
    return [np.asarray(table[n], float) for n in names]


def _four_wires(table: Mapping[str, np.ndarray]) -> bool:
    """Whether phase voltages were measured; a column of nulls is none."""
    return "U_L1" in table and not np.isnan(np.asarray(table["U_L1"], float)).all()


def _phasors(table: Mapping[str, np.ndarray], kind: str, names: tuple[str, ...]) -> np.ndarray:
    """Fundamental phasors of three channels, shape (3, n)."""
    rms, angle = (np.stack(_columns(table, [f"{part}_{p}" for p in names])) for part in (f"{kind}1", f"phi_{kind}"))
    lost = np.isnan(angle)
    if lost.any():
        # without an angle a fundamental is nothing but rounding beside the others; or nothing was followed, and there is none at all
        rms = np.where(lost & (rms > 1e-6 * np.fmax.reduce(rms, axis=0)), np.nan, rms)
    result: np.ndarray = rms * np.exp(1j * np.radians(np.nan_to_num(angle)))
    return result


def _star(table: Mapping[str, np.ndarray], four_wires: bool) -> np.ndarray:
    """Fundamental phasors of the phase voltages, shape (3, n); with three wires those whose differences the line voltages are."""
    if four_wires:
        return _phasors(table, "U", PHASES)
    line = _phasors(table, "U", LINES)
    star: np.ndarray = (line - np.roll(line, 1, axis=0)) / 3
    return star


def _effective(u: np.ndarray, lines: np.ndarray, i: np.ndarray, neutral: np.ndarray | float, four_wires: bool) -> tuple[np.ndarray, np.ndarray]:
    """Effective voltage and current of mean squares, each summed over the phases."""
    if four_wires:
        return np.sqrt((3 * u + lines) / 18), np.sqrt((i + neutral) / 3)
    return np.sqrt(lines / 9), np.sqrt(i / 3)


def ieee1459(table: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Three-phase set of IEEE 1459.

    Parameters
    ----------
    table : mapping of column name to ndarray, shape (n,)
        Columns U_L1.. (or U_L12.. with three wires), I_L1.., I_N, P, U1.., phi_U.., I1.., phi_I.. of one
        table, for instance of `Result.tables["basic"]` as NumPy arrays; where there is no I1_N the fundamental
        of the neutral current is the sum of those of the phase currents.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        Ue (V), Ie (A), Se (VA), Ue1, Ie1, Se1, U1_pos (V), I1_pos (A), P1_pos (W), Q1_pos (var), S1_pos (VA),
        SU1 (VA), SeN (VA), DeI, DeV (var), SeH (VA), DeH (var), HP (1), S_vector, S_arithmetic (VA, of phases).

    Raises
    ------
    InputError
        Columns are missing.

    Notes
    -----
    To be used on the shortest intervals there are. In aggregated rows variation in time stands in the rms values and not in
    the complex means, and would be taken for distortion.
    """
    return _ieee1459(table, _four_wires(table))


def _ieee1459(table: Mapping[str, np.ndarray], four: bool) -> dict[str, np.ndarray]:
    (p,) = _columns(table, ["P"])
    lines = np.square(_columns(table, [f"U_{x}" for x in LINES])).sum(0)
    i = np.square(_columns(table, [f"I_{x}" for x in PHASES])).sum(0)
    u = np.square(_columns(table, [f"U_{x}" for x in PHASES])).sum(0) if four else np.zeros_like(lines)
    neutral = np.square(_columns(table, ["I_N"])[0]) if four else 0.0
    ue, ie = _effective(u, lines, i, neutral, four)
    a, b = _star(table, four), _phasors(table, "I", PHASES)
    lines1 = np.square(np.abs(a - np.roll(a, -1, axis=0))).sum(0)
    neutral1 = np.square(_columns(table, ["I1_N"])[0] if "I1_N" in table else np.abs(b.sum(0))) if four else 0.0
    ue1, ie1 = _effective(np.square(np.abs(a)).sum(0), lines1, np.square(np.abs(b)).sum(0), neutral1, four)
    up, ip = (np.abs(x[0] + _TURN * x[1] + _TURN**2 * x[2]) / 3 for x in (a, b))
    positive = (a[0] + _TURN * a[1] + _TURN**2 * a[2]) * np.conj(b[0] + _TURN * b[1] + _TURN**2 * b[2]) / 3
    se, se1 = 3 * ue * ie, 3 * ue1 * ie1
    ueh, ieh = (np.sqrt(np.maximum(x**2 - y**2, 0.0)) for x, y in ((ue, ue1), (ie, ie1)))
    seh, harmonic_p = 3 * ueh * ieh, p - (a * np.conj(b)).real.sum(0)
    sen = np.sqrt(np.maximum(se**2 - se1**2, 0.0))
    result = {
        "Ue": ue, "Ie": ie, "Se": se, "Ue1": ue1, "Ie1": ie1, "Se1": se1, "U1_pos": up, "I1_pos": ip,
        "P1_pos": positive.real, "Q1_pos": positive.imag, "S1_pos": np.abs(positive),
        "SU1": np.sqrt(np.maximum(se1**2 - np.abs(positive) ** 2, 0.0)),
        "SeN": sen, "DeI": 3 * ue1 * ieh, "DeV": 3 * ueh * ie1, "SeH": seh,
        "DeH": np.sqrt(np.maximum(seh**2 - harmonic_p**2, 0.0)),
    }  # fmt: skip
    with np.errstate(divide="ignore", invalid="ignore"):
        result["HP"] = np.where(se1 > 0, sen / se1, np.nan)
    (q,) = _columns(table, ["Q"])
    result["S_vector"] = np.hypot(p, q)
    if four:
        result["S_arithmetic"] = np.sum(_columns(table, [f"S_{x}" for x in PHASES]), axis=0)
    return result


def din40110(table: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Collective quantities of DIN 40110-2.

    Parameters
    ----------
    table : mapping of column name to ndarray, shape (n,)
        As for `ieee1459`.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        U_sum (V), I_sum (A), S_sum (VA), Q_sum (var), PF_sum (1).

    Raises
    ------
    InputError
        Columns are missing.
    """
    return _din40110(table, _four_wires(table))


def _din40110(table: Mapping[str, np.ndarray], four: bool) -> dict[str, np.ndarray]:
    (p,) = _columns(table, ["P"])
    lines = np.square(_columns(table, [f"U_{x}" for x in LINES])).sum(0)
    i = np.square(_columns(table, [f"I_{x}" for x in PHASES])).sum(0)
    if four:
        u = np.sqrt(lines + np.square(_columns(table, [f"U_{x}" for x in PHASES])).sum(0)) / 2
        i = i + np.square(_columns(table, ["I_N"])[0])
    else:
        # the artificial star point's voltages have a third of the line voltages' square sum
        u = np.sqrt(lines + lines / 3) / 2
    s = u * np.sqrt(i)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(s > 0, p / s, np.nan)
    return {"U_sum": u, "I_sum": np.sqrt(i), "S_sum": s, "Q_sum": np.sqrt(np.maximum(s**2 - p**2, 0.0)), "PF_sum": factor}


def power_sets(table: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Both sets, for a table whose columns are those that were measured.

    Parameters
    ----------
    table : mapping of column name to ndarray, shape (n,)
        As for `ieee1459`; whether there are three wires or four is told by the columns, not by their values.

    Returns
    -------
    dict of str to ndarray, shape (n,)
        Those of `ieee1459` and `din40110`; nothing without three voltages and three currents.
    """
    four = "U_L1" in table
    phased = ["I", "I1", "phi_I"] + ["U", "U1", "phi_U", "S"] * four
    needed = {"P", "Q", *(f"{q}_{p}" for q in phased for p in PHASES), *(f"U_{x}" for x in LINES)}
    needed |= {"I_N"} if four else {f"{q}_{x}" for q in ("U1", "phi_U") for x in LINES}
    return _ieee1459(table, four) | _din40110(table, four) if needed <= table.keys() else {}


def k_factor(harmonics: np.ndarray) -> np.ndarray:
    """Transformer K-factor: harmonic losses of a current against those of its rms.

    Parameters
    ----------
    harmonics : ndarray, shape (n, 51)
        A, orders 0-50, as the columns HI_L1..; null orders count as none.

    Returns
    -------
    ndarray, shape (n,)
        1 for a sine; NaN without current.
    """
    return k_factor_of(np.square(np.nan_to_num(np.asarray(harmonics, float))))


def k_factor_of(squares: np.ndarray) -> np.ndarray:
    """`k_factor` of squares of shape (..., orders from 0), orders without a value being 0."""
    total = squares[..., 1:].sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor: np.ndarray = np.where(total > 0, (squares * np.arange(float(squares.shape[-1])) ** 2).sum(-1) / total, np.nan)
    return factor


def tdd(harmonics: np.ndarray, nominal_current: float) -> np.ndarray:
    """Total demand distortion: harmonics of orders 2-50 against the nominal current.

    Parameters
    ----------
    harmonics : ndarray, shape (n, 51)
        A, as the columns HI_L1..
    nominal_current : float
        A.

    Returns
    -------
    ndarray, shape (n,)
        Percent; NaN where not even order 2 has a value.

    Raises
    ------
    InputError
        A nominal current that is not positive.
    """
    if not nominal_current > 0:
        raise InputError(f"nominal current {nominal_current}", expected="a positive number of A")
    harmonics = np.asarray(harmonics, float)
    result: np.ndarray = np.where(np.isfinite(harmonics[:, 2]), tdd_of(np.square(np.nan_to_num(harmonics)), nominal_current), np.nan)
    return result


def tdd_of(squares: np.ndarray, nominal_current: float) -> np.ndarray:
    """`tdd` of squares of shape (..., orders from 0), orders without a value being 0."""
    result: np.ndarray = 100 * np.sqrt(squares[..., 2:].sum(-1)) / nominal_current
    return result


def smoothed(values: np.ndarray, duration: np.ndarray) -> np.ndarray:
    """Smoothing of harmonics that vary: a first-order low pass of 1.5 s over consecutive windows.

    Parameters
    ----------
    values : ndarray, shape (n,) or (n, k)
        Of windows in the order of time, for instance a column HI_L1 of the basic table. A window with
        null values starts the filter anew.
    duration : ndarray, shape (n,)
        s, of the windows.

    Returns
    -------
    ndarray, of the shape of `values`
    """
    values = np.asarray(values, float)
    keep = np.exp(-np.asarray(duration, float) / 1.5)
    result = values.copy()
    for n in range(1, len(values)):
        before = result[n - 1]
        result[n] = np.where(np.isfinite(before), keep[n] * before + (1 - keep[n]) * values[n], values[n])
    return result
