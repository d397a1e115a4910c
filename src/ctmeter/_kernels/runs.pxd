"""Where a run begins: everything that must not reach over missing time is forgotten."""

from libc.math cimport M_PI, cos, floor, sin
from libc.stdint cimport uint16_t
from libc.string cimport memset

from ctmeter._kernels.edges cimport turn_reference
from ctmeter._kernels.flicker cimport begin_flicker
from ctmeter._kernels.routines cimport SUB, VEC
from ctmeter._kernels.spans cimport clear
from ctmeter._kernels.state cimport GRIDS, TICK, core_t, modulo, out_t, state_t


cdef inline void begin_run(core_t *c, state_t *s, out_t *out) noexcept nogil:
    """Forget everything that must not reach over missing time; frames are counted from the grain in which the run begins."""
    cdef long first = modulo(c.origin + s.start, c.grain)
    cdef double begin = first - 0.5
    cdef int g
    memset(c.U, 0, (c.mask + 1 + c.mirror) * 4 * sizeof(double))
    memset(c.I, 0, (c.mask + 1 + c.mirror) * 4 * sizeof(double))
    memset(c.marks, 0, (c.mask + 1) * sizeof(uint16_t))
    s.start -= first
    s.next_tick += first
    s.f_tick += first
    s.next_sync += first
    s.energy_tick += first
    if c.flicker:
        c.flicker.tick += first
    s.first = s.staged = s.frames = first
    # what would be there of frames before the first is nothing
    s.floated = s.ticked = first // TICK * TICK
    s.blocks = first // SUB
    s.decimated = (first + c.divide - 1) // c.divide
    s.last_mark = -1
    s.loud = begin
    s.locked = s.ended = s.fly = s.have_last = 0
    s.hops = 0
    for g in range(GRIDS):
        s.edge_t[g] = begin
        s.edge_ref[g] = first // SUB * SUB
        s.edge_sum[g] = 0.0
        s.halves[g] = 0
    for g in range(VEC):
        s.edge_vec[g] = 0.0
    s.edge_c, s.edge_s = 1.0, 0.0
    memset(s.off, 0, sizeof(s.off))
    memset(s.rail, 0, sizeof(s.rail))
    begin_flicker(c, s, out)
    clear(&s.part, begin)
    clear(&s.cycle, begin)
    clear(&s.window, begin)
    clear(&s.tail, begin)
    clear(&s.second, begin)
    s.energy_from = begin
    s.window.open = 1
    s.group = s.tail_left = 0


cdef inline void at_clock(double *tick, double *owed, double seam, double later) noexcept nogil:
    """Let a tick lie where the clock has it, which was found to be later by so many frames at a seam.

    What cannot be, because the tick has passed by the old clock or the new one begins behind it, is owed to the tick after it.
    """
    cdef double moved = tick[0] - later
    if tick[0] < seam + min(later, 0.0):
        owed[0] += later
        return
    tick[0] = max(moved, seam)
    owed[0] += tick[0] - moved


cdef inline void set_ticks(core_t *c, state_t *s, double seam, double later) noexcept nogil:
    """The clock is later from a seam on than the samples say: what goes by it comes that much earlier from there on."""
    at_clock(&s.next_tick, &s.tick_owed, seam, later)
    at_clock(&s.f_tick, &s.f_owed, seam, later)
    at_clock(&s.next_sync, &s.sync_owed, seam, later)
    at_clock(&s.energy_tick, &s.energy_owed, seam, later)
    if c.flicker:
        at_clock(&c.flicker.tick, &c.flicker.owed, seam, later)


cdef inline void extend_to_start(const core_t *c, state_t *s) noexcept nogil:
    """Let the phase begin at the run's first sample, and number every grid's boundaries from there."""
    cdef double slope = (s.point_phase[1] - s.point_phase[0]) / (s.point_t[1] - s.point_t[0])
    cdef int g
    s.point_phase[0] += slope * (s.first - 0.5 - s.point_t[0])
    s.point_t[0] = s.first - 0.5
    s.followed = 0
    s.out_t, s.out_phase, s.out_good = s.point_t[0], s.point_phase[0], s.point_good[0]
    for g in range(GRIDS):
        s.before[g] = s.theta[g]
        s.m[g] = <long>floor((s.point_phase[0] + s.theta[g]) / M_PI) + 1
    # whole cycles on the common grid, half-cycles on the voltages' own
    s.m[0] += s.m[0] & 1
    turn_reference(c, s, slope)
    # a run without a whole cycle has its reactive energy of what lies between any two cuts: they share one reference
    slope = s.point_phase[0] + slope * (s.edge_ref[0] - s.point_t[0])
    s.edge_c, s.edge_s = cos(slope), -sin(slope)
