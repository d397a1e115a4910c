"""The compiled core: raw frames in, sums over whole cycles and windows out.

`Core` is sans-IO and knows no clock: it takes blocks of raw samples of any type and layout and
collects rows of sums, which `ctmeter.engine` turns into measurements. Its results do not depend
on how the samples are cut into blocks, to the last bit.

References
----------
IEC 61000-4-30:2015, 5.2
IEC 61000-4-30:2015, 5.4
"""

from zlib import crc32

cimport cython
from cpython.buffer cimport PyBUF_FORMAT, PyBUF_STRIDED_RO, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.math cimport INFINITY, M_PI, cos, floor, sin
from libc.stdint cimport uint16_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from ctmeter._kernels.boundaries cimport follow
from ctmeter._kernels.cycles cimport frequency_row
from ctmeter._kernels.edges cimport atom, turn_reference
from ctmeter._kernels.energy cimport powers
from ctmeter._kernels.flicker cimport PST_ROW, close_interval, flicker_outputs, set_flicker
from ctmeter._kernels.flicker_state cimport flicker_state_t
from ctmeter._kernels.references cimport set_angle, set_period
from ctmeter._kernels.register cimport advance_tick, energy_row, enter
from ctmeter._kernels.routines cimport (
    choose_kernels, convert, derive_lanes, fetch, LARGEST as _LARGEST, plan, POINTS_FFT, RAW_F32, RAW_F64, RAW_I16, RAW_I32, raw_t, SPECTRUM, SUB,
    TAPS, VEC, WHOLE_GROUPS,
)
from ctmeter._kernels.runs cimport begin_run, extend_to_start, set_ticks
from ctmeter._kernels.skew cimport REACH, move, set_delay
from ctmeter._kernels.spans cimport clear, join, look_at_marks
from ctmeter._kernels.spectra cimport keep_floats
from ctmeter._kernels.state cimport (
    CHUNK, DEC_RING, ENERGY_ROW, PHASES, POINTS, ROW, STAGE, SYNC_ROW, TICK, core_t, out_t, span_t, state_t,
)
from ctmeter._kernels.synchro cimport synchrophasors
from ctmeter._kernels.tracker cimport hop_after, keep_angles, measure_hop

__all__ = ["GRAIN", "LARGEST", "Core", "instruction_set"]

#: V or A from which a sample is no number, as an infinite one is.
LARGEST = _LARGEST
#: Frames that the core works through at once.
GRAIN = TICK

cdef enum:
    SPARE = 1024      # rows that can be made before the capacity is looked at again
    FORMAT = 3        # of snapshots
    PARTS = 20        # of a snapshot
    HEAD = 14         # numbers before them
    BINS = 640        # of a spectrum, at most


cdef extern from "<stdlib.h>" nogil:
    void *aligned_alloc(size_t alignment, size_t size) noexcept


#: Of the transform, the same for all cores: (cos, sin) of 2 pi n k / 1024 at 32 k + n, and of pi k / 1024.
cdef float TWIDDLES[2048]
cdef float HALF_TWIDDLES[2048]


cdef void set_twiddles() noexcept:
    cdef int k
    for k in range(1024):
        TWIDDLES[2 * k] = <float>cos(2 * M_PI * (k // 32) * (k % 32) / 1024)
        TWIDDLES[2 * k + 1] = <float>sin(2 * M_PI * (k // 32) * (k % 32) / 1024)
        HALF_TWIDDLES[2 * k] = <float>cos(M_PI * k / 1024)
        HALF_TWIDDLES[2 * k + 1] = <float>sin(M_PI * k / 1024)


set_twiddles()


cdef void *zeroed(size_t size) noexcept:
    """Zeros on whole cache lines; NULL without memory."""
    cdef void *p = aligned_alloc(64, (size + 63) // 64 * 64)
    if p != NULL:
        memset(p, 0, size)
    return p


def instruction_set() -> str:
    """The instruction set the core runs with on this machine: "avx512", "avx2" or "base"."""
    return choose_kernels(b"").name.decode()


@cython.final
cdef class Core:
    """Streaming sums of up to eight lanes: u1 u2 u3 uN i1 i2 i3 iN.

    Not for use by more than one thread at a time; the GIL is released while it works.

    Parameters
    ----------
    sample_rate : float
        Hz.
    lanes : sequence of 8 (column, scale, offset, low, high, missing, skew) or None
        For each lane the column of the blocks, V or A for a count, V or A at 0, the raw values
        from which it is saturated, the raw value that stands for a missing sample (NaN: none),
        and the samples by which it is taken later than its frame.
    tables : ndarray, float64, shape (2, 129, 16)
        Weights of a fractional edge and of a fractional shift, see `ctmeter.engine`.
    line : bool
        Voltages are u12 u23 u31; lanes become the star voltages whose differences they are.
    derive : tuple of bool
        u31, i2 are made from the others.
    cycles_per_window : int
        10 at 50 Hz, 12 at 60 Hz.
    origin, grain : int
        Number of sample 0 on the grid that all runs have in common, and frames after which what is counted off by it begins anew.
    reactive, apparent, summation : int
        Methods, numbered as in `_kernels/state.pxd`.
    strict : int
        Lane of the only reference of the synchronisation, -1 for all voltages.
    dead : float
        Peak V (A without voltages) below which a reference is not alive.
    next_tick, tick_period : float
        Sample number of the first resynchronisation of the windows, and samples between two.
    next_f, f_period : float
        Sample number of the end of the first interval of frequency, and samples of one.
    cycles, halves : bool
        Whether rows of cycles and of Urms(1/2) are kept.
    lines : bool
        Whether line voltages have Urms(1/2) and spectra too; always so for three-wire input.
    next_sync, sync_period : float
        Sample number of the first synchrophasor, and samples between two; 0 for none.
    spectra : sequence of (longest window, taps, table, droop)
        Interpolation kernels for longer and longer windows, see `ctmeter.kernels`; none for no spectra.
    next_energy, energy_period : float
        Sample number of the first tick of a meter's clock, and samples between two; 0 for none.
    instants : sequence of float
        Sample numbers, rising, that are the ticks instead; with a meter's clock only.
    limits : (float, float, bool)
        W below which registers stop and from which they start again, and whether they run at the start; with a meter's clock only.
    pulses : sequence of up to 8 (register, quantum, carry)
        Streams of pulses, with a meter's clock only: the place among A+ A- R+ R- R1 R2 R3 R4 E+ E-, the Ws of
        a pulse, and the Ws since the last one.
    signalling : float
        Hz of the mains signalling voltage, 0 for none.
    groups : bool
        Whether spectra have groups and interharmonic groups too.
    flicker : ndarray, float64
        Coefficients of the flickermeter, see `ctmeter.flicker`; none for no flicker.
    kernels : str
        An instruction set, "" for the best.

    Raises
    ------
    ValueError
        Arguments out of range.
    MemoryError
    """

    cdef core_t c
    cdef state_t s
    cdef out_t out
    cdef long capacity[9]

    def __cinit__(self, double sample_rate, lanes, const double[:, :, ::1] tables, *, bint line=False, derive=(False, False),
                  int cycles_per_window=10, long origin=0, long grain=1, int reactive=0, int apparent=0, int summation=0, int strict=-1,
                  double dead=0.0,
                  double next_tick=INFINITY, double tick_period=INFINITY, double next_f=INFINITY, double f_period=INFINITY,
                  bint cycles=False, bint halves=False, bint lines=False, double next_sync=INFINITY,
                  double sync_period=0.0, double next_energy=INFINITY, double energy_period=0.0, instants=(),
                  limits=(0.0, 0.0, False), pulses=(),
                  spectra=(), double signalling=0.0, bint groups=False, flicker=None, str kernels=""):
        cdef long ring = 1024
        cdef int k
        if not 10.0 <= sample_rate <= 20e6 or len(lanes) != 8 or tables.shape[0] != 2 or tables.shape[1] != PHASES + 1 or tables.shape[2] != TAPS:
            raise ValueError("sample_rate 10 to 20e6 Hz, 8 lanes and tables of shape (2, 129, 16) are needed")
        if not (0 < cycles_per_window <= 64 and 0 <= reactive <= 3 and 0 <= apparent <= 2 and 0 <= summation <= 2 and -1 <= strict <= 2
                and dead >= 0 and next_tick > 0 and tick_period > 0 and next_f > 0 and f_period > 0 and signalling >= 0 and sync_period >= 0
                and next_energy > 0 and grain > 0 and energy_period >= 0 and len(pulses) <= (8 if energy_period > 0 else 0)):
            raise ValueError("a setting of the core is out of range")
        self.c.K = choose_kernels(kernels.encode())
        if self.c.K == NULL:
            raise ValueError(f"this machine has no kernels {kernels!r}")
        self.c.rate = sample_rate
        self.c.origin, self.c.grain = origin, grain
        self.c.search = <long>(0.2 * sample_rate) + 1
        # four cycles at 15 Hz: the tracker's delay, and a cycle behind it
        while ring < 0.285 * sample_rate + CHUNK + 4 * TAPS:
            ring *= 2
        self.c.mask = ring - 1
        # odd, so that a decimated frame lies on a frame
        self.c.divide = max(1, (<int>(sample_rate / 1600.0) - 1) | 1)
        self.c.lead = (3 * self.c.divide - 3) // 2
        self.c.pairs = (3 * self.c.divide - 1) // 2
        self.c.mirror = max(2 * TAPS, 2 * self.c.pairs)
        self._set_lanes(lanes, line, derive)
        self.c.cycles_per_window = cycles_per_window
        self.c.reactive, self.c.apparent, self.c.summation = reactive, apparent, summation
        self.c.strict, self.c.dead = strict, dead
        self.c.tick_period, self.c.f_period, self.c.energy_period = tick_period, f_period, energy_period
        self.c.creep, self.c.begin, self.s.running = limits
        self._set_pulses(pulses)
        self._set_instants(instants)
        self.c.want_cycles, self.c.want_halves = cycles, halves
        self.c.lines = line or lines
        self.c.want_groups = groups
        self.c.spectrum_rows = (SPECTRUM + (WHOLE_GROUPS if groups else 0)) * (2 if self.c.lines else 1)
        self._allocate(ring)
        for k in range((PHASES + 1) * TAPS):
            self.c.edge_table[k] = tables[0, k // TAPS, k % TAPS]
            self.c.shift_table[k] = tables[1, k // TAPS, k % TAPS]
        self._make_decimation()
        self._set_skew(lanes)
        self.c.signalling = signalling
        self._set_spectra(spectra)
        self.s.next_tick, self.s.f_tick, self.s.next_sync = next_tick, next_f, next_sync
        self.s.energy_tick = self.c.instants[0] if self.c.n_instants else next_energy
        if flicker is not None:
            self._set_flicker(flicker)
        self.c.sync_period = sync_period
        begin_run(&self.c, &self.s, &self.out)

    def __dealloc__(self):
        free(self.c.U)
        free(self.c.I)
        free(self.c.sub)
        free(self.c.dec)
        free(self.c.dec_kernel)
        free(self.c.edge_table)
        free(self.c.shift_table)
        free(self.c.marks)
        for k in range(16):
            free(self.c.kernel_table[k])
        for p in (<size_t>self.c.floats, <size_t>self.c.fft_re, <size_t>self.c.fft_im, <size_t>self.c.bins_re, <size_t>self.c.bins_im,
                  <size_t>self.c.power, <size_t>self.c.gain):
            free(<void *><size_t>p)
        free(self.out.spectra)
        free(self.out.frequencies)
        free(self.out.psts)
        free(self.out.energies)
        free(self.out.pulses)
        free(self.c.instants)
        free(self.c.flicker)
        free(self.out.phasors)
        free(self.c.stage_U)
        free(self.c.stage_I)
        free(self.c.stage_marks)
        free(self.out.windows)
        free(self.out.cycles)
        free(self.out.halves)

    cdef int _set_lanes(self, lanes, bint line, derive) except -1:
        cdef int l
        for l in range(8):
            self.c.lanes.column[l] = -1
            self.c.lanes.low[l], self.c.lanes.high[l], self.c.lanes.missing[l] = -_LARGEST, _LARGEST, float("nan")
            if lanes[l] is None:
                continue
            column, scale, offset, low, high, missing, _ = lanes[l]
            if not 0 <= column < 1 << 20:
                raise ValueError(f"lane {l}: column {column}")
            self.c.lanes.column[l], self.c.lanes.scale[l], self.c.lanes.offset[l] = column, scale, offset
            self.c.lanes.low[l], self.c.lanes.high[l], self.c.lanes.missing[l] = low, high, missing
            self.c.recorded |= 1 << l
        self.c.lanes.line = line
        self.c.lanes.derive_3, self.c.lanes.derive_i2 = derive
        plan(&self.c.lanes)
        for l in range(3):
            self.c.voltages[l] = line or self.c.lanes.column[l] >= 0
            self.c.currents[l] = self.c.lanes.column[4 + l] >= 0 or (l == 1 and self.c.lanes.derive_i2)
            self.c.references |= self.c.voltages[l] << l
        if not self.c.references:
            self.c.current_reference = 1
            for l in range(3):
                self.c.references |= self.c.currents[l] << l
        return 0

    cdef int _set_pulses(self, pulses) except -1:
        cdef int k
        for k, (register, quantum, carry) in enumerate(pulses):
            if not 0 <= register < 10 or not quantum > 0 or not 0 <= carry < quantum:
                raise ValueError(f"pulses {k}: register {register}, {quantum} Ws with {carry} Ws since the last one")
            self.c.pulse_register[k] = register
            self.c.pulse_quantum[k], self.c.pulse_carry[k] = quantum * self.c.rate, carry * self.c.rate
        self.c.pulses = len(pulses)
        return 0

    cdef int _set_instants(self, instants) except -1:
        cdef double before = -0.5
        cdef long k
        if not instants:
            return 0
        self.c.instants = <double *>realloc(NULL, len(instants) * sizeof(double))
        if self.c.instants == NULL:
            raise MemoryError
        for k, frame in enumerate(instants):
            if not before < frame < 1e15 or self.c.energy_period <= 0.0:
                raise ValueError(f"instant {k}: frame {frame} after {before}")
            self.c.instants[k] = before = frame
        self.c.n_instants = len(instants)
        return 0

    cdef int _set_spectra(self, spectra) except -1:
        cdef long ring = 1024
        cdef int k, n
        cdef const float[::1] table
        if not 0 <= len(spectra) <= 16:
            raise ValueError(f"{len(spectra)} interpolation kernels")
        if not spectra:
            return 0
        for k, (longest, taps, values, droop) in enumerate(spectra):
            table = values
            if taps % 16 or table.shape[0] != 256 * taps or len(droop) != 8:
                raise ValueError(f"interpolation kernel {k} has {taps} taps and a table of {table.shape[0]}")
            self.c.kernel_length[k], self.c.kernel_taps[k] = longest, taps
            self.c.longest_taps = max(self.c.longest_taps, taps)
            for n in range(8):
                self.c.kernel_droop[8 * k + n] = droop[n]
            self.c.kernel_table[k] = <float *>zeroed(256 * taps * 4)
            if self.c.kernel_table[k] == NULL:
                raise MemoryError
            memcpy(self.c.kernel_table[k], &table[0], 256 * taps * 4)
        self.c.kernels = len(spectra)
        # the longest window, and as far as frames are ahead of its end: the tracker's delay, a hop, half a window, a tick
        while ring < 0.44 * self.c.rate + 2 * TICK + 4 * self.c.longest_taps:
            ring *= 2
        self.c.float_mask = ring - 1
        self.c.floats = <float *>zeroed((ring + self.c.longest_taps) * 32)
        self.c.twiddles, self.c.half_twiddles = TWIDDLES, HALF_TWIDDLES
        self.c.fft_re = <float *>zeroed(POINTS_FFT * 16)
        self.c.fft_im = <float *>zeroed(POINTS_FFT * 16)
        self.c.bins_re = <float *>zeroed(BINS * 32)
        self.c.bins_im = <float *>zeroed(BINS * 32)
        self.c.power = <float *>zeroed(BINS * 32)
        self.c.gain = <float *>zeroed(BINS * 4)
        if not (self.c.floats and self.c.fft_re and self.c.fft_im and self.c.bins_re and self.c.bins_im and self.c.power and self.c.gain):
            raise MemoryError
        return 0

    cdef int _set_flicker(self, const double[::1] values) except -1:
        if self.c.current_reference or not set_flicker(&self.c.flick, values, self.c.divide, self.c.dead):
            raise ValueError("coefficients of flicker for another decimation, or no voltage")
        self.c.flicker = <flicker_state_t *>zeroed(sizeof(flicker_state_t))
        if self.c.flicker == NULL:
            raise MemoryError
        self.c.flicker.tick = self.s.next_tick
        return 0

    cdef int _set_skew(self, lanes) except -1:
        cdef int l
        for l in range(8):
            if lanes[l] is not None:
                if not -REACH + TAPS < lanes[l][6] < REACH - TAPS:
                    raise ValueError(f"lane {l}: a skew of {lanes[l][6]} samples, less than {REACH - TAPS} can be taken back")
                set_delay(&self.c, l, lanes[l][6])
        if self.c.skewed:
            self.c.stage_U = <double *>zeroed(STAGE * 32)
            self.c.stage_I = <double *>zeroed(STAGE * 32)
            self.c.stage_marks = <uint16_t *>zeroed(STAGE * 2)
            if not (self.c.stage_U and self.c.stage_I and self.c.stage_marks):
                raise MemoryError
        return 0

    cdef int _allocate(self, long ring) except -1:
        # whole cache lines, so that two frames of four lanes never straddle one
        self.c.U = <double *>zeroed((ring + self.c.mirror) * 32)
        self.c.I = <double *>zeroed((ring + self.c.mirror) * 32)
        self.c.sub = <double *>zeroed(ring // SUB * VEC * 8)
        self.c.dec = <double *>zeroed(DEC_RING * 32)
        self.c.dec_kernel = <double *>zeroed(self.c.pairs * 64)
        self.c.edge_table = <double *>zeroed((PHASES + 1) * TAPS * 8)
        self.c.shift_table = <double *>zeroed((PHASES + 1) * TAPS * 8)
        self.c.marks = <uint16_t *>zeroed(ring * 2)
        if not (self.c.U and self.c.I and self.c.sub and self.c.dec and self.c.dec_kernel
                and self.c.edge_table and self.c.shift_table and self.c.marks):
            raise MemoryError
        return 0

    cdef int _make_decimation(self) except -1:
        """Three cascaded boxcars."""
        cdef int d = self.c.divide, l, n
        kernel = [1.0]
        for _ in range(3):
            longer = [0.0] * (len(kernel) + d - 1)
            for n in range(len(kernel)):
                for l in range(d):
                    longer[n + l] += kernel[n] / d
            kernel = longer
        for n in range(len(kernel)):
            for l in range(4):
                self.c.dec_kernel[4 * n + l] = kernel[n]
        return 0

    cdef double *_grown(self, double *rows, long n, int width, int kind) except? NULL nogil:
        """Room for at least n rows."""
        cdef double *grown
        if n <= self.capacity[kind]:
            return rows
        grown = <double *>realloc(rows, 2 * n * width * sizeof(double))
        if grown == NULL:
            with gil:
                raise MemoryError
        self.capacity[kind] = 2 * n
        return grown

    cdef int _reserve(self) except -1 nogil:
        """See to it that SPARE rows of each kind can be made."""
        cdef int width = 4 * self.c.spectrum_rows
        # a spectrum has so many floats, and a window takes so long, that a few are enough
        if self.c.floats:
            self.out.spectra = <float *>self._grown(<double *>self.out.spectra, self.out.n_spectra + 8, width, 3)
        self.out.windows = self._grown(self.out.windows, self.out.n_windows + SPARE, ROW, 0)
        self.out.frequencies = self._grown(self.out.frequencies, self.out.n_frequencies + 8, 4, 4)
        self.out.psts = self._grown(self.out.psts, self.out.n_psts + 8, PST_ROW, 6)
        if self.c.sync_period > 0.0:
            self.out.phasors = self._grown(self.out.phasors, self.out.n_phasors + SPARE, SYNC_ROW, 5)
        if self.c.energy_period > 0.0:
            self.out.energies = self._grown(self.out.energies, self.out.n_energies + 8 + self.c.n_instants, ENERGY_ROW, 7)
            self.out.pulses = self._grown(self.out.pulses, self.out.n_pulses + SPARE, 2, 8)
            self.out.pulse_room = self.capacity[8]
        if self.c.want_cycles:
            self.out.cycles = self._grown(self.out.cycles, self.out.n_cycles + SPARE, ROW, 1)
        if self.c.want_halves:
            self.out.halves = self._grown(self.out.halves, self.out.n_halves + 4 * SPARE, 4, 2)
        return 0

    cdef int _tick(self) except -1 nogil:
        """Take the next TICK frames through the decimator and, once locked, the sums and hops."""
        cdef core_t *c = &self.c
        cdef state_t *s = &self.s
        cdef const double *x = c.I if c.current_reference else c.U
        s.ticked += TICK
        keep_floats(c, s)
        while s.decimated * c.divide + c.lead < min(s.ticked, s.frames):
            c.K.decimate(x + 4 * ((s.decimated * c.divide - c.lead) & c.mask), c.pairs, c.dec_kernel, c.dec + 4 * (s.decimated & (DEC_RING - 1)))
            s.decimated += 1
        if c.flicker:
            self.out.psts = self._grown(self.out.psts, self.out.n_psts + 8, PST_ROW, 6)
            flicker_outputs(c, s, &self.out)
        return self._sums_and_hops() if s.locked else 0

    cdef int _sums_and_hops(self) except -1 nogil:
        cdef core_t *c = &self.c
        cdef state_t *s = &self.s
        cdef long at
        while (s.blocks + 1) * SUB <= s.ticked:
            at = s.blocks * SUB & c.mask
            c.K.sub_block(c.U + 4 * at, c.I + 4 * at, s.ec + 4 * (TAPS - SUB // 2), s.es + 4 * (TAPS - SUB // 2),
                          c.sub + VEC * (s.blocks & (c.mask // SUB)))
            s.blocks += 1
        while s.locked == 1 and s.hop + s.half < s.decimated and s.hop * c.divide + 2 * TAPS <= s.ticked:
            self._reserve()
            measure_hop(c, s)
            if s.hops == 1:
                extend_to_start(&self.c, s)
            if s.hops:
                follow(c, s, &self.out, 0)
                synchrophasors(c, s, &self.out)
            s.hops += 1
            s.hop = hop_after(c, s)
        return 0

    @property
    def wants_lock(self) -> bool:
        """Whether a frequency is wanted before the frames held back can be measured."""
        return not self.s.locked and self.s.frames - self.s.first >= self.c.search

    @property
    def locked(self) -> bool:
        return bool(self.s.locked)

    def pending(self, bint last=False) -> tuple:
        """The frames held back for want of a frequency: bytes of float64 (n, 4), voltages and currents.

        With `last` no frame will follow them before a flush.
        """
        if last and self.c.skewed:
            self._unstage(self.s.staged)
        return self._held(<char *>self.c.U), self._held(<char *>self.c.I)

    cdef bytes _held(self, char *ring):
        """The run's frames, which have not gone once round the ring."""
        cdef long n = min(self.s.frames - self.s.first, self.c.mask + 1), slot = self.s.first & self.c.mask
        cdef long now = min(n, self.c.mask + 1 - slot)
        return PyBytes_FromStringAndSize(ring + slot * 32, now * 32) + PyBytes_FromStringAndSize(ring, (n - now) * 32)

    def lock(self, double frequency, phases=None, bint measured=True, double least=0.0, bint blind=False) -> None:
        """Start tracking.

        Parameters
        ----------
        frequency : float
            Hz, to some percent.
        phases : sequence of 6 float, optional
            For a run that ends within the tracker's delay, the phases (rad, of a sine) at sample 0 of
            u1, u2, u3, u12, u23, u31; the frequency is then taken as exact.
        measured : bool
            Whether that frequency was measured at all.
        least : float, optional
            Amplitude (V, or A where currents are the reference) that a fundamental must exceed in this run.
        blind : bool
            Whether values of Urms(1/2) mean nothing until one is: they are NaN then.
        """
        cdef int k
        cdef state_t *s = &self.s
        if s.locked or not 1.0 <= frequency <= self.c.rate or (phases is not None and len(phases) != 6):
            raise ValueError(f"lock({frequency}, {phases}) while locked: {bool(s.locked)}")
        s.step = 0
        set_period(&self.c, s, min(self.c.rate / self.c.divide / frequency, 340.0))
        s.omega = s.held = 2 * M_PI * frequency / self.c.rate
        turn_reference(&self.c, s, s.omega)
        s.hop = (s.first + self.c.divide - 1) // self.c.divide + s.half + 2
        s.locked = 1
        s.trust, s.lost, s.floor, s.blind = 0, not measured, least, blind
        if phases is not None:
            # the common grid starts with the run, so that every whole cycle that is there counts
            s.locked = 2
            for k in range(3):
                set_angle(s, 1 + k, phases[k] - 0.5 * s.omega)
                set_angle(s, 4 + k, phases[3 + k] - 0.5 * s.omega)
                s.known[k] = 1
            s.point_t[0], s.point_phase[0], s.point_good[0] = s.first - 0.5, 0.0, measured
            s.point_t[1], s.point_phase[1], s.point_good[1] = s.first + 0.5, s.omega, measured
            s.hops = 1
            extend_to_start(&self.c, s)
            s.m[0] = 0
        self._sums_and_hops()

    def feed(self, block, long start=0) -> int:
        """Take frames from `start` on, until the block ends or `wants_lock`.

        Parameters
        ----------
        block : array, shape (n, columns), int16, int32, float32 or float64, any strides
        start : int
            Frames of the block that were taken already.

        Returns
        -------
        int
            Frames of the block taken so far.

        Raises
        ------
        ValueError
            Another number of dimensions or type, or too few columns.
        """
        cdef Py_buffer view
        cdef raw_t kind
        cdef long n
        cdef int l
        if start < 0 or self.s.ended:
            raise ValueError(f"feed from frame {start}, after the end: {bool(self.s.ended)}")
        PyObject_GetBuffer(block, &view, PyBUF_STRIDED_RO | PyBUF_FORMAT)
        try:
            if view.ndim != 2:
                raise ValueError(f"a block has 2 dimensions, not {view.ndim}")
            code = (<bytes>view.format).lstrip(b"=<@")
            if code not in (b"h", b"i", b"l", b"f", b"d") or (code == b"l" and view.itemsize != 4):
                raise ValueError(f"a block of format {code!r}")
            kind = RAW_I16 if code == b"h" else RAW_F32 if code == b"f" else RAW_F64 if code == b"d" else RAW_I32
            for l in range(8):
                if self.c.lanes.column[l] >= view.shape[1]:
                    raise ValueError(f"a block has {view.shape[1]} columns, lane {l} is column {self.c.lanes.column[l]}")
            n = view.shape[0]
            with nogil:
                start = self._take(<const char *>view.buf, view.strides[0], view.strides[1], kind, start, n)
        finally:
            PyBuffer_Release(&view)
        return start

    cdef long _take(self, const char *p, ptrdiff_t stride, ptrdiff_t step, raw_t kind, long at, long n) except -1 nogil:
        cdef long count, slot
        while at < n and (self.s.locked or self.s.frames - self.s.first < self.c.search):
            slot = self.s.staged & ((STAGE - 1) if self.c.skewed else self.c.mask)
            count = min(n - at, CHUNK, (STAGE if self.c.skewed else self.c.mask + 1) - slot)
            if not self.s.locked:
                count = min(count, self.c.search - self.s.frames + self.s.first)
            fetch(p + (at + count) * stride, stride, min(n - at - count, CHUNK))
            if self.c.skewed:
                if convert(self.c.K, &self.c.lanes, kind, p + at * stride, stride, step, count, n - at,
                           self.c.stage_U + 4 * slot, self.c.stage_I + 4 * slot, self.c.stage_marks + slot):
                    # no sooner than it is: which of them is marked is looked at later
                    self.s.last_mark = self.s.staged + count - 1
                self.s.staged += count
                self._unstage(self.s.staged - REACH)
            else:
                if convert(self.c.K, &self.c.lanes, kind, p + at * stride, stride, step, count, n - at,
                           self.c.U + 4 * slot, self.c.I + 4 * slot, self.c.marks + slot):
                    self._count_marks(slot, count)
                else:
                    memset(self.s.rail, 0, sizeof(self.s.rail))
                derive_lanes(&self.c.lanes, count, self.c.U + 4 * slot, self.c.I + 4 * slot, self.c.marks + slot)
                self.s.staged += count
                self._arrived(slot, count)
            at += count
        return at

    cdef int _unstage(self, long end) except -1 nogil:
        """Frames up to `end` out of the stage, in their lanes' true time."""
        cdef long count, slot
        while self.s.frames < end:
            slot = self.s.frames & self.c.mask
            count = min(end - self.s.frames, CHUNK, self.c.mask + 1 - slot)
            move(&self.c, &self.s, self.s.frames, count, self.c.U + 4 * slot, self.c.I + 4 * slot, self.c.marks + slot)
            self._count_marks(slot, count)
            derive_lanes(&self.c.lanes, count, self.c.U + 4 * slot, self.c.I + 4 * slot, self.c.marks + slot)
            self._arrived(slot, count)
        return 0

    cdef int _arrived(self, long slot, long count) except -1 nogil:
        """`count` frames stand in the ring at `slot`."""
        self._mirror(slot, count)
        self.s.frames += count
        self.s.integrated += count
        while self.s.ticked + TICK <= self.s.frames:
            self._tick()
        return 0

    cdef void _mirror(self, long slot, long count) noexcept nogil:
        """Let the ring's first frames stand again behind its end, so that kernels need not wrap."""
        cdef long more = min(count, self.c.mirror - slot)
        if more > 0:
            memcpy(self.c.U + 4 * (self.c.mask + 1 + slot), self.c.U + 4 * slot, more * 32)
            memcpy(self.c.I + 4 * (self.c.mask + 1 + slot), self.c.I + 4 * slot, more * 32)

    cdef void _count_marks(self, long slot, long count) noexcept nogil:
        """Count what `convert` marked; one or two samples at a limit are a peak, the third in a row is saturation."""
        cdef long n
        cdef int l, mark
        for n in range(slot, slot + count):
            mark = self.c.marks[n]
            self.s.blank += mark & self.c.recorded == self.c.recorded
            for l in range(8):
                self.s.missing_count[l] += (mark >> l) & 1
                self.s.rail[l] = self.s.rail[l] + 1 if (mark >> (8 + l)) & 1 else 0
                if self.s.rail[l] > 2:
                    self.s.saturated_count[l] += 1
                else:
                    mark &= ~(256 << l)
            self.c.marks[n] = <uint16_t>mark
            if mark:
                self.s.last_mark = max(self.s.last_mark, self.s.frames + n - slot)

    def gap(self, long samples) -> None:
        """End the run and start another, `samples` sample intervals later."""
        if samples < 0:
            raise ValueError(f"a gap of {samples} samples")
        self._flush()
        self._reserve()
        cdef long passed = self.s.frames + samples
        self.s.start += passed
        self.s.next_tick -= passed
        self.s.f_tick -= passed
        self.s.next_sync -= passed
        self.s.energy_tick -= passed
        while self.c.n_instants and self.s.energy_tick <= -0.5:
            # the registers stand as at the end of the run
            advance_tick(&self.c, &self.s)
        if self.c.energy_period > 0.0 and self.s.energy_tick <= -0.5:
            self.s.energy_tick += self.c.energy_period * (floor((-0.5 - self.s.energy_tick) / self.c.energy_period) + 1)
        if self.c.flicker:
            self.c.flicker.tick -= passed
            if self.c.flicker.tick <= 0:
                close_interval(&self.c, &self.s, &self.out)
                if self.c.flicker.tick <= 0:
                    self.c.flicker.tick += self.c.tick_period * (floor(-self.c.flicker.tick / self.c.tick_period) + 1) - self.c.flicker.owed
                    self.c.flicker.owed = 0.0
        begin_run(&self.c, &self.s, &self.out)

    def set_clock(self, long sample, double later, const double[::1] instants) -> None:
        """From a sample that has not come yet, the clock is later than the samples say, by so many frames; less than none where it is earlier.

        `instants` are those from there on anew, sample numbers as float64, where there were any.
        """
        cdef long k, n
        cdef double *longer
        if not -0.1 * self.c.rate < later < 0.1 * self.c.rate:
            raise ValueError(f"a clock that is {later} frames later")
        set_ticks(&self.c, &self.s, sample - self.s.start - 0.5, later)
        if not self.c.n_instants:
            return
        k = self.s.instant
        while k < self.c.n_instants and self.c.instants[k] < sample - 0.75:
            k += 1
        longer = <double *>realloc(self.c.instants, (k + instants.shape[0] + 1) * sizeof(double))
        if longer == NULL:
            raise MemoryError
        self.c.instants = longer
        for n in range(instants.shape[0]):
            self.c.instants[k + n] = instants[n]
        self.c.n_instants = k + instants.shape[0]
        self.s.energy_tick = self.c.instants[self.s.instant] - self.s.start if self.s.instant < self.c.n_instants else INFINITY

    def flush(self) -> None:
        """Account everything to the last sample; frames without a lock must have got one before."""
        self._flush()
        self._reserve()
        frequency_row(&self.c, &self.s, &self.out, self.s.f_tick)
        if self.c.flicker:
            close_interval(&self.c, &self.s, &self.out)

    cdef int _flush(self) except -1:
        cdef state_t *s = &self.s
        cdef long end, slot, k
        if s.ended or s.staged == s.first:
            return 0
        if self.c.skewed:
            self._unstage(s.staged)
        end = s.frames
        if not s.locked:
            raise ValueError("flush before lock")
        # zeros beyond the end, so that whole sub-blocks and edges can be summed; none of them is counted
        while s.ticked < end + 2 * TAPS:
            slot = s.ticked & self.c.mask
            for k in range(max(end - s.ticked, 0), TICK):
                memset(self.c.U + 4 * (slot + k), 0, 4 * sizeof(double))
                memset(self.c.I + 4 * (slot + k), 0, 4 * sizeof(double))
                self.c.marks[slot + k] = 0
            self._mirror(slot, TICK)
            self._tick()
        s.ended = 1
        self._reserve()
        with nogil:
            self._finish(end - 0.5)
        return 0

    cdef void _finish(self, double end) noexcept nogil:
        """Carry the phase to the end, then book what is left of a cycle with the cycle before it."""
        cdef state_t *s = &self.s
        cdef int now, last = <int>((s.hops - 1) % POINTS)
        cdef span_t rest
        cdef double phase = 0.0
        cdef double p[4]
        cdef double q[4]
        cdef double w[4]
        if s.hops == 1 and s.locked == 1:
            s.point_t[1], s.point_phase[1], s.point_good[1] = s.point_t[0] + 1, s.point_phase[0] + s.held, s.point_good[0]
            extend_to_start(&self.c, s)
        if s.hops:
            now = <int>(s.hops % POINTS)
            # the cycles of a short run are fitted: one that lacks a quarter of a sample is whole
            s.point_t[now] = end + 0.25 * (s.locked == 2)
            s.point_phase[now] = s.point_phase[last] + s.held * (s.point_t[now] - s.point_t[last])
            s.point_good[now] = s.point_good[last]
            phase = s.point_phase[last] + s.held * (end - s.point_t[last])
            keep_angles(s, now)
            follow(&self.c, s, &self.out, 1)
            s.hops += 1
        clear(&rest, s.edge_t[0])
        rest.t1 = end
        atom(&self.c, s, end, phase, rest.sums)
        look_at_marks(&self.c, s, &rest)
        if s.cycle.open:
            join(&s.cycle, &rest)
            rest = s.cycle
        if s.have_last:
            enter(&self.c, s, &self.out, &rest, s.last_p, s.last_q, s.last_s)
        else:
            join(&s.part, &rest)
            powers(&self.c, &s.part, p, q, w)
            enter(&self.c, s, &self.out, &s.part, p, q, w)
        if self.c.energy_period > 0.0 and s.energy_from < end:
            energy_row(&self.c, s, &self.out, end, s.energy, 0.0)

    cdef long _spectrum_bytes(self) noexcept:
        return 32 * self.c.spectrum_rows

    def take(self) -> tuple:
        """Rows completed since the last call: windows, cycles, halves, spectra (float32), frequencies, synchrophasors, Pst, registers, pulses.

        Bytes of float64 but for the spectra.

        A row of the first two is t0, t1, cycles, flags, missing lanes, saturated lanes, other[3],
        missing[8], kind, cycles without a lock, their samples, sums[36], umin[6], umax[6], pinst[6], two unused; of the third: time,
        grid, V, flags; of the fifth: start of the interval, cycles, their samples, flags; of the sixth:
        time, rad per sample, its change per sample, flags, re[8], im[8]; of the seventh: start of the interval,
        flags, Pst of L1 L2 L3 L12 L23 L31; of the eighth: a row as of a window, its start and end, the 40 registers of
        `energy` there, in W times samples; of the last: stream, time. Times are sample numbers.
        There is a spectrum for each window: rows of mean squares as in `_kernels/dispatch.h`, 8 lanes each.
        """
        rows = (
            PyBytes_FromStringAndSize(<char *>self.out.windows, self.out.n_windows * ROW * sizeof(double)),
            PyBytes_FromStringAndSize(<char *>self.out.cycles, self.out.n_cycles * ROW * sizeof(double)),
            PyBytes_FromStringAndSize(<char *>self.out.halves, self.out.n_halves * 4 * sizeof(double)),
            PyBytes_FromStringAndSize(<char *>self.out.spectra, self.out.n_spectra * self._spectrum_bytes()),
            PyBytes_FromStringAndSize(<char *>self.out.frequencies, self.out.n_frequencies * 4 * sizeof(double)),
            PyBytes_FromStringAndSize(<char *>self.out.phasors, self.out.n_phasors * SYNC_ROW * sizeof(double)),
            PyBytes_FromStringAndSize(<char *>self.out.psts, self.out.n_psts * PST_ROW * sizeof(double)),
            PyBytes_FromStringAndSize(<char *>self.out.energies, self.out.n_energies * ENERGY_ROW * sizeof(double)),
            PyBytes_FromStringAndSize(<char *>self.out.pulses, self.out.n_pulses * 2 * sizeof(double)),
        )
        self._taken()
        return rows

    cdef void _taken(self) noexcept:
        self.out.n_windows = self.out.n_cycles = self.out.n_halves = self.out.n_spectra = self.out.n_frequencies = 0
        self.out.n_phasors = self.out.n_psts = self.out.n_energies = self.out.n_pulses = 0

    @property
    def ready(self) -> int:
        """Windows completed and not yet taken."""
        return self.out.n_windows

    def energy(self) -> list:
        """Forty registers (total, L1, L2, L3: A+ A- R+ R- R1 R2 R3 R4 E+ E-) in Ws, vars, VAs."""
        return [self.s.energy[k] / self.c.rate for k in range(40)]

    def counts(self) -> dict:
        """Samples taken, missing and saturated per lane, pulses of each stream, and the end of time so far."""
        return {
            "integrated": self.s.integrated,
            "blank": self.s.blank,
            "missing": [self.s.missing_count[l] for l in range(8)],
            "saturated": [self.s.saturated_count[l] for l in range(8)],
            "running": bool(self.s.running),
            "withheld": self.s.withheld / self.c.rate,
            "pulses": [self.s.pulse_count[l] for l in range(self.c.pulses)],
            "pulses_lost": [self.s.pulse_lost[l] for l in range(self.c.pulses)],
            "end": self.s.start + self.s.staged,
        }

    cdef int _parts(self, void **parts, long *sizes) noexcept:
        """Where the state lies, and how many bytes of it; returns the number of parts."""
        cdef long ring = self.c.mask + 1, stage = STAGE if self.c.skewed else 0
        parts[:PARTS] = [
            &self.s, self.c.U, self.c.I, self.c.sub, self.c.dec, self.c.marks, self.c.stage_U, self.c.stage_I, self.c.stage_marks,
            self.out.windows, self.out.cycles, self.out.halves, self.out.spectra, self.c.floats, self.out.frequencies,
            self.out.phasors, self.c.flicker, self.out.psts, self.out.energies, self.out.pulses,
        ]
        sizes[:PARTS] = [
            sizeof(state_t), (ring + self.c.mirror) * 32, (ring + self.c.mirror) * 32, ring // SUB * VEC * 8, DEC_RING * 32, ring * 2,
            stage * 32, stage * 32, stage * 2,
            self.out.n_windows * ROW * 8, self.out.n_cycles * ROW * 8, self.out.n_halves * 32, self.out.n_spectra * self._spectrum_bytes(),
            (self.c.float_mask + 1 + self.c.longest_taps) * 32 if self.c.floats else 0, self.out.n_frequencies * 32,
            self.out.n_phasors * SYNC_ROW * 8, sizeof(flicker_state_t) if self.c.flicker else 0, self.out.n_psts * PST_ROW * 8,
            self.out.n_energies * ENERGY_ROW * 8, self.out.n_pulses * 16,
        ]
        return PARTS

    def snapshot(self) -> bytes:
        """The whole state; rows not yet taken included."""
        cdef void *parts[PARTS]
        cdef long sizes[PARTS]
        cdef int k
        self._parts(parts, sizes)
        head = [FORMAT, sizeof(state_t), self.c.mask, self._options(), self.c.kernels, self.out.n_windows, self.out.n_cycles,
                self.out.n_halves, self.out.n_spectra, self.out.n_frequencies, self.out.n_phasors, self.out.n_psts,
                self.out.n_energies, self.out.n_pulses]
        pieces = [(<long>v).to_bytes(8, "little") for v in head]
        for k in range(PARTS):
            pieces.append(PyBytes_FromStringAndSize(<char *>parts[k], sizes[k]) if sizes[k] else b"")
        body = b"".join(pieces)
        return crc32(body).to_bytes(8, "little") + body

    cdef long _options(self) noexcept:
        """What decides which parts a snapshot has."""
        return (self.c.skewed | self.c.want_cycles << 1 | self.c.want_halves << 2 | self.c.lines << 3
                | (self.c.sync_period > 0.0) << 4 | (self.c.flicker != NULL) << 5 | self.c.want_groups << 6
                | (self.c.energy_period > 0.0) << 7 | self.c.pulses << 8 | (self.c.n_instants > 0) << 12)

    def restore(self, bytes state) -> None:
        """Take over a snapshot of a core made with the same arguments.

        Raises
        ------
        ValueError
            A snapshot of another build or of other arguments, or a part of one.
        """
        cdef void *parts[PARTS]
        cdef long sizes[PARTS]
        cdef long at = 8 * HEAD
        cdef const char *p
        cdef int k
        if len(state) < 8 * HEAD + 8 or crc32(memoryview(state)[8:]).to_bytes(8, "little") != state[:8]:
            raise ValueError("a damaged or truncated snapshot")
        state = state[8:]
        p = PyBytes_AS_STRING(state)
        head = [int.from_bytes(state[8 * k:8 * k + 8], "little") for k in range(HEAD)]
        if len(state) < 8 * HEAD or head[:5] != [FORMAT, sizeof(state_t), self.c.mask, self._options(), self.c.kernels]:
            raise ValueError("a snapshot of another version or of other settings")
        if len(state) < ((head[5] + head[6]) * ROW * 8 + head[7] * 32 + head[8] * self._spectrum_bytes() + head[9] * 32
                         + (head[10] * SYNC_ROW + head[11] * PST_ROW + head[12] * ENERGY_ROW + head[13] * 2) * 8):
            raise ValueError("a truncated snapshot")
        self.out.n_windows, self.out.n_cycles, self.out.n_halves, self.out.n_spectra = head[5:9]
        self.out.n_frequencies, self.out.n_phasors, self.out.n_psts, self.out.n_energies, self.out.n_pulses = head[9:]
        self._reserve()
        self._parts(parts, sizes)
        for k in range(PARTS):
            at += sizes[k]
        if len(state) != at:
            self._taken()
            raise ValueError("a truncated snapshot")
        at = 8 * HEAD
        for k in range(PARTS):
            if sizes[k]:
                memcpy(parts[k], p + at, sizes[k])
            at += sizes[k]
