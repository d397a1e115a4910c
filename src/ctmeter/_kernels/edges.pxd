"""Integrals up to a point between samples: additive sums with fractional edges.

F(t) is the integral of a band-limited quantity up to t, of which the samples up to the edge are
known: whole sub-blocks, plus TAPS frames weighted by the integral of a windowed sinc. An atom is
the difference of two such values, so atoms telescope and no sample is lost or counted twice.
"""

from libc.math cimport cos, fabs, floor, sin

from ctmeter._kernels.routines cimport SUB, TAPS, VEC
from ctmeter._kernels.state cimport GRIDS, PHASES, core_t, state_t


cdef inline void turn_reference(const core_t *c, state_t *s, double omega) noexcept nogil:
    """Set the frequency of the correlations, rad per frame."""
    s.omega_ref = omega
    c.K.pointer(cos(omega), -sin(omega), s.ec, s.es)


cdef inline long edge_weights(const core_t *c, const state_t *s, double t, double *w, long *ref) noexcept nogil:
    """Weights of TAPS frames around t; returns the first of them and sets the sub-block edge they are relative to."""
    cdef double whole = floor(t), place = (t - whole) * PHASES, x
    cdef long after = <long>whole + 1
    cdef long first = after - TAPS // 2
    cdef int row = <int>place, j
    ref[0] = (after + SUB // 2) // SUB * SUB
    if first < s.first or (s.ended and after + TAPS // 2 > s.frames):
        # the kernel would reach beyond the run: a sample stands for its own interval only
        for j in range(TAPS):
            x = t - (first + j) + 0.5
            w[j] = (0.0 if x < 0.0 else 1.0 if x > 1.0 else x) - (first + j < ref[0])
    else:
        c.K.edge_weights(c.edge_table + row * TAPS, place - row, <int>(ref[0] - first), w)
    return first


cdef inline void atom(const core_t *c, state_t *s, double t, double phase, double *out) noexcept nogil:
    """Sums from the last cut of the common grid to t, where the phase is `phase`; t becomes the last cut."""
    cdef double w[16]
    cdef double vec[36]
    cdef double turned, rc, rs
    cdef long ref, past = s.edge_ref[0], first = edge_weights(c, s, t, w, &ref)
    cdef int k
    for k in range(VEC):
        vec[k] = 0.0
    turned = phase + s.omega_ref * (ref - t)
    rc, rs = cos(turned), -sin(turned)
    k = 4 * <int>(first - ref + TAPS)
    c.K.edge(c.U + 4 * (first & c.mask), c.I + 4 * (first & c.mask), w, s.ec + k, s.es + k, rc, rs, vec)
    for k in range(VEC):
        out[k] = vec[k] - s.edge_vec[k]
        s.edge_vec[k] = vec[k]
    if ref > past:
        # the first sub-block's centre lies half a sub-block after the last cut's edge
        turned = s.edge_c * s.ec[4 * (TAPS + SUB // 2)] - s.edge_s * s.es[4 * (TAPS + SUB // 2)]
        s.edge_s = s.edge_c * s.es[4 * (TAPS + SUB // 2)] + s.edge_s * s.ec[4 * (TAPS + SUB // 2)]
        c.K.add_blocks(c.sub, c.mask // SUB, past // SUB, ref // SUB, turned, s.edge_s, s.ec[4 * (TAPS + SUB)], s.es[4 * (TAPS + SUB)], out)
    s.edge_c, s.edge_s = rc, rs
    s.edge_ref[0] = ref
    s.edge_t[0] = t


cdef inline double own_atom(const core_t *c, state_t *s, int grid, double t) noexcept nogil:
    """Square sum of one voltage (grids 1-3) or line voltage (4-6) from the grid's last cut to t; t becomes the last cut."""
    cdef double w[16]
    cdef long ref, block, first = edge_weights(c, s, t, w, &ref)
    cdef int a = (grid - 1) % 3, b = a + 1 if a < 2 else 0
    cdef double edge = c.K.edge_square(c.U + 4 * (first & c.mask), w, a, grid > 3)
    cdef double total = edge - s.edge_sum[grid]
    cdef const double *v
    for block in range(s.edge_ref[grid] // SUB, ref // SUB):
        v = c.sub + (block & (c.mask // SUB)) * VEC
        total += v[a] if grid < 4 else v[a] + v[b] - 2.0 * v[12 + a]
    s.edge_sum[grid] = edge
    s.edge_ref[grid] = ref
    s.edge_t[grid] = t
    return total
