"""The state of the core: flat structs, so that a snapshot is a copy of bytes."""

from libc.stdint cimport uint16_t

from ctmeter._kernels.flicker_state cimport flicker_state_t, flicker_t
from ctmeter._kernels.routines cimport kernels_t, lanes_t

cdef enum:
    STAGE = 1024      # raw frames that wait where channels are skewed
    CHUNK = 256       # frames converted at once, at most
    TICK = 128        # frames between two looks at the tracker; also the grain of all bookkeeping
    PHASES = 128      # fractions of a sample in the edge table, interpolated between
    DEC_RING = 1024   # decimated frames kept
    MAX_HALF = 512    # longest half demodulation kernel
    POINTS = 16       # hops whose phase is remembered
    GRIDS = 7         # common, L1 L2 L3, L12 L23 L31
    # t0 t1 cycles flags missing_lanes saturated_lanes other[3] missing[8] kind unlocked unlocked_span sums[36] umin[6] umax[6] pinst[6] -[2]
    ROW = 76          # values of a row
    ENERGY_ROW = 118  # values of a row of registers: a row, its start and end, energy[40]
    SYNC_ROW = 20     # values of a synchrophasor: t, rad per frame, its change per frame, flags, re[8], im[8]
    GROUP = 15        # windows of a 150/180-cycle interval

cdef enum:            # flags of a row, as bits of interface.md
    SATURATED = 16
    NOT_FINITE = 32
    NO_LOCK = 64
    INCOMPLETE = 128
    SETTLING = 1024

cdef enum:            # settings
    FUNDAMENTAL = 0
    QUARTER_SHIFT = 1
    BUDEANU = 2
    FRYZE = 3
    ARITHMETIC = 0
    VECTOR_S = 1
    EFFECTIVE = 2
    VECTOR = 0
    PER_PHASE = 1
    ABSOLUTE = 2

ctypedef struct core_t:
    # what never changes
    const kernels_t *K
    lanes_t lanes
    double rate                 # Hz
    long mask                   # ring frames - 1
    long mirror                 # frames from the ring's start that stand again behind its end
    long search                 # frames to look at before locking
    long origin                 # number of sample 0 on the grid that all runs have in common
    long grain                  # frames after which what is counted off from a place of that grid begins anew
    int divide                  # frames per decimated frame
    int pairs                   # pairs of frames in the decimation kernel
    int lead                    # frames from the kernel's first to its centre
    int recorded                # lanes that are recorded, as bits
    int references              # lanes the tracker may use
    int current_reference       # 1: the tracker follows currents, there being no voltage
    int lines                   # 1: line voltages have grids of their own
    int voltages[3]             # 1 where the star voltage lane is there
    int currents[3]
    int strict                  # lane of the only reference, -1 for all
    int cycles_per_window
    int reactive, apparent, summation
    int want_cycles, want_halves
    double dead                 # peak value below which a reference is not alive
    double tick_period          # samples between two resynchronisations
    double sync_period          # samples between two synchrophasors, 0 for none
    double f_period             # samples of an interval of frequency
    double energy_period        # samples between two ticks of the meter's clock, 0 for none
    double *instants            # frames at which registers are read, instead of the ticks
    long n_instants
    double creep, begin         # W below which registers stop, and from which they start again
    int pulses                  # streams of pulses
    int pulse_register[8]       # of each: its place in the first ten of `energy`
    double pulse_quantum[8]     # energy of one pulse, in W times samples
    double pulse_carry[8]       # energy since the last pulse before the run began
    double *U                   # rings
    double *I
    double *sub
    double *dec
    double *dec_kernel
    double *edge_table          # (PHASES + 1, TAPS)
    double *shift_table         # (PHASES + 1, TAPS)
    uint16_t *marks
    # only where spectra are wanted
    float *floats               # ring of frames
    long float_mask
    int kernels                 # interpolation kernels, for longer and longer windows
    int longest_taps
    int kernel_taps[16]
    double kernel_length[16]    # longest window of each, samples
    double kernel_droop[128]    # polynomial in the square of frequency over sample rate that undoes its droop
    float *kernel_table[16]
    const float *twiddles
    const float *half_twiddles
    float *fft_re
    float *fft_im
    float *bins_re
    float *bins_im
    float *power
    float *gain
    double signalling           # Hz, 0 for none
    int want_groups
    int spectrum_rows           # rows of 8 lanes in a spectrum: SPECTRUM, and WHOLE_GROUPS where they are wanted; twice with line voltages
    flicker_t flick             # coefficients
    flicker_state_t *flicker    # NULL where flicker is not wanted
    # only where channels are skewed
    int skewed
    int skewed_lane[8]
    int skew_at[8]              # first frame of a lane's taps against the frame itself
    double skew_taps[128]
    double *stage_U
    double *stage_I
    uint16_t *stage_marks

ctypedef struct span_t:         # sums over whole cycles
    double t0, t1
    double unlocked_span        # frames of the cycles that were not followed, counted by `unlocked`
    double sums[36]
    double other[3]             # reactive power times samples by a method that needs its own sums
    double missing[8]           # frames missing, of each lane
    double umin[6]              # extreme Urms(1/2) of L1 L2 L3 L12 L23 L31
    double umax[6]
    double pinst[6]
    int missing_lanes, saturated_lanes, flags, cycles, unlocked, open

ctypedef struct out_t:          # completed rows; the capacity is seen to before every hop
    double *windows             # ROW values each
    double *cycles
    double *halves              # time, grid, rms, flags
    double *phasors             # SYNC_ROW values each
    double *frequencies         # start of the interval, cycles, their samples, flags
    double *psts                # start of the interval, flags, Pst of L1 L2 L3 L12 L23 L31
    double *energies            # ENERGY_ROW values each
    double *pulses              # stream, time
    float *spectra              # rows of 8 lanes, spectrum_rows for each window
    long n_windows, n_cycles, n_halves, n_spectra, n_frequencies, n_phasors, n_psts, n_energies, n_pulses
    long pulse_room             # pulses that can be kept until they are taken

ctypedef struct state_t:
    long start                  # sample number of frame 0 of this run, which lies on a grain
    long first                  # its first frame
    long staged                 # frames received in this run, counted from frame 0
    long frames                 # frames of them in the rings
    long ticked                 # frames through the decimator
    long blocks                 # sub-blocks summed
    long decimated              # frames of the decimated ring
    long floated                # frames in the ring of floats
    long last_mark              # last frame with a mark, -1 where there is none
    int rail[8]                 # samples in a row at the converter's limit
    int locked, ended
    # tracker
    double period               # decimated frames of a cycle for which the kernel stands
    int half, step              # reach of the kernel; decimated frames between hops
    long hop                    # decimated frame of the next hop
    long hops
    double kc[512]
    double ks[512]
    double gain                 # what makes an amplitude of what they give
    double point_t[16]
    double point_phase[16]
    int point_good[16]
    double point_theta[112]     # angles of the grids at the same hops
    long followed               # hops whose boundaries were met
    double out_t, out_phase     # where boundaries were last looked for
    int out_good
    double omega                # rad per frame, for prediction
    double held                 # rad per frame, from steady hops only
    int fly                     # hops since the phase was last measured
    int trust                   # hops in a row that it was
    int lost                    # 1: it has not been for long
    double floor                # amplitude that a reference must exceed in this run
    double loud                 # frame at which it was last more than next to nothing
    int blind                   # 1: it never was in this run, and what is there is no mains voltage: no Urms(1/2)
    int known[3]
    double theta[7]             # phase of each grid against the common one
    double before[7]            # the same at the hop before
    double place[3]             # angles of the references at which the common phase is at its own
    double astray               # by how much they stood beside them of late
    double ref_c[7]
    double ref_s[7]
    double amp[3]
    double last_amp[9]          # of the last three hops
    double deviation[3]
    double drift[3]
    int off[3]                  # hops for which a channel has stood apart, steadily
    # reference of the correlations
    double omega_ref
    double ec[132]              # reference of frames -16 to 16 around an edge, each value four times
    double es[132]
    # grids
    long m[7]                   # next boundary is at phase m * pi
    double edge_t[7]
    long edge_ref[7]
    double edge_sum[7]          # of the own grids
    double half_sum[7]          # half-cycle before
    double half_t[7]
    int halves[7]
    int half_flags[7]
    double edge_vec[36]         # of the common grid
    double edge_c, edge_s       # its reference at edge_ref
    # cycles and windows
    span_t part                 # time before the first whole cycle, or after the last
    span_t cycle
    span_t window
    span_t tail                 # window running on over a resynchronisation
    double next_tick            # frame at which windows start anew
    double tick_owed            # frames by which the one after it comes earlier, because the clock was set
    int group                   # windows of the running 150/180-cycle interval
    int tail_left               # windows that its tail still has to give
    int tail_first              # 1: the first of them started before the tick
    double next_sync            # frame of the next synchrophasor
    double sync_owed            # as of ticks
    double f_tick               # frame at which an interval of frequency ends
    double f_owed               # as of ticks
    double f_cycles, f_span
    int f_flags
    double last_p[4]
    double last_q[4]
    double last_s[4]
    int have_last
    double energy[40]           # total, L1, L2, L3: A+ A- R+ R- R1 R2 R3 R4 E+ E-, in W times samples
    span_t second               # cycles since the last tick of the meter's clock
    double energy_tick          # frame of the next tick
    double energy_owed          # as of ticks
    double energy_from          # frame at which the row begun started
    long instant                # number of the instant that is the next tick
    int running                 # 1: registers have started, and not stopped since
    double withheld             # active energy not booked because of that, in W times samples
    long pulse_count[8]
    long pulse_lost[8]          # of them, those for which there was no room
    long integrated
    long blank                  # frames of which every lane is missing
    long missing_count[8]
    long saturated_count[8]


cdef inline long modulo(long a, long b) noexcept nogil:
    """a modulo b, of what lies before 1970 too."""
    a %= b
    return a + b if a < 0 else a
