"""Phase and frequency of the fundamental, from the decimated voltages.

Each hop demodulates every reference over three cycles (three cascaded boxcars of one actual cycle
each, so that every harmonic and every image falls on a threefold zero) and takes the common phase
from those that agree: a reference that died, dips, jumps or was never there has no say. What each
reference's angle against the common phase is, is learnt, so any set of voltages will do: balanced
or not, either sequence, all alike, open delta, or one.
"""

from libc.math cimport M_PI, atan2, cos, fabs, floor, sin, sqrt

from ctmeter._kernels.state cimport DEC_RING, MAX_HALF, POINTS, core_t, state_t

cdef enum:
    SETTLE = 4        # hops after which a reference that stands apart steadily is believed
    TRUST = 3         # hops in a row that must fit after a long flight
    PATIENCE = 6      # hops of free running after which a varying amplitude no longer disqualifies


cdef inline void set_period(core_t *c, state_t *s, double period) noexcept nogil:
    """Centre the demodulation on a cycle of `period` decimated frames."""
    cdef int j
    cdef double x, w, total = 0.0, omega = 2 * M_PI / period
    s.period = period
    s.half = <int>floor(1.5 * period - 1e-9)
    if s.half > MAX_HALF - 1:
        s.half = MAX_HALF - 1
    s.step = <int>floor(period + 0.5)
    if s.step < 1:
        s.step = 1
    for j in range(s.half + 1):
        x = j / period
        w = 0.75 - x * x if x < 0.5 else 0.5 * (1.5 - x) * (1.5 - x)
        total += w if j == 0 else 2 * w
        s.kc[j], s.ks[j] = w * cos(omega * j), w * sin(omega * j)
    for j in range(s.half + 1):
        s.kc[j] *= 2 / total
        s.ks[j] *= 2 / total


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


cdef inline void first_hop(const core_t *c, state_t *s, const double *re, const double *im, const double *m) noexcept nogil:
    """Take the angles as they are found; the common phase is that of L1, or of the next live reference turned to its place."""
    cdef int k, lead = -1
    cdef double largest = 0.0, common = 0.0
    for k in range(3):
        largest = max(largest, m[k])
    for k in range(3):
        set_angle(s, 1 + k, -2 * M_PI * k / 3)
        set_angle(s, 4 + k, -2 * M_PI * k / 3 + M_PI / 6)
        s.known[k] = m[k] > c.dead and m[k] > 0.05 * largest
        s.amp[k] = m[k] if s.known[k] else 0.0
        if s.known[k] and (lead < 0 or k == c.strict):
            lead = k
    if lead >= 0:
        common = atan2(im[lead], re[lead]) + M_PI / 2 + (0 if lead == c.strict else 2 * M_PI * lead / 3)
    for k in range(3):
        if s.known[k]:
            set_angle(s, 1 + k, wrapped(atan2(im[k], re[k]) + M_PI / 2 - common))
    line_angles(c, s, 1.0)
    s.point_phase[0] = wrapped(common)
    s.point_good[0] = lead >= 0 and not s.lost


cdef inline int judge(const core_t *c, state_t *s, const double *m, int *live) noexcept nogil:
    """Which references are alive and steady; returns how many of the known ones are."""
    cdef int k, count = 0
    cdef double largest = max(s.amp[0], s.amp[1], s.amp[2], m[0], m[1], m[2])
    cdef double limit = 0.04 if s.fly <= PATIENCE else 0.3
    for k in range(3):
        live[k] = (m[k] > c.dead and m[k] > 0.05 * largest
                   and fabs(m[k] - s.last_amp[k]) <= limit * max(m[k], s.last_amp[k]))
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


cdef inline void learn(core_t *c, state_t *s, const double *m, const double *d, const int *live, double common, int measured, double hop) noexcept nogil:
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
        if measured and s.known[k] and fabs(apart) < 0.03:
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
                s.amp[k] = m[k]
                s.off[k] = 0
                changed = 1
                measured = 1
        s.deviation[k] = apart
    line_angles(c, s, 1.0 if changed else 0.25)


cdef inline void recentre(core_t *c, state_t *s) noexcept nogil:
    """Hold the frequency of the last steady cycles, and move the kernel there."""
    cdef int k, now = <int>(s.hops % POINTS), past = <int>((s.hops - 3) % POINTS)
    if s.hops < 3:
        past = 0
    if s.hops < 1:
        return
    k = past
    while k != now:
        if not s.point_good[k]:
            return
        k = (k + 1) % POINTS
    if not s.point_good[now]:
        return
    s.held = (s.point_phase[now] - s.point_phase[past]) / (s.point_t[now] - s.point_t[past])
    # outside this band nothing is followed
    if not 10.0 < s.held * c.rate / (2 * M_PI) < 150.0:
        s.held = 2 * M_PI / (s.period * c.divide)
        return
    if fabs(s.held - s.omega) > 0.01 * s.held:
        s.omega = s.held
    if fabs(2 * M_PI / s.held / c.divide - s.period) > 1e-4 * s.period:
        set_period(c, s, 2 * M_PI / s.held / c.divide)


cdef inline void measure_hop(core_t *c, state_t *s) noexcept nogil:
    """Demodulate around the hop and add its point to the phase."""
    cdef double re[4]
    cdef double im[4]
    cdef double m[3]
    cdef double d[3]
    cdef int live[3]
    cdef int k, now, last, count
    cdef double t = <double>s.hop * c.divide, pred, pc, ps, x = 0.0, y = 0.0, zx, zy, gate, common = 0.0
    c.K.demodulate(c.dec, DEC_RING - 1, s.hop, s.half, s.kc, s.ks, re, im)
    if c.lanes.line:
        # an event on one line voltage moves all three star voltages
        x, y = re[0], im[0]
        for k in range(2):
            re[k], im[k] = re[k] - re[k + 1], im[k] - im[k + 1]
        re[2], im[2] = re[2] - x, im[2] - y
        x = y = 0.0
    for k in range(3):
        if not (c.references >> k) & 1:
            re[k] = im[k] = 0.0
        m[k] = sqrt(re[k] * re[k] + im[k] * im[k])
    now = <int>(s.hops % POINTS)
    s.point_t[now] = t
    if s.hops == 0:
        first_hop(c, s, re, im, m)
        for k in range(3):
            s.last_amp[k] = m[k]
        return
    last = <int>((s.hops - 1) % POINTS)
    pred = s.point_phase[last] + s.omega * (t - s.point_t[last])
    pc, ps = sin(pred), -cos(pred)      # e^j(pred - pi/2): a sine's phasor
    for k in range(3):
        # the reference turned back by the predicted phase and by its own angle
        zx, zy = re[k] * pc + im[k] * ps, im[k] * pc - re[k] * ps
        re[k], im[k] = zx * s.ref_c[1 + k] + zy * s.ref_s[1 + k], zy * s.ref_c[1 + k] - zx * s.ref_s[1 + k]
        d[k] = atan2(im[k], re[k]) if fabs(im[k]) >= 0.05 * re[k] else im[k] / re[k] * (1 - im[k] * im[k] / (3 * re[k] * re[k]))
    count = judge(c, s, m, live)
    if count:
        gate = agreed(s, d, live, count)
        count = 0
        for k in range(3):
            if live[k] == 1 and s.known[k] and fabs(wrapped(d[k] - gate)) < 0.03:
                x += re[k]
                y += im[k]
                count += 1
    if count:
        common = atan2(y, x)
    s.point_phase[now] = pred + common
    # after a long flight a single hop that fits is chance
    s.trust = s.trust + 1 if count else 0
    if s.fly > PATIENCE:
        s.lost = 1
    if s.trust >= TRUST:
        s.lost = 0
    s.point_good[now] = count > 0 and not s.lost
    if count and s.point_good[last]:
        if fabs(common) < 0.1:
            s.omega += 0.25 * common / (t - s.point_t[last])
    elif count and s.hops > 1 and not s.lost:
        s.omega = s.held
    s.fly = 0 if count else s.fly + 1
    learn(c, s, m, d, live, common, count > 0, t - s.point_t[last])
    for k in range(3):
        s.last_amp[k] = m[k]
    recentre(c, s)
