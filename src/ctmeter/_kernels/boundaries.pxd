"""Where cycles begin and half-cycles end: boundaries at whole multiples of pi of smoothed phases.

An interharmonic beside the fundamental passes the tracker's three cycles in part, and would move the
edges of windows. The mean over as many hops as a window has cycles has a zero at every bin of a window's
spectrum; so the phase waits half a window to be smoothed, where all of them are good and agree.
"""

from libc.math cimport INFINITY, M_PI, fabs, floor

from ctmeter._kernels.cycles cimport common_boundary, own_boundary
from ctmeter._kernels.edges cimport turn_reference
from ctmeter._kernels.state cimport GRIDS, NO_LOCK, POINTS, core_t, out_t, state_t

cdef inline int has_grid(const core_t *c, int grid) noexcept nogil:
    if grid == 0:
        return 1
    if grid < 4:
        return c.voltages[grid - 1] and not c.lanes.line
    return c.lines and c.voltages[grid - 4] and c.voltages[grid - 3 if grid < 6 else 0]


cdef inline void advance(core_t *c, state_t *s, out_t *out, double tb, double phase_b, const double *theta, int good) noexcept nogil:
    """Every boundary up to the point (tb, phase_b), of all grids in the order of time."""
    cdef int grid, next_grid
    cdef double ta = s.out_t, t
    cdef double phase[7]
    cdef double slope[7]
    cdef double due[7]
    cdef int flags = 0 if good or s.out_good else NO_LOCK
    if tb <= ta:
        return
    if s.blind and not flags:
        # the halves measured so far are of no cycle
        s.blind = 0
        for grid in range(1, GRIDS):
            s.halves[grid] = 0
    turn_reference(c, s, (phase_b - s.out_phase) / (tb - ta))
    for grid in range(GRIDS):
        due[grid] = INFINITY
        phase[grid] = s.out_phase + s.before[grid]
        if grid and fabs(phase_b + theta[grid] - phase[grid] - s.held * (tb - ta)) > (0.6 if good and s.out_good else 0.1):
            # the phase was found anew: half-cycles on either side of that do not belong together
            phase[grid] = phase_b + theta[grid] - s.held * (tb - ta)
            s.m[grid] = <long>floor((phase[grid] + s.held * max(s.edge_t[grid] - ta, 0.0)) / M_PI) + 1
            s.halves[grid] = 0
        slope[grid] = (phase_b + theta[grid] - phase[grid]) / (tb - ta)
        if has_grid(c, grid) and slope[grid] > 0.0:
            due[grid] = ta + (s.m[grid] * M_PI - phase[grid]) / slope[grid]
        s.before[grid] = theta[grid]
    s.out_t, s.out_phase, s.out_good = tb, phase_b, good
    while True:
        next_grid = 0
        for grid in range(1, GRIDS):
            if due[grid] < due[next_grid]:
                next_grid = grid
        if due[next_grid] > tb:
            return
        t = max(due[next_grid], s.edge_t[next_grid])
        if s.ended:
            t = min(t, s.frames - 0.5)
        if next_grid == 0:
            common_boundary(c, s, out, t, flags)
        else:
            own_boundary(c, s, out, next_grid, t, flags)
        s.m[next_grid] += 1 if next_grid else 2
        due[next_grid] = ta + (s.m[next_grid] * M_PI - phase[next_grid]) / slope[next_grid]


cdef inline int smoothed(const state_t *s, long hop, int lag, double *t, double *phase) noexcept nogil:
    """Mean of the points `lag` hops around one, trapezoidal; 0 where they are not all good or do not agree."""
    cdef long k
    cdef int at
    cdef double w, total = 0.0, st = 0.0, sp = 0.0, slope
    if hop < lag or hop + lag > s.hops:
        return 0
    for k in range(hop - lag, hop + lag + 1):
        at = <int>(k % POINTS)
        if not s.point_good[at]:
            return 0
        w = 0.0
        if k > hop - lag:
            w += s.point_t[at] - s.point_t[(k - 1) % POINTS]
        if k < hop + lag:
            w += s.point_t[(k + 1) % POINTS] - s.point_t[at]
        total += w
        st += w * (s.point_t[at] - s.point_t[hop % POINTS])
        sp += w * (s.point_phase[at] - s.point_phase[hop % POINTS])
    st = s.point_t[hop % POINTS] + st / total
    sp /= total
    at = <int>((hop + 1) % POINTS)
    slope = (s.point_phase[at] - s.point_phase[(hop - 1) % POINTS]) / (s.point_t[at] - s.point_t[(hop - 1) % POINTS])
    # a jump or a run-up is not to be smoothed away
    if fabs(sp - slope * (st - s.point_t[hop % POINTS])) > 0.031:
        return 0
    t[0], phase[0] = st, sp + s.point_phase[hop % POINTS]
    return 1


cdef inline void follow(core_t *c, state_t *s, out_t *out, int last) noexcept nogil:
    """Boundaries of the hops that are old enough to be smoothed; with `last`, of all."""
    cdef int at
    cdef double t, phase
    cdef int lag = c.cycles_per_window // 2
    # at low frequencies the rings are too short to wait
    if last or (3.75 + lag) * s.period * c.divide > 0.27 * c.rate or 2 * lag >= POINTS:
        lag = 0
    while s.followed < s.hops - lag:
        s.followed += 1
        at = <int>(s.followed % POINTS)
        if not lag or not smoothed(s, s.followed, lag, &t, &phase):
            t, phase = s.point_t[at], s.point_phase[at]
        advance(c, s, out, t, phase, s.point_theta + 7 * at, s.point_good[at])
