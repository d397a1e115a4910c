"""Flicker: outputs assigned to cycles and to intervals of ten minutes.

References
----------
IEC 61000-4-15:2010, 5.7
"""

from libc.math cimport INFINITY, NAN, ceil
from libc.string cimport memset

from ctmeter._kernels.flicker_state cimport (
    FLICKER_CLASSES, FLICKER_RECENT, FLICKER_SETTLE, FLICKER_TAPS, flicker_bank_t, flicker_state_t, flicker_t,
    clear_lane, forget_lane, short_term,
)
from ctmeter._kernels.skew cimport REACH
from ctmeter._kernels.state cimport DEC_RING, INCOMPLETE, SETTLING, STAGE, core_t, out_t, span_t, state_t

cdef enum:
    PST_ROW = 8       # start of the interval, flags, Pst of L1 L2 L3 L12 L23 L31


cdef inline int has_bank(const core_t *c, int bank) noexcept nogil:
    """Phases where there are any, line voltages where they are wanted."""
    return c.lines if bank else not c.lanes.line


cdef inline int set_flicker(flicker_t *f, const double[::1] values, int divide, double dead) noexcept nogil:
    """Take over the coefficients; 0 where they are not for this decimation."""
    cdef long head = (<char *>f.taps - <char *>f) // sizeof(double), k
    f.count = <int>(values.shape[0] - head)
    f.step = (f.count + 2) // 3
    if not 0 < f.count <= FLICKER_TAPS or f.count != 3 * f.step - 2:
        return 0
    for k in range(values.shape[0]):
        (<double *>f)[k] = values[k]
    # an output's middle: half the taps, and the two frames that undo the droop
    f.first = (0.5 * (f.count - 1) + 2) * divide - f.lag
    f.dead = max(0.5 * dead * dead, 1e-12)
    return f.stride == f.step * divide


cdef inline long first_output(const core_t *c, const state_t *s) noexcept nogil:
    """The first of the run: all frames that it is made of lie in it."""
    return (s.first + c.divide * c.flick.step - 1) // (c.divide * c.flick.step)


cdef inline void begin_flicker(const core_t *c, state_t *s, out_t *out) noexcept nogil:
    """Forget what must not reach over missing time; the classes of a running interval stay."""
    cdef flicker_state_t *f = c.flicker
    cdef size_t head
    cdef int k
    if f == NULL:
        return
    head = <size_t>(<char *>f.bank[0].counted - <char *>&f.bank[0])
    f.done = first_output(c, s)
    for k in range(2):
        memset(&f.bank[k], 0, head)
    while f.tick <= s.first:
        close_interval(c, s, out)


cdef inline void close_interval(const core_t *c, state_t *s, out_t *out) noexcept nogil:
    """The interval that ends at the tick becomes a row, if anything was counted in it."""
    cdef flicker_state_t *f = c.flicker
    cdef flicker_bank_t *b
    cdef double *row = out.psts + PST_ROW * out.n_psts
    cdef double settle = FLICKER_SETTLE * c.flick.outputs, whole = c.tick_period / c.flick.stride - 0.1 * c.flick.outputs
    cdef int flags = 0, any = 0, k, l
    for k in range(6):
        b = &f.bank[k // 3]
        l = k % 3
        row[2 + k] = NAN
        if b.counted[l] > 0:
            any = 1
            row[2 + k] = short_term(b.classes[l], b.counted[l])
            if b.counted[l] < whole:
                flags |= INCOMPLETE
            if b.live[l] - b.counted[l] < settle:
                flags |= SETTLING
        b.counted[l] = 0
        memset(b.classes[l], 0, FLICKER_CLASSES * 4)
    row[0], row[1] = f.tick - c.tick_period + s.start, flags
    out.n_psts += any
    f.tick += c.tick_period - f.owed
    f.owed = 0.0


cdef inline long first_frame(const core_t *c, long n) noexcept nogil:
    """The first frame that has a part in output n, its lanes' skew taken back."""
    return n * c.flick.step * c.divide - c.lead - (REACH if c.skewed else 0)


cdef inline int missing_in(const core_t *c, const state_t *s, long first, long last) noexcept nogil:
    """Voltages, as bits, of which a sample is missing in the frames of outputs `first` to `last`, both within."""
    cdef long n, end = (last * c.flick.step + c.flick.count + 3) * c.divide + c.lead + (REACH if c.skewed else 0) + 1
    cdef int bits = 0
    for n in range(max(first_frame(c, first), s.first), min(end, s.frames)):
        bits |= c.marks[n & c.mask]
    if c.skewed:
        # a lane that is moved in time was made of frames that still wait
        for n in range(s.frames, min(end, s.staged)):
            bits |= c.stage_marks[n & (STAGE - 1)]
    return 7 if c.lanes.line and bits & 7 else bits & 7


cdef inline void run_banks(const core_t *c, long first, long last) noexcept nogil:
    cdef int k
    for k in range(2):
        if has_bank(c, k):
            c.K.flicker(&c.flick, &c.flicker.bank[k], c.dec, DEC_RING - 1, k, first, last)


cdef inline int lacks(const core_t *c, int bank, int l, int bits) noexcept nogil:
    """Whether a voltage, or a line voltage, is made of one of which samples are missing."""
    return has_bank(c, bank) and bits & (1 << l | (1 << (l + 1) % 3 if bank else 0))


cdef inline void run_over_marks(const core_t *c, const state_t *s, long first, long last) noexcept nogil:
    """Outputs that may stand near missing samples: one that these have a part in is neither counted nor remembered."""
    cdef long n
    cdef int bits, k
    if not missing_in(c, s, first, last - 1):
        run_banks(c, first, last)
        return
    for n in range(first, last):
        bits = missing_in(c, s, n, n)
        # before it, so that it is no sensation; after it, so that nothing follows from it
        for k in range(6):
            if lacks(c, k // 3, k % 3, bits):
                forget_lane(&c.flicker.bank[k // 3], k % 3, n, FLICKER_SETTLE * c.flick.outputs, 1)
        run_banks(c, n, n + 1)
        for k in range(6):
            if lacks(c, k // 3, k % 3, bits):
                clear_lane(&c.flicker.bank[k // 3], k % 3)


cdef inline void flicker_outputs(const core_t *c, state_t *s, out_t *out) noexcept nogil:
    """Every output for which the decimated frames are there."""
    cdef flicker_state_t *f = c.flicker
    cdef double until
    cdef long last
    if f == NULL:
        return
    while True:
        # the last of its frames, and the two after it
        last = max((s.decimated - c.flick.count - 4 + c.flick.step) // c.flick.step, 0)
        until = ceil((f.tick - c.flick.first) / c.flick.stride)
        if until < last:
            last = max(<long>until, f.done)
        if s.last_mark >= 0 and last > f.done and s.last_mark >= first_frame(c, f.done):
            run_over_marks(c, s, f.done, last)
        else:
            run_banks(c, f.done, last)
        f.done = max(last, f.done)
        if until > f.done:
            return
        close_interval(c, s, out)


cdef inline int is_settling(const core_t *c, const flicker_bank_t *b, int l, long first, long last) noexcept nogil:
    """Whether a voltage was not settled at one of the outputs `first` to `last`, of late; one that never lived does not settle."""
    cdef double settled = b.live[l] - FLICKER_SETTLE * c.flick.outputs
    if last <= b.since[l]:
        return 0
    if settled < 0.0:
        return b.live[l] > 0.0 or b.lost[l]
    # to an output, from the run's first sample on: that is not where output 0 stands
    return first < c.flicker.done - settled - c.flick.first / c.flick.stride - 1.0


cdef inline void flicker_of(const core_t *c, const state_t *s, span_t *v) noexcept nogil:
    """The largest sensation within a span."""
    cdef const flicker_state_t *f = c.flicker
    cdef const flicker_bank_t *b
    cdef long n, first, last
    cdef int k
    if f == NULL:
        return
    first = max(<long>ceil((v.t0 - c.flick.first) / c.flick.stride), f.done - FLICKER_RECENT, first_output(c, s))
    last = min(<long>ceil((v.t1 - c.flick.first) / c.flick.stride), f.done)
    for k in range(6):
        b = &f.bank[k // 3]
        if not has_bank(c, k // 3):
            continue
        for n in range(first, last):
            v.pinst[k] = max(v.pinst[k], b.recent[n & (FLICKER_RECENT - 1)][k % 3])
        if v.pinst[k] < 0:
            v.pinst[k] = -INFINITY
        if is_settling(c, b, k % 3, first, last):
            v.flags |= SETTLING
