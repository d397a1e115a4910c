"""What a meter makes of booked energy: where its registers stand at the ticks of its clock, and when it gives a pulse.

A tick inside a cycle takes the share of the cycle's energies that its time has; at an instant that was asked for, active
energy is that of the samples before it. A pulse of active energy is looked for in the samples: inside one sample's
interval energy grows evenly.
"""

from libc.math cimport INFINITY, ceil, fabs, floor, hypot
from libc.string cimport memcpy

from ctmeter._kernels.edges cimport edge_weights
from ctmeter._kernels.energy cimport account, positive
from ctmeter._kernels.routines cimport TAPS
from ctmeter._kernels.spans cimport clear, join, put_row
from ctmeter._kernels.state cimport ABSOLUTE, ENERGY_ROW, PER_PHASE, ROW, core_t, out_t, span_t, state_t


cdef inline void energy_row(const core_t *c, state_t *s, out_t *out, double t, const double *before, double share) noexcept nogil:
    """The row that ends at frame t: the whole cycles that ended in it, and the energies of the run up to t."""
    cdef double *row = out.energies + ENERGY_ROW * out.n_energies
    cdef int k
    put_row(row, &s.second, s.start, 0)
    row[ROW], row[ROW + 1] = s.energy_from + s.start, t + s.start
    for k in range(40):
        row[ROW + 2 + k] = before[k] + share * (s.energy[k] - before[k])
    out.n_energies += 1
    s.energy_from = t
    clear(&s.second, t)


cdef inline void signs(const core_t *c, int exports, const double *p, const double *w, double *sign) noexcept nogil:
    """With which sign the instantaneous power of each phase enters the register of import or export."""
    cdef int k
    for k in range(3):
        if not c.currents[k] or not (c.voltages[k] or c.lanes.line):
            sign[k] = 0.0
        elif c.summation == PER_PHASE:
            sign[k] = (-1.0 if exports else 1.0) if positive(p[k], w[k]) != exports else 0.0
        else:
            sign[k] = -1.0 if exports else 1.0
            if c.summation == ABSOLUTE and not positive(p[k], w[k]):
                sign[k] = -sign[k]


cdef inline double sample_energy(const core_t *c, const double *sign, long n, double t0, double t1) noexcept nogil:
    """Energy of what lies between t0 and t1 of the interval of sample n."""
    cdef const double *u = c.U + 4 * (n & c.mask)
    cdef const double *i = c.I + 4 * (n & c.mask)
    cdef double length = min(n + 0.5, t1) - max(n - 0.5, t0)
    return length * (sign[0] * u[0] * i[0] + sign[1] * u[1] * i[1] + sign[2] * u[2] * i[2])


cdef inline double edge_excess(const core_t *c, const state_t *s, const double *sign, double t) noexcept nogil:
    """What an edge between samples has booked up to t beyond the samples, each of which stands for its own interval."""
    cdef double w[16]
    cdef double x, excess = 0.0
    cdef const double *u
    cdef const double *i
    cdef long ref, n, first = edge_weights(c, s, t, w, &ref)
    for n in range(first, first + TAPS):
        x = t - n + 0.5
        x = w[n - first] - (0.0 if x < 0.0 else 1.0 if x > 1.0 else x) + (n < ref)
        u, i = c.U + 4 * (n & c.mask), c.I + 4 * (n & c.mask)
        excess += x * (sign[0] * u[0] * i[0] + sign[1] * u[1] * i[1] + sign[2] * u[2] * i[2])
    return excess


cdef inline double active_until(const core_t *c, const state_t *s, const double *sign, const span_t *v, double t, double grown) noexcept nogil:
    """By how much a register of active energy that grew by `grown` over a span grows up to time t in it."""
    cdef double part = -edge_excess(c, s, sign, v.t0), rest = edge_excess(c, s, sign, v.t1)
    cdef long n
    if grown == 0.0:
        return 0.0
    for n in range(<long>ceil(v.t0 - 0.5), <long>floor(v.t1 + 0.5) + 1):
        if n - 0.5 < t:
            part += sample_energy(c, sign, n, v.t0, min(v.t1, t))
        if n + 0.5 > t:
            rest += sample_energy(c, sign, n, max(v.t0, t), v.t1)
    # a phase that is turned round, or counts as export, is booked with the other sign
    if fabs(grown + part + rest) < fabs(grown - part - rest):
        part = -part
    return part


cdef inline void exact_row(const core_t *c, state_t *s, out_t *out, const span_t *v, double t, const double *before,
                           const double *p, const double *w) noexcept nogil:
    """Put the active energies of the samples before an instant into the row that ends there."""
    cdef double *row = out.energies + ENERGY_ROW * (out.n_energies - 1) + ROW + 2
    cdef double sign[3]
    cdef int k, j, exports
    for exports in range(2):
        signs(c, exports, p, w, sign)
        row[exports] = before[exports] + active_until(c, s, sign, v, t, s.energy[exports] - before[exports])
        for k in range(3):
            for j in range(3):
                sign[j] = 1.0 if j == k else 0.0
            j = 10 * (k + 1) + exports
            row[j] = before[j] + active_until(c, s, sign, v, t, s.energy[j] - before[j])


cdef inline void advance_tick(const core_t *c, state_t *s) noexcept nogil:
    if c.n_instants == 0:
        s.energy_tick += c.energy_period - s.energy_owed
        s.energy_owed = 0.0
        return
    s.instant += 1
    s.energy_tick = c.instants[s.instant] - s.start if s.instant < c.n_instants else INFINITY


cdef inline void give(state_t *s, out_t *out, int stream, double t) noexcept nogil:
    s.pulse_count[stream] += 1
    if out.n_pulses >= out.pulse_room:
        s.pulse_lost[stream] += 1
        return
    out.pulses[2 * out.n_pulses], out.pulses[2 * out.n_pulses + 1] = stream, t + s.start
    out.n_pulses += 1


cdef inline double threshold(const core_t *c, const state_t *s, int stream) noexcept nogil:
    """The energy at which the next pulse is due."""
    return (s.pulse_count[stream] + 1) * c.pulse_quantum[stream] - c.pulse_carry[stream]


cdef inline void pulses_of(const core_t *c, state_t *s, out_t *out, int stream, const span_t *v, double e0, double e1,
                           const double *p, const double *w) noexcept nogil:
    """The pulses of one stream while its register grows from e0 to e1 over a span."""
    cdef double sign[3]
    cdef double total = 0.0, done = 0.0, step, due, scale
    cdef long n, first = <long>ceil(v.t0 - 0.5), last = <long>floor(v.t1 + 0.5)
    cdef int register = c.pulse_register[stream]
    if register > 1:
        # reactive and apparent energy have no instants: they grow evenly over the cycle
        while threshold(c, s, stream) <= e1:
            give(s, out, stream, v.t0 + (max(threshold(c, s, stream), e0) - e0) / (e1 - e0) * (v.t1 - v.t0))
        return
    signs(c, register, p, w, sign)
    for n in range(first, last + 1):
        total += sample_energy(c, sign, n, v.t0, v.t1)
    # edges between samples are finer in the register than in this sum
    scale = (e1 - e0) / total if total > 0.0 else 0.0
    for n in range(first, last + 1):
        step = scale * sample_energy(c, sign, n, v.t0, v.t1)
        due = threshold(c, s, stream) - e0
        while step > 0.0 and due <= done + step and due + e0 <= e1:
            give(s, out, stream, max(n - 0.5, v.t0) + max(due - done, 0.0) / step * (min(n + 0.5, v.t1) - max(n - 0.5, v.t0)))
            due = threshold(c, s, stream) - e0
        done += step
    # what rounding left
    while threshold(c, s, stream) <= e1:
        give(s, out, stream, v.t1)


cdef inline void enter(const core_t *c, state_t *s, out_t *out, const span_t *v, const double *p, const double *q,
                       const double *w) noexcept nogil:
    """Book a span, and see what the meter's clock and its pulses make of it."""
    cdef double before[40]
    cdef double load
    cdef int k
    if c.energy_period <= 0.0:
        account(c, s, &v.sums[8], v.t1 - v.t0, p, q, w)
        return
    memcpy(before, s.energy, sizeof(before))
    # a reactive load is one too, and phases that cancel each other are two; of three wires only the sum is a power
    load = hypot(p[3], q[3])
    if not c.lanes.line:
        load = hypot(p[0], q[0]) + hypot(p[1], q[1]) + hypot(p[2], q[2])
    s.running = load >= (c.creep if s.running else max(c.begin, c.creep))
    if s.running:
        account(c, s, &v.sums[8], v.t1 - v.t0, p, q, w)
    else:
        s.withheld += fabs(v.sums[8] + v.sums[9] + v.sums[10])
    for k in range(c.pulses):
        if threshold(c, s, k) <= s.energy[c.pulse_register[k]]:
            pulses_of(c, s, out, k, v, before[c.pulse_register[k]], s.energy[c.pulse_register[k]], p, w)
    while s.energy_tick <= v.t1:
        energy_row(c, s, out, s.energy_tick, before, (s.energy_tick - v.t0) / (v.t1 - v.t0) if s.energy_tick > v.t0 else 0.0)
        if c.n_instants and s.energy_tick > v.t0:
            exact_row(c, s, out, v, s.energy_tick, before, p, w)
        advance_tick(c, s)
    if v.cycles:
        if not s.second.cycles:
            s.second.t0 = v.t0
        join(&s.second, v)
    else:
        s.second.flags |= v.flags
        s.second.missing_lanes |= v.missing_lanes
        s.second.saturated_lanes |= v.saturated_lanes
