"""The references of the tracker: who has a say in the common phase, and at which angle each stands.

A reference that died, dips, jumps or was never there has no say. What each reference's angle against
the common phase is, is learnt, so any set of voltages will do: balanced or not, either sequence, all
alike, open delta, or one.
"""

from libc.math cimport M_PI, atan2, cos, fabs, floor, sin, sqrt

from ctmeter._kernels.state cimport MAX_HALF, core_t, state_t

cdef enum:
    SETTLE = 4        # hops after which a reference that stands apart steadily is believed
    PATIENCE = 6      # hops of free running after which a varying amplitude no longer disqualifies


cdef inline void set_period(core_t *c, state_t *s, double period) noexcept nogil:
    """Centre the demodulation on a cycle of `period` decimated frames."""
    s.period = period
    s.half = min(<int>floor(1.5 * period - 1e-9), MAX_HALF - 1)
    # not to and fro where a cycle is half a frame longer than a number of them
    if fabs(period - s.step) > 0.75:
        s.step = max(<int>floor(period + 0.5), 1)
    s.gain = c.K.weights(period, cos(2 * M_PI / period), sin(2 * M_PI / period), s.half, s.kc, s.ks)


cdef inline double wrapped(double x) noexcept nogil:
    """x modulo 2 pi, within -pi to pi."""
    return x - 2 * M_PI * floor(x / (2 * M_PI) + 0.5)


cdef inline void set_angle(state_t *s, int grid, double theta) noexcept nogil:
    s.theta[grid] = theta
    s.ref_c[grid], s.ref_s[grid] = cos(theta), sin(theta)


cdef inline void nudge_angle(state_t *s, int grid, double d) noexcept nogil:
    """Turn a grid's angle by a small d."""
    cdef double a = s.ref_c[grid], b = s.ref_s[grid], e = 1.0 - 0.5 * d * d, g
    s.theta[grid] += d
    s.ref_c[grid], s.ref_s[grid] = a * e - b * d, b * e + a * d
    g = 1.5 - 0.5 * (s.ref_c[grid] * s.ref_c[grid] + s.ref_s[grid] * s.ref_s[grid])
    s.ref_c[grid] *= g
    s.ref_s[grid] *= g


cdef inline void line_angles(const core_t *c, state_t *s, double share) noexcept nogil:
    """Angles of the line voltages, from those of the phases."""
    cdef int k, n
    cdef double x, y
    if not c.lines:
        return
    if c.lanes.line:
        # the references are the line voltages themselves
        for k in range(3):
            set_angle(s, 4 + k, s.theta[1 + k])
        return
    for k in range(3):
        n = k + 1 if k < 2 else 0
        if not (s.known[k] and s.known[n]):
            continue
        x = s.amp[k] * s.ref_c[1 + k] - s.amp[n] * s.ref_c[1 + n]
        y = s.amp[k] * s.ref_s[1 + k] - s.amp[n] * s.ref_s[1 + n]
        if x * x + y * y < 1e-4 * (s.amp[k] * s.amp[k] + s.amp[n] * s.amp[n]):
            continue
        if share == 1.0:
            set_angle(s, 4 + k, s.theta[4 + k] + wrapped(atan2(y, x) - s.theta[4 + k]))
        else:
            nudge_angle(s, 4 + k, share * (y * s.ref_c[4 + k] - x * s.ref_s[4 + k]) / sqrt(x * x + y * y))


cdef inline int steady(const double *past, double m, double limit) noexcept nogil:
    """Whether an amplitude is that of the hop before; or goes to and fro, as beside an interharmonic half an order away."""
    cdef int same = fabs(m - past[0]) <= limit * max(m, past[0])
    return same or (fabs(m - past[3]) <= limit * max(m, past[3]) and fabs(past[0] - past[6]) <= limit * max(past[0], past[6]))


cdef inline int judge(const core_t *c, state_t *s, const double *m, int *live) noexcept nogil:
    """Which references are alive and steady; returns how many of the known ones are."""
    cdef int k, count = 0
    cdef double largest = max(s.amp[0], s.amp[1], s.amp[2], m[0], m[1], m[2])
    cdef double limit = 0.04 if s.fly <= PATIENCE else 0.3
    for k in range(3):
        live[k] = (m[k] > max(c.dead, s.floor) and m[k] > 0.05 * largest
                   and steady(s.last_amp + k, m[k], limit))
        if c.strict >= 0 and k != c.strict:
            live[k] = 2 * live[k]      # measured, but without a say
        if live[k] == 1 and s.known[k]:
            count += 1
    return count


cdef inline double agreed(const state_t *s, const double *d, const int *live, int count) noexcept nogil:
    """The deviation that the references agree on: the median of three, of two and none, or the only one.

    One that is left of several must be where it is expected, until it has been alone for a while.
    """
    cdef int k
    cdef double low = 1e9, high = -1e9, total = 0.0
    for k in range(3):
        if live[k] == 1 and s.known[k]:
            total += d[k]
            low, high = min(low, d[k]), max(high, d[k])
    if count == 3:
        return total - low - high
    if count == 2:
        return max(low, min(high, 0.0))
    if s.known[0] + s.known[1] + s.known[2] > 1 and s.fly <= PATIENCE:
        return 0.0
    return low


cdef inline void set_place(state_t *s, int k) noexcept nogil:
    """The place of a reference is the nearest of the twelve of a clock: that of a balanced set, of either sequence."""
    s.place[k] = floor(s.theta[1 + k] * 6 / M_PI + 0.5) * M_PI / 6


cdef inline double astray(const state_t *s) noexcept nogil:
    """By how much the references stand beside their places, in the mean."""
    cdef int k, count = 0
    cdef double total = 0.0
    for k in range(3):
        if s.known[k]:
            total += wrapped(s.theta[1 + k] - s.place[k])
            count += 1
    return total / count if count else 0.0


cdef inline double settle(const core_t *c, state_t *s) noexcept nogil:
    """Turn all angles slowly to where their mean is that of their places; returns by how much.

    Without it the common phase would keep for ever how they stood when the run began.
    """
    cdef int k
    cdef double d = astray(s)
    # of one that has jumped they stay where they are: going there would be a frequency
    if fabs(d) > 0.02:
        return 0.0
    # an interharmonic rocks the angles
    s.astray += (d - s.astray) / 64
    d = s.astray / 1024
    for k in range(1, 7 if c.lines else 4):
        nudge_angle(s, k, -d)
    return d


cdef inline void learn(core_t *c, state_t *s, const double *m, const double *d, const int *live, double common, int measured,
                       double hop) noexcept nogil:
    """Follow the references' angles and amplitudes; believe one that has stood apart steadily.

    Where no reference has a say, one may also drift apart steadily: then it has another frequency.
    """
    cdef int k, changed = 0
    cdef double apart, drift
    for k in range(3):
        if not live[k]:
            s.off[k] = 0
            continue
        apart = wrapped(d[k] - common)
        if measured and s.known[k] and fabs(apart) < 0.04:
            nudge_angle(s, 1 + k, apart / 8)
            s.amp[k] += (m[k] - s.amp[k]) / 8
            s.off[k] = 0
        else:
            drift = wrapped(apart - s.deviation[k])
            s.off[k] = s.off[k] + 1 if fabs(drift - (0.0 if measured else s.drift[k])) < 0.03 else 0
            s.drift[k] = drift
            if s.off[k] >= SETTLE:
                if not measured:
                    s.omega += drift / hop
                    s.held = s.omega
                    set_period(c, s, 2 * M_PI / s.omega / c.divide)
                s.known[k] = 1
                set_angle(s, 1 + k, s.theta[1 + k] + apart)
                set_place(s, k)
                s.amp[k] = m[k]
                s.off[k] = 0
                changed = 1
                measured = 1
        s.deviation[k] = apart
    line_angles(c, s, 1.0 if changed else 0.25)
