"""The same measurement by pqopen-lib (https://codeberg.org/DaqOpen/pqopen-lib, MIT), as its documentation uses it.

Voltages, currents, P and Q of three phases per cycle, half-cycle and 10 cycles, harmonics and interharmonics to
order 50 on six channels, unbalance, flicker of three voltages, energy. Not what it lacks: line-to-line voltages,
apparent power and powers' factors, energy by phase and quadrant, 150/180-cycle and longer intervals, events other
than on request. Times are resynchronised every ten minutes as here.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pqopen.powersystem import PowerSystem

#: Seconds of a block; from 1 to 5 s it takes the same time within a few percent, with less and more it takes longer.
BLOCK_S = 2.0


def system(scale: np.ndarray, rate: float, nominal_voltage: float, buffer: int, energy: Path, pst_s: int) -> tuple[PowerSystem, list[Any], Any]:
    """A power system with every feature that the other programs have, its six buffers, and that of the times."""
    from daqopen.channelbuffer import AcqBuffer
    from pqopen.powersystem import PowerSystem

    buffers = [AcqBuffer(size=buffer, scale_gain=float(s)) for s in scale]
    clock = AcqBuffer(size=buffer, dtype=np.uint64)
    meter = PowerSystem(zcd_channel=buffers[0], input_samplerate=rate, nominal_frequency=50.0, nper=10)
    for k in range(3):
        meter.add_phase(u_channel=buffers[k], i_channel=buffers[3 + k], name=str(k + 1))
    meter.enable_harmonic_calculation(50)
    meter.enable_nper_abs_time_sync(clock, interval_sec=600)
    meter.enable_fluctuation_calculation(nominal_voltage=nominal_voltage, pst_interval_sec=pst_s)
    meter.enable_energy_channels(energy, ignore_value=True)
    return meter, buffers, clock


def measure(
    raw: np.ndarray, scale: np.ndarray, rate: float, start_us: int, *, block: float = BLOCK_S, nominal_voltage: float = 230.0, pst_s: int = 600
) -> dict[str, np.ndarray]:
    """Measure frames of three voltages and three currents.

    Parameters
    ----------
    raw : ndarray, shape (n, 6)
    scale : ndarray, shape (6,)
        V and A for a count.
    rate : float
        Hz.
    start_us : int
        Time of the first sample, microseconds UTC.
    block : float
        Seconds given at once.
    nominal_voltage : float
        V; the flickermeter begins there.
    pst_s : int
        Seconds of an interval of short-term flicker.

    Returns
    -------
    dict of name to ndarray
        A row for each window: "t" (frames, of its end), "rms" (w, 6), "P", "Q" (w, 3), "H" (w, 51, 6), "IH" (w, 51, 6),
        "THD" (w, 6), "u2", "u0"; a row for each cycle: "f"; "Wh" of the whole; "Pst" (intervals, 3).
    """
    size = round(block * rate)
    with tempfile.TemporaryDirectory() as folder:
        meter, buffers, clock = system(scale, rate, nominal_voltage, size + round(5 * rate), Path(folder) / "energy.json", pst_s)
        for start in range(0, len(raw), size):
            part = raw[start : start + size]
            for k, buffer in enumerate(buffers):
                buffer.put_data(part[:, k])
            clock.put_data(start_us + np.arange(start, start + len(part)) * (1e6 / rate))
            meter.process()
        result = columns(meter)
        # it writes its energy when it goes
        del meter
    return result


def columns(meter: PowerSystem) -> dict[str, np.ndarray]:
    """What its channels hold: the last 5000 values of each, which is less than all half-cycles of a minute."""

    def read(name: str) -> np.ndarray:
        values: np.ndarray = meter.output_channels[name].read_data_by_acq_sidx(0, 1 << 60)[0]
        return values

    lanes = ("U1", "U2", "U3", "I1", "I2", "I3")
    out = {key: np.stack([read(f"{lane}_{name}") for lane in lanes], axis=-1) for key, name in
           (("rms", "rms"), ("H", "H_rms"), ("IH", "IH_rms"), ("THD", "THD"))}  # fmt: skip
    out["P"] = np.stack([read(f"P{k}") for k in (1, 2, 3)], axis=-1)
    out["Q"] = np.stack([read(f"Q{k}_H1") for k in (1, 2, 3)], axis=-1)
    out["u2"], out["u0"] = read("U_unbal_2"), read("U_unbal_0")
    out["f"], out["Wh"] = read("Freq"), read("W_pos")[-1:]
    out["t"] = meter.output_channels["U1_rms"].read_data_by_acq_sidx(0, 1 << 60)[1]
    out["Pst"] = np.stack([read(f"U{k}_pst") for k in (1, 2, 3)], axis=-1)
    return out
