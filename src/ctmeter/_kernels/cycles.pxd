"""From atoms to cycles and windows."""

from libc.math cimport M_PI, NAN, ceil, floor, sqrt

from ctmeter._kernels.edges cimport atom, own_atom
from ctmeter._kernels.energy cimport powers
from ctmeter._kernels.flicker cimport flicker_of
from ctmeter._kernels.reactive cimport other_reactive
from ctmeter._kernels.register cimport enter
from ctmeter._kernels.routines cimport TAPS
from ctmeter._kernels.spans cimport clear, join, look_at_marks, put_row
from ctmeter._kernels.spectra cimport spectrum
from ctmeter._kernels.state cimport (
    BUDEANU, GRIDS, GROUP, NOT_FINITE, NO_LOCK, POINTS, QUARTER_SHIFT, ROW, SATURATED, SETTLING, core_t, out_t, span_t, state_t,
)


cdef inline int into_window(const core_t *c, state_t *s, out_t *out, span_t *window, int kind) noexcept nogil:
    """Add the finished cycle to a window; a full window becomes a row, and is said."""
    if not window.open:
        return 0
    if window.cycles == 0:
        window.t0 = s.cycle.t0
    join(window, &s.cycle)
    if window.cycles < c.cycles_per_window:
        return 0
    put_row(out.windows + ROW * out.n_windows, window, s.start, kind)
    if c.floats:
        spectrum(c, s, out, window)
    out.n_windows += 1
    clear(window, s.cycle.t1)
    window.open = 1
    return 1


cdef inline void resynchronise(const core_t *c, state_t *s) noexcept nogil:
    """At the tick windows start anew; the running one and the running 150/180-cycle interval go on to their ends."""
    s.next_tick += c.tick_period * (floor((s.cycle.t0 - s.next_tick) / c.tick_period) + 1) - s.tick_owed
    s.tick_owed = 0.0
    if s.window.cycles or s.group:
        s.tail = s.window
        s.tail.open = 1
        s.tail_left = GROUP - s.group
        s.tail_first = s.window.cycles > 0
    s.group = 0
    clear(&s.window, s.cycle.t0)
    s.window.open = 1


cdef inline void frequency_row(const core_t *c, state_t *s, out_t *out, double end) noexcept nogil:
    """The interval of frequency that ends at frame `end`."""
    cdef double *row = out.frequencies + 4 * out.n_frequencies
    if s.f_cycles > 0:
        row[0], row[1], row[2], row[3] = end - c.f_period + s.start, s.f_cycles, s.f_span, s.f_flags
        out.n_frequencies += 1
    s.f_cycles = s.f_span = 0.0
    s.f_flags = 0


cdef inline void into_frequency(const core_t *c, state_t *s, out_t *out) noexcept nogil:
    """Count the finished cycle; one that straddles the end of an interval counts for none."""
    if s.cycle.t1 > s.f_tick:
        frequency_row(c, s, out, s.f_tick)
        s.f_tick += c.f_period * ceil((s.cycle.t1 - s.f_tick) / c.f_period) - s.f_owed
        s.f_owed = 0.0
        if s.cycle.t0 < s.f_tick - c.f_period:
            return
    if s.cycle.unlocked:
        return
    s.f_cycles += 1
    s.f_span += s.cycle.t1 - s.cycle.t0
    s.f_flags |= s.cycle.flags & ~SETTLING


cdef inline void close_cycle(const core_t *c, state_t *s, out_t *out) noexcept nogil:
    """Book a whole cycle, together with the part before the first, and add it to the windows."""
    cdef double p[4]
    cdef double q[4]
    cdef double w[4]
    cdef int k
    if c.reactive == QUARTER_SHIFT or c.reactive == BUDEANU:
        other_reactive(c, s, &s.cycle)
    powers(c, &s.cycle, p, q, w)
    if not s.have_last:
        enter(c, s, out, &s.part, p, q, w)
        clear(&s.part, s.part.t1)
    enter(c, s, out, &s.cycle, p, q, w)
    for k in range(4):
        s.last_p[k], s.last_q[k], s.last_s[k] = p[k], q[k], w[k]
    s.have_last = 1
    if s.cycle.t0 >= s.next_tick:
        resynchronise(c, s)
    if s.tail_left and into_window(c, s, out, &s.tail, 1 if s.tail_first else 2):
        s.tail_first = 0
        s.tail_left -= 1
    if into_window(c, s, out, &s.window, 0):
        s.group = (s.group + 1) % GROUP
    into_frequency(c, s, out)
    if c.want_cycles:
        put_row(out.cycles + ROW * out.n_cycles, &s.cycle, s.start, 0)
        out.n_cycles += 1


cdef inline void common_boundary(core_t *c, state_t *s, out_t *out, double t, int flags) noexcept nogil:
    """A cycle of the common grid ends at t; the first is the part of one before it."""
    cdef span_t *span = &s.cycle if s.cycle.open else &s.part
    span.t1 = t
    span.flags |= flags
    atom(c, s, t, 0.0, span.sums)
    look_at_marks(c, s, span)
    if s.cycle.open:
        s.cycle.cycles = 1
        if flags & NO_LOCK:
            s.cycle.unlocked, s.cycle.unlocked_span = 1, t - s.cycle.t0
        flicker_of(c, s, &s.cycle)
        close_cycle(c, s, out)
    clear(&s.cycle, t)
    s.cycle.open = 1


cdef inline void own_boundary(const core_t *c, state_t *s, out_t *out, int grid, double t, int flags) noexcept nogil:
    """A half-cycle of a voltage's own grid ends at t: one value of Urms(1/2) starts a cycle before."""
    cdef double total, value, began = s.edge_t[grid]
    cdef double *row
    cdef span_t half
    cdef int lanes
    if s.last_mark >= began - TAPS:
        clear(&half, began)
        half.t1 = t
        look_at_marks(c, s, &half)
        lanes = 1 << (grid - 1) if grid < 4 else 1 << (grid - 4) | 1 << (grid - 3 if grid < 6 else 0)
        if half.missing_lanes & lanes:
            flags |= NOT_FINITE
        if half.saturated_lanes & lanes:
            flags |= SATURATED
    total = own_atom(c, s, grid, t)
    if s.halves[grid] > 1:
        # the held period: the distance of edges would let an event move its own measure
        value = sqrt(max(s.half_sum[grid] + total, 0.0) * s.held / (2 * M_PI))
        if s.blind:
            # 5 % of nominal: what is less for so long is no slow voltage, but none
            if value > 3.5 * c.dead:
                s.loud = t
            elif t - s.loud > 0.2 * c.rate:
                s.blind = 0
        if s.blind or (flags | s.half_flags[grid]) & NOT_FINITE:
            value = NAN
        else:
            s.cycle.umin[grid - 1] = min(s.cycle.umin[grid - 1], value)
            s.cycle.umax[grid - 1] = max(s.cycle.umax[grid - 1], value)
        if c.want_halves:
            row = out.halves + 4 * out.n_halves
            row[0], row[1], row[2], row[3] = s.half_t[grid] + s.start, grid, value, flags | s.half_flags[grid]
            out.n_halves += 1
    s.half_sum[grid] = total
    s.half_t[grid] = began
    s.half_flags[grid] = flags
    s.halves[grid] += 1
