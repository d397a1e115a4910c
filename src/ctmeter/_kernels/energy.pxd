"""Power of whole cycles, and energy in four quadrants decided cycle by cycle."""

from libc.math cimport fabs, sqrt

from ctmeter._kernels.state cimport ABSOLUTE, BUDEANU, EFFECTIVE, FRYZE, PER_PHASE, QUARTER_SHIFT, VECTOR_S, core_t, span_t, state_t


cdef inline double apparent(const core_t *c, const span_t *v, const double *u2, const double *i2, const double *sk,
                            double p, double q) noexcept nogil:
    """Total apparent power by the method of the settings; u2, i2 are mean squares."""
    cdef double lines, ue, ie, n = v.t1 - v.t0
    if c.apparent == VECTOR_S:
        return sqrt(p * p + q * q)
    if c.apparent == EFFECTIVE and c.voltages[0] and c.voltages[1] and c.voltages[2]:
        lines = 2 * (u2[0] + u2[1] + u2[2]) - 2 * (v.sums[12] + v.sums[13] + v.sums[14]) / n
        if c.lanes.line:
            ue, ie = lines / 9, (i2[0] + i2[1] + i2[2]) / 3
        else:
            ie = i2[3]
            if c.lanes.column[7] < 0:
                # the square of the sum of the phase currents
                ie = max(i2[0] + i2[1] + i2[2] + 2 * (v.sums[16] + v.sums[17] + v.sums[18]) / n, 0.0)
            ue, ie = (3 * (u2[0] + u2[1] + u2[2]) + lines) / 18, (i2[0] + i2[1] + i2[2] + ie) / 3
        return 3 * sqrt(max(ue, 0.0)) * sqrt(ie)
    return sk[0] + sk[1] + sk[2]


cdef inline void powers(const core_t *c, const span_t *v, double *p, double *q, double *s) noexcept nogil:
    """P, Q, S of L1 L2 L3 and the total [3] over a span of whole cycles."""
    cdef double u2[4]
    cdef double i2[4]
    cdef double n = v.t1 - v.t0, nu, ni, q1
    cdef int k
    p[3] = q[3] = 0.0
    for k in range(4):
        nu, ni = max(n - v.missing[k], 1e-9), max(n - v.missing[4 + k], 1e-9)
        # a fractional edge can leave a square sum of nothing a hair below 0
        u2[k], i2[k] = max(v.sums[k], 0.0) / nu, max(v.sums[4 + k], 0.0) / ni
        if k == 3:
            break
        p[k] = v.sums[8 + k] / max(n - max(v.missing[k], v.missing[4 + k]), 1e-9)
        s[k] = sqrt(u2[k]) * sqrt(i2[k])
        # U I* of the fundamental phasors
        q1 = 2 * (v.sums[28 + k] * v.sums[24 + k] - v.sums[20 + k] * v.sums[32 + k]) / (nu * ni)
        q[k] = q1
        if c.reactive == FRYZE:
            q[k] = sqrt(max(s[k] * s[k] - p[k] * p[k], 0.0))
            if q1 < 0:
                q[k] = -q[k]
        elif c.reactive == QUARTER_SHIFT or c.reactive == BUDEANU:
            q[k] = v.other[k] / n
        p[3] += p[k]
        q[3] += q[k]
    s[3] = apparent(c, v, u2, i2, s, p[3], q[3])


cdef inline void book(double *register, double e, double q, double s, int imports, int inductive) noexcept nogil:
    """Add active, reactive and apparent energy of one direction and quadrant to ten registers."""
    if imports:
        register[0] += e
        register[8] += s
    else:
        register[1] -= e
        register[9] += s
    if inductive:
        register[2] += fabs(q)
        register[4 if imports else 5] += fabs(q)
    else:
        register[3] += fabs(q)
        register[7 if imports else 6] += fabs(q)


cdef inline int positive(double x, double s) noexcept nogil:
    """Whether a power counts as import, or as inductive: what rounding leaves of a tie does."""
    return x >= -1e-12 * s


cdef inline void account(const core_t *c, state_t *st, const double *e, double n, const double *p, const double *q, const double *s) noexcept nogil:
    """Book n samples with active energies e[3]; direction, Q and S are those of p, q, s [4]."""
    cdef int k
    cdef double turned, total = 0.0, total_p = 0.0, total_q = 0.0
    for k in range(3):
        if not c.currents[k] or not (c.voltages[k] or c.lanes.line):
            continue
        book(&st.energy[10 * (k + 1)], e[k], q[k] * n, s[k] * n, positive(p[k], s[k]), positive(q[k], s[k]))
        if c.summation == PER_PHASE:
            book(&st.energy[0], e[k], q[k] * n, s[k] * n, positive(p[k], s[k]), positive(q[k], s[k]))
        turned = -1.0 if c.summation == ABSOLUTE and not positive(p[k], s[k]) else 1.0
        total += turned * e[k]
        total_p += turned * p[k]
        total_q += turned * q[k]
    if c.summation != PER_PHASE:
        book(&st.energy[0], total, total_q * n, s[3] * n, positive(total_p, s[3]), positive(total_q, s[3]))
