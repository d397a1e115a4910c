"""Coefficients and state of the flickermeter, as they stand in flicker.h."""

from libc.stdint cimport uint32_t

cdef extern from "_kernels/convert.h" nogil:
    enum:
        FLICKER_CLASSES
        FLICKER_RECENT
        FLICKER_TAPS
    const double FLICKER_SETTLE
    ctypedef struct flicker_t:
        double outputs, stride, lag
        double taps[34]
        int count, step
        double first, dead
    ctypedef struct flicker_bank_t:
        double live[4]
        long since[4]
        int lost[4]
        double recent[512][4]
        double counted[4]
        uint32_t classes[3][3840]
    ctypedef struct flicker_state_t:
        long done
        double tick, owed
        flicker_bank_t bank[2]
    void clear_lane(flicker_bank_t *, int) noexcept
    void forget_lane(flicker_bank_t *, int, long, double, int) noexcept
    double short_term(const uint32_t *, double) noexcept
