"""Spectra of a window: its frames as floats, resampled, transformed and grouped.

References
----------
IEC 61000-4-7:2002, 3.2
"""

from libc.math cimport NAN, floor
from libc.string cimport memcpy, memset

from ctmeter._kernels.routines cimport POINTS_FFT, SPECTRUM, SPECTRUM_PEAK, TAPS
from ctmeter._kernels.state cimport core_t, out_t, span_t, state_t

cdef enum:
    MARGIN = 8        # frames beyond half the taps


cdef inline void keep_floats(const core_t *c, state_t *s) noexcept nogil:
    """Bring the ring of floats up to the last tick, while its frames are at hand."""
    if not c.floats:
        return
    c.K.append(c.U, c.I, c.mask, s.floated, s.ticked - s.floated, c.floats, c.float_mask)
    if (s.floated & c.float_mask) < TAPS or ((s.ticked - 1) & c.float_mask) < (s.floated & c.float_mask):
        # the ring's first frames stand again behind its end
        memcpy(c.floats + 8 * (c.float_mask + 1), c.floats, TAPS * 32)
    s.floated = s.ticked


cdef inline int kernel_for(const core_t *c, double length) noexcept nogil:
    """The interpolation kernel for a window of that many samples, -1 where there is none."""
    cdef int k
    for k in range(c.kernels):
        if length <= c.kernel_length[k]:
            return k
    return -1


cdef inline void line_differences(float *bins, int count) noexcept nogil:
    """u1 u2 u3 to u1 - u2, u2 - u3, u3 - u1 in every bin; the other lanes become 0."""
    cdef int k
    cdef float a, b, d
    for k in range(count):
        a, b, d = bins[8 * k], bins[8 * k + 1], bins[8 * k + 2]
        memset(bins + 8 * k, 0, 32)
        bins[8 * k], bins[8 * k + 1], bins[8 * k + 2] = a - b, b - d, d - a


cdef inline void spectrum(const core_t *c, state_t *s, out_t *out, const span_t *v) noexcept nogil:
    """The spectrum of a window as the next row; lines after lanes where line voltages are wanted."""
    cdef double length = v.t1 - v.t0
    cdef int kernel = kernel_for(c, length), per = c.cycles_per_window, top, count, nearest = -1, k
    cdef long size = 8 * c.spectrum_rows
    cdef float *row = out.spectra + size * out.n_spectra
    cdef float peak[8]
    cdef float line_peak[8]
    out.n_spectra += 1
    if kernel < 0 or length > c.float_mask - 2 * c.longest_taps or v.cycles != per:
        for k in range(size):
            row[k] = NAN
        return
    # the highest order whose group lies where the kernel is good
    top = min(50, <int>((0.42 * length - per // 2) / per))
    count = min(per * 51, <int>(0.46 * length))
    top = max(top, 0)
    c.K.resample(c.floats, c.float_mask, v.t0, length / POINTS_FFT, c.kernel_taps[kernel], c.kernel_table[kernel], c.fft_re, c.fft_im, peak)
    if c.lines:
        c.K.line_peak(c.fft_re, c.fft_im, line_peak)
    c.K.transform(c.fft_re, c.fft_im, c.twiddles)
    # a bin's amplitude over the root of two, of the sum of the points
    c.K.gains(c.kernel_droop + 8 * kernel, length, 0.70710678118654752440 / POINTS_FFT, count, c.gain)
    c.K.bins(c.fft_re, c.fft_im, count, c.half_twiddles, c.gain, c.bins_re, c.bins_im)
    if c.signalling > 0.0:
        # the four bins nearest to the frequency
        nearest = <int>floor(c.signalling * length / c.rate) - 1
        if nearest < 0 or nearest + 4 > count:
            nearest = -1
    c.K.bin_power(c.bins_re, c.bins_im, count, c.power)
    c.K.groups(c.power, per, top, nearest, row)
    if c.want_groups:
        c.K.whole_groups(c.power, per, top, row + 8 * SPECTRUM)
    memcpy(row + 8 * SPECTRUM_PEAK, peak, 32)
    if c.lines:
        line_differences(c.bins_re, count)
        line_differences(c.bins_im, count)
        c.K.bin_power(c.bins_re, c.bins_im, count, c.power)
        c.K.groups(c.power, per, top, nearest, row + size // 2)
        memcpy(row + size // 2 + 8 * SPECTRUM_PEAK, line_peak, 32)
        if c.want_groups:
            c.K.whole_groups(c.power, per, top, row + size // 2 + 8 * SPECTRUM)
