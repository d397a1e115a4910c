"""The slow reference: every quantity by its definition, nothing clever, nothing of ctmeter.

Frequency and phase are given, not found. Sample n stands at n / fs; between samples a signal is what
its band-limited interpolation gives, and an integral over [ta, tb) is an integral of that, whatever
the edges. Phasors are rms with the angle of a sine: u = sqrt(2) U sin(2 pi f t + a) is U exp(ia).
"""

from reference.energy import quadrant, registers
from reference.power import budeanu, dpf, effective_1459, fryze, fundamental, power, quarter_shift, reactive, set_1459, set_40110
from reference.signal import Grid, Sampled
from reference.spectra import bins, groups, interharmonic_groups, interharmonic_subgroups, k_factor, low_pass, phasor, subgroups, tdd, thd
from reference.unbalance import sequence_ratios, u2_of_line_voltages

__all__ = [
    "Grid",
    "Sampled",
    "bins",
    "budeanu",
    "dpf",
    "effective_1459",
    "fryze",
    "fundamental",
    "groups",
    "interharmonic_groups",
    "interharmonic_subgroups",
    "k_factor",
    "low_pass",
    "phasor",
    "power",
    "quadrant",
    "quarter_shift",
    "reactive",
    "registers",
    "sequence_ratios",
    "set_1459",
    "set_40110",
    "subgroups",
    "tdd",
    "thd",
    "u2_of_line_voltages",
]
