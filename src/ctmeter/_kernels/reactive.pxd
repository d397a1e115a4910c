"""Reactive power of a cycle by definitions that need the samples once more: quarter-period shift, and Budeanu's."""

from libc.math cimport M_PI, cos, floor, sin

from ctmeter._kernels.edges cimport edge_weights
from ctmeter._kernels.routines cimport TAPS
from ctmeter._kernels.state cimport BUDEANU, PHASES, core_t, span_t, state_t

cdef enum:
    ORDERS = 50       # harmonic orders of Budeanu's sum, as far as the sample rate carries them


cdef inline double weight(long n, long first, long ref, const double *w) noexcept nogil:
    """Share of frame n in the integral up to an edge."""
    if n < first:
        return 1.0
    if n >= first + TAPS:
        return 0.0
    return w[n - first] + (n < ref)


cdef inline void quarter_shift(const core_t *c, state_t *s, span_t *v, long a, long b, const double *wa, const double *wb,
                               long ref_a, long ref_b) noexcept nogil:
    """Mean of the voltage a quarter period earlier times the current."""
    cdef double later = 0.25 * (v.t1 - v.t0), place, x, share
    cdef const double *row
    cdef double h[16]
    cdef long n, at
    cdef int j, k, row_number
    # where there is nothing a quarter period earlier, the current a quarter period later is the same
    cdef int forward = a - later - TAPS < s.first
    place = later if forward else -later
    at = <long>floor(place)
    row_number = <int>((place - at) * PHASES)
    share = (place - at) * PHASES - row_number
    row = c.shift_table + row_number * TAPS
    for j in range(TAPS):
        h[j] = row[j] + share * (row[TAPS + j] - row[j])
    at -= TAPS // 2 - 1
    for n in range(a, b + TAPS):
        share = weight(n, b, ref_b, wb) - weight(n, a, ref_a, wa)
        for k in range(3):
            x = 0.0
            for j in range(TAPS):
                x += h[j] * (c.I if forward else c.U)[4 * ((n + at + j) & c.mask) + k]
            v.other[k] += share * x * (c.U if forward else c.I)[4 * (n & c.mask) + k]


cdef inline void budeanu(const core_t *c, state_t *s, span_t *v, long a, long b, const double *wa, const double *wb,
                         long ref_a, long ref_b) noexcept nogil:
    """Sum over the orders of U_h I_h sin phi_h."""
    cdef double omega = 2 * M_PI / (v.t1 - v.t0), share, rc, rs, zc, zs, t
    cdef double sums[600]
    cdef double *m
    cdef const double *x
    cdef long n
    cdef int h, k, top = <int>(0.45 * (v.t1 - v.t0))
    if top > ORDERS:
        top = ORDERS
    for h in range(12 * top):
        sums[h] = 0.0
    for n in range(a, b + TAPS):
        share = weight(n, b, ref_b, wb) - weight(n, a, ref_a, wa)
        rc, rs = cos(omega * (n - v.t0)), -sin(omega * (n - v.t0))
        zc, zs = share, 0.0
        for h in range(top):
            t = zc * rc - zs * rs
            zs = zc * rs + zs * rc
            zc = t
            m = sums + 12 * h
            for k in range(3):
                x = c.U + 4 * (n & c.mask) + k
                m[k] += x[0] * zc
                m[3 + k] += x[0] * zs
                x = c.I + 4 * (n & c.mask) + k
                m[6 + k] += x[0] * zc
                m[9 + k] += x[0] * zs
    for h in range(top):
        m = sums + 12 * h
        for k in range(3):
            v.other[k] += 2 * (m[3 + k] * m[6 + k] - m[k] * m[9 + k]) / (v.t1 - v.t0)


cdef inline void other_reactive(const core_t *c, state_t *s, span_t *v) noexcept nogil:
    """Add to `other` the reactive power of a whole cycle, times its samples."""
    cdef double wa[16]
    cdef double wb[16]
    cdef long ref_a, ref_b
    cdef long a = edge_weights(c, s, v.t0, wa, &ref_a), b = edge_weights(c, s, v.t1, wb, &ref_b)
    if c.reactive == BUDEANU:
        budeanu(c, s, v, a, b, wa, wb, ref_a, ref_b)
    else:
        quarter_shift(c, s, v, a, b, wa, wb, ref_a, ref_b)
