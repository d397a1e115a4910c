"""Channels sampled at different instants of a frame: each lane is moved in time by a windowed-sinc delay.

Raw frames wait in a ring of their own until the samples that a delay needs have come.
"""

from libc.math cimport floor
from libc.stdint cimport uint16_t

from ctmeter._kernels.routines cimport TAPS
from ctmeter._kernels.state cimport PHASES, STAGE, core_t, state_t

cdef enum:
    REACH = 48        # frames on either side that a lane's delay may need


cdef inline void set_delay(core_t *c, int lane, double samples) noexcept nogil:
    """Let a lane that is sampled `samples` later than its frame be read that much earlier."""
    cdef double place, share
    cdef const double *row
    cdef int j
    if samples == 0.0:
        return
    c.skewed = c.skewed_lane[lane] = 1
    c.skew_at[lane] = <int>floor(-samples)
    place = (-samples - floor(-samples)) * PHASES
    share = place - floor(place)
    row = c.shift_table + <int>floor(place) * TAPS
    c.skew_at[lane] -= TAPS // 2 - 1
    for j in range(TAPS):
        c.skew_taps[16 * lane + j] = row[j] + share * (row[TAPS + j] - row[j])


cdef inline void move(const core_t *c, const state_t *s, long first, long count, double *U, double *I, uint16_t *marks) noexcept nogil:
    """Frames [first, first + count) out of the stage; beyond the run its first or last sample stands."""
    cdef long n, at
    cdef int l, j
    cdef double x
    cdef const double *lane
    for n in range(first, first + count):
        marks[n - first] = c.stage_marks[n & (STAGE - 1)]
        for l in range(8):
            lane = (c.stage_U if l < 4 else c.stage_I) + (l & 3)
            if not c.skewed_lane[l]:
                x = lane[4 * (n & (STAGE - 1))]
            else:
                x = 0.0
                for j in range(TAPS):
                    at = n + c.skew_at[l] + j
                    at = s.first if at < s.first else s.staged - 1 if at >= s.staged else at
                    x += c.skew_taps[16 * l + j] * lane[4 * (at & (STAGE - 1))]
            if l < 4:
                U[4 * (n - first) + l] = x
            else:
                I[4 * (n - first) + l - 4] = x
