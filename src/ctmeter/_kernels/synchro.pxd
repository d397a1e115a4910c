"""Synchrophasors: phasors of all lanes, frequency and its rate of change at fixed times.

The lanes are demodulated over three cycles around each time by the same kernel as the tracker's, at
the full sample rate; frequency and its rate come from the phases of the three hops around it.
"""

from libc.math cimport M_PI, ceil, cos, fabs, floor, sin

from ctmeter._kernels.state cimport NO_LOCK, POINTS, SYNC_ROW, core_t, out_t, state_t


cdef inline void synchrophasor(const core_t *c, state_t *s, out_t *out, double t, double omega, double rate, int flags) noexcept nogil:
    """The row of time t."""
    cdef double period = 2 * M_PI / omega, x, w, total = 0.0, a, b
    cdef double *row = out.phasors + SYNC_ROW * out.n_phasors
    cdef const double *lane
    cdef long n
    cdef int l
    for l in range(SYNC_ROW):
        row[l] = 0.0
    for n in range(<long>ceil(t - 1.5 * period), <long>floor(t + 1.5 * period) + 1):
        x = fabs(n - t) / period
        w = 0.75 - x * x if x < 0.5 else 0.5 * (1.5 - x) * (1.5 - x)
        total += w
        a, b = w * cos(omega * (n - t)), -w * sin(omega * (n - t))
        for l in range(8):
            lane = (c.U if l < 4 else c.I) + 4 * (n & c.mask) + (l & 3)
            row[4 + l] += a * lane[0]
            row[12 + l] += b * lane[0]
    for l in range(8):
        # a cosine's rms phasor
        row[4 + l] *= 1.4142135623730951 / total
        row[12 + l] *= 1.4142135623730951 / total
    row[0], row[1], row[2], row[3] = t + s.start, omega, rate, flags
    out.n_phasors += 1


cdef inline void synchrophasors(const core_t *c, state_t *s, out_t *out) noexcept nogil:
    """Every row due before the last hop but one; the last hop's phase is needed for the rate of change."""
    cdef int now = <int>(s.hops % POINTS), mid = <int>((s.hops - 1) % POINTS), last = <int>((s.hops - 2) % POINTS)
    cdef double ta, tm, tb, fa, fb, rate, at
    if s.hops < 2 or c.sync_period <= 0.0:
        return
    ta, tm, tb = s.point_t[last], s.point_t[mid], s.point_t[now]
    fa = (s.point_phase[mid] - s.point_phase[last]) / (tm - ta)
    fb = (s.point_phase[now] - s.point_phase[mid]) / (tb - tm)
    rate = 2 * (fb - fa) / (tb - ta)
    while s.next_sync < tm:
        at = s.next_sync
        if at - s.first >= 1.5 * 2 * M_PI / fa and at + 1.5 * 2 * M_PI / fa < s.frames and at > s.frames - c.mask / 2:
            # the slope of the parabola through the three phases
            synchrophasor(c, s, out, at, fa + rate * (at - 0.5 * (ta + tm)), rate,
                          0 if s.point_good[last] and s.point_good[mid] and s.point_good[now] else NO_LOCK)
        s.next_sync += c.sync_period - s.sync_owed
        s.sync_owed = 0.0
