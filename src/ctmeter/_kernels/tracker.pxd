"""Phase and frequency of the fundamental, from the decimated voltages.

Each hop demodulates every reference over three cycles (three cascaded boxcars of one actual cycle
each, so that every harmonic and every image falls on a threefold zero) and takes the common phase
from those that agree.
"""

from libc.math cimport M_PI, atan2, cos, fabs, sin, sqrt

from ctmeter._kernels.references cimport PATIENCE, agreed, astray, judge, learn, line_angles, set_angle, set_period, set_place, settle, wrapped
from ctmeter._kernels.state cimport DEC_RING, GRIDS, POINTS, core_t, modulo, state_t

cdef enum:
    TRUST = 3         # hops in a row that must fit after a long flight


cdef inline long hop_near(const core_t *c, const state_t *s, long at) noexcept nogil:
    """The place of a hop nearest to a decimated frame; the places count from a time that all runs have in common."""
    cdef long before = (c.origin + s.start) // c.divide, half = s.step // 2
    return at + half - modulo(at + before + half, s.step)


cdef inline long hop_after(const core_t *c, const state_t *s) noexcept nogil:
    """The place of the next hop, a cycle on: one that is common; where these moved with the cycle's length, nearer to it by little at a time."""
    cdef long plain = s.hop + s.step, off = hop_near(c, s, plain) - plain, most = max(s.step // 32, 1)
    if s.hops == 1:
        # the first one stands as near to the start as it can
        return plain + off
    return plain + max(-most, min(off, most))


cdef inline void first_hop(const core_t *c, state_t *s, const double *re, const double *im, const double *m) noexcept nogil:
    """Take the angles as they are found; the common phase is their mean, each against its place, or that of the strict reference."""
    cdef int k, lead = -1
    cdef double largest = 0.0, common = 0.0, mean
    for k in range(3):
        largest = max(largest, m[k])
    for k in range(3):
        set_angle(s, 1 + k, -2 * M_PI * k / 3)
        set_angle(s, 4 + k, -2 * M_PI * k / 3 + M_PI / 6)
        s.known[k] = m[k] > max(c.dead, s.floor) and m[k] > 0.05 * largest
        s.amp[k] = m[k] if s.known[k] else 0.0
        if s.known[k] and (lead < 0 or k == c.strict):
            lead = k
    if lead >= 0:
        common = atan2(im[lead], re[lead]) + M_PI / 2 + (0 if lead == c.strict else 2 * M_PI * lead / 3)
    for k in range(3):
        if s.known[k]:
            set_angle(s, 1 + k, wrapped(atan2(im[k], re[k]) + M_PI / 2 - common))
        set_place(s, k)
    if c.strict < 0:
        mean = astray(s)
        common += mean
        for k in range(3):
            set_angle(s, 1 + k, s.theta[1 + k] - mean)
    line_angles(c, s, 1.0)
    s.astray = 0.0
    s.point_phase[0] = wrapped(common)
    s.point_good[0] = lead >= 0 and not s.lost


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
    set_period(c, s, 2 * M_PI / s.held / c.divide)


cdef inline void keep_amplitudes(state_t *s, const double *m, int lost) noexcept nogil:
    """Remember the amplitudes of the last three hops, but where samples are missing."""
    cdef int k
    for k in range(3):
        if not (lost >> k) & 1:
            s.last_amp[6 + k], s.last_amp[3 + k], s.last_amp[k] = s.last_amp[3 + k], s.last_amp[k], m[k]


cdef inline void keep_angles(state_t *s, int at) noexcept nogil:
    """Remember the angles of the grids for the boundaries of this hop."""
    cdef int g
    for g in range(GRIDS):
        s.point_theta[7 * at + g] = s.theta[g]


cdef inline void demodulated(const core_t *c, const state_t *s, int lost, double *re, double *im, double *m) noexcept nogil:
    """Phasors of the references around the hop, and their magnitudes; 0 for those that `lost` says miss samples there."""
    cdef int k
    cdef double x, y
    c.K.demodulate(c.dec, DEC_RING - 1, s.hop, s.half, s.kc, s.ks, re, im)
    for k in range(3):
        re[k], im[k] = s.gain * re[k], s.gain * im[k]
    if c.lanes.line:
        # an event on one line voltage moves all three star voltages: the lines are the references
        x, y = re[0], im[0]
        for k in range(2):
            re[k], im[k] = re[k] - re[k + 1], im[k] - im[k + 1]
        re[2], im[2] = re[2] - x, im[2] - y
    for k in range(3):
        if not (c.references >> k) & 1:
            re[k] = im[k] = 0.0
        m[k] = 0.0 if (lost >> k) & 1 else sqrt(re[k] * re[k] + im[k] * im[k])


cdef inline int missing_lanes(const core_t *c, const state_t *s) noexcept nogil:
    """References of which samples are missing where the kernel stands, as bits: what stands for them moves the phasor."""
    cdef long n, first = (s.hop - s.half) * c.divide - c.lead, last = min((s.hop + s.half) * c.divide + c.lead, s.frames - 1)
    cdef int lanes = 0
    if s.last_mark < first:
        return 0
    for n in range(max(first, s.first), last + 1):
        lanes |= c.marks[n & c.mask]
    lanes &= 7
    return 7 if c.lanes.line and lanes else lanes


cdef inline void measure_hop(core_t *c, state_t *s) noexcept nogil:
    """Demodulate around the hop and add its point to the phase."""
    cdef double re[4]
    cdef double im[4]
    cdef double m[3]
    cdef double d[3]
    cdef int live[3]
    cdef int k, now, last, count, lost = missing_lanes(c, s)
    cdef double t = <double>s.hop * c.divide, pred, pc, ps, x = 0.0, y = 0.0, zx, zy, gate, common = 0.0
    demodulated(c, s, lost, re, im, m)
    now = <int>(s.hops % POINTS)
    s.point_t[now] = t
    if s.hops == 0:
        first_hop(c, s, re, im, m)
        for _ in range(3):
            keep_amplitudes(s, m, 0)
        keep_angles(s, 0)
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
            if live[k] == 1 and s.known[k] and fabs(wrapped(d[k] - gate)) < 0.04:
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
    if count and c.strict < 0:
        s.point_phase[now] += settle(c, s)
    keep_amplitudes(s, m, lost)
    keep_angles(s, now)
    recentre(c, s)
