"""Spans: sums over whole cycles, and the rows they become."""

from libc.math cimport INFINITY, NAN, ceil, floor
from libc.string cimport memset

from ctmeter._kernels.routines cimport TAPS
from ctmeter._kernels.state cimport NOT_FINITE, SATURATED, core_t, span_t, state_t


cdef inline void clear(span_t *v, double t) noexcept nogil:
    cdef int k
    memset(v, 0, sizeof(span_t))
    v.t0 = v.t1 = t
    for k in range(6):
        v.umin[k], v.umax[k], v.pinst[k] = INFINITY, -INFINITY, -INFINITY


cdef inline void join(span_t *v, const span_t *w) noexcept nogil:
    """Append span w to v."""
    cdef int k
    v.t1 = w.t1
    for k in range(36):
        v.sums[k] += w.sums[k]
    for k in range(3):
        v.other[k] += w.other[k]
    for k in range(8):
        v.missing[k] += w.missing[k]
    for k in range(6):
        v.umin[k], v.umax[k] = min(v.umin[k], w.umin[k]), max(v.umax[k], w.umax[k])
        v.pinst[k] = max(v.pinst[k], w.pinst[k])
    v.missing_lanes |= w.missing_lanes
    v.saturated_lanes |= w.saturated_lanes
    v.flags |= w.flags
    v.cycles += w.cycles
    v.unlocked += w.unlocked
    v.unlocked_span += w.unlocked_span


cdef inline void look_at_marks(const core_t *c, const state_t *s, span_t *v) noexcept nogil:
    """Count what is missing or saturated in a span; beside it, where an edge still looks, it is only flagged."""
    cdef long n
    cdef int l, mark
    if s.last_mark < v.t0 - TAPS:
        return
    for n in range(max(<long>ceil(v.t0) - TAPS, s.first), min(<long>floor(v.t1) + TAPS, s.frames)):
        mark = c.marks[n & c.mask]
        if mark:
            v.missing_lanes |= mark & 255
            v.saturated_lanes |= mark >> 8
            if not v.t0 <= n <= v.t1:
                continue
            for l in range(8):
                v.missing[l] += (mark >> l) & 1
    if v.missing_lanes:
        v.flags |= NOT_FINITE
    if v.saturated_lanes:
        v.flags |= SATURATED


cdef inline void put_row(double *row, const span_t *v, long start, int kind) noexcept nogil:
    cdef int k
    row[0], row[1], row[2], row[3] = v.t0 + start, v.t1 + start, v.cycles, v.flags
    row[4], row[5] = v.missing_lanes, v.saturated_lanes
    for k in range(3):
        row[6 + k] = v.other[k]
    row[17], row[18], row[19] = kind, v.unlocked, v.unlocked_span
    for k in range(8):
        row[9 + k] = v.missing[k]
    for k in range(36):
        row[20 + k] = v.sums[k]
    for k in range(6):
        row[56 + k] = v.umin[k] if v.umin[k] < INFINITY else NAN
        row[62 + k] = v.umax[k] if v.umax[k] > -INFINITY else NAN
        row[68 + k] = v.pinst[k] if v.pinst[k] > -INFINITY else NAN
    row[74] = row[75] = 0.0
