/* The flickermeter: per voltage from decimated frames to instantaneous sensation and its classes.
 * Included once for every instruction set like frames.h, whose FN and VW it uses; the same bits in all of them.
 */
#ifndef CTMETER_FLICKER_H
#define CTMETER_FLICKER_H
enum {
    FLICKER_TAPS = 34,    /* of the second decimation, at most */
    FLICKER_ZEROS = 10,   /* of the numerator */
    FLICKER_SECTIONS = 5, /* of second order */
    FLICKER_RECENT = 512, /* outputs kept */
    FLICKER_CLASSES = 3840, /* 128 to an octave, from 2^-14 to 2^16 */
    FLICKER_FINE = 45,    /* bits of a double that a class does not tell */
    FLICKER_LOWEST = (1023 - 14) << (52 - FLICKER_FINE)
};

typedef struct { /* what flicker.py makes, in its order; then what follows from it */
    double droop[3], numerator[FLICKER_ZEROS], section[2 * FLICKER_SECTIONS], high_pass;
    double memory, level, alive;  /* shares of a new value in the first-order means */
    double outputs, stride, lag;  /* outputs per second; frames between two; frames by which an output comes late */
    double taps[FLICKER_TAPS];
    int count, step;              /* taps; decimated frames between two outputs */
    double first;                 /* frame for which output 0 stands */
    double dead;                  /* mean square below which a voltage is dead */
} flicker_t;

typedef struct { /* of four voltages, or four differences; the first two are rings that stand twice, so that readers need not wrap */
    double squares[128][4], x[32][4], y[2 * FLICKER_SECTIONS][4], z[4], pinst[4];
    double fast[4], mean[4];      /* mean squares */
    double live[4], quiet[4];     /* outputs while alive; and since then */
    long since[4];                /* output from which it was not settled, the last time that it was not */
    int lost[4];                  /* 1: it was alive before samples of it went missing */
    double recent[FLICKER_RECENT][4]; /* instantaneous sensation, -1 while there is none */
    int grown;                    /* every slow mean is as long as it shall be */
    double counted[4];            /* from here on a gap changes nothing */
    uint32_t classes[3][FLICKER_CLASSES];
} flicker_bank_t;

typedef struct {
    long done;                    /* outputs of this run */
    double tick;                  /* frame at which the interval ends */
    double owed;                  /* frames by which the one after it comes earlier, because the clock was set */
    flicker_bank_t bank[2];       /* phases, lines */
} flicker_state_t;

/* Seconds from which there is a sensation, from which it is counted, to which it is settling; and
 * without a voltage: for which it is counted, after which everything begins anew. */
#define FLICKER_BEGIN 1.0
#define FLICKER_COUNT 8.0
#define FLICKER_SETTLE 60.0
#define FLICKER_HOLD 1.0
#define FLICKER_FORGET 60.0

/* Kept out of the way of what is done for every output. */
#ifdef __GNUC__
#define RARE __attribute__((noinline, cold))
#else
#define RARE
#endif

/* Nothing counts of what came so far. */
static RARE void clear_lane(flicker_bank_t *B, int l)
{
    for (int k = 0; k < 32; k++) B->x[k][l] = 0.0;
    for (int k = 0; k < 2 * FLICKER_SECTIONS; k++) B->y[k][l] = 0.0;
    B->z[l] = B->pinst[l] = B->fast[l] = B->mean[l] = B->live[l] = B->quiet[l] = 0.0;
    B->grown = 0;
}

/* A voltage starts anew with output n, samples of it being missing (`lost`), or after it was dead for long.
 * settled: outputs while alive from which it is. */
static RARE void forget_lane(flicker_bank_t *B, int l, long n, double settled, int lost)
{
    if (B->live[l] >= settled) B->since[l] = n;
    B->lost[l] = lost && (B->lost[l] || B->live[l] > 0.0);
    clear_lane(B, l);
}

/* Outputs `first` to `last` into their classes; apart from making them, so that nothing waits for one before the next is begun. */
static void classify(flicker_bank_t *B, long first, long last)
{
    for (int l = 0; l < 3; l++) {
        uint32_t *classes = B->classes[l];
        long counted = 0;
        for (long n = first; n < last; n++) {
            const double value = B->recent[n & (FLICKER_RECENT - 1)][l];
            uint64_t bits;
            if (value < 0.0) continue;
            memcpy(&bits, &value, 8);
            const long k = (long)(bits >> FLICKER_FINE) - FLICKER_LOWEST;
            classes[k < 0 ? 0 : k < FLICKER_CLASSES ? k : FLICKER_CLASSES - 1]++;
            counted++;
        }
        B->counted[l] += (double)counted;
    }
}

static double class_edge(long k)
{
    const uint64_t bits = (uint64_t)(k + FLICKER_LOWEST) << FLICKER_FINE;
    double x;
    memcpy(&x, &bits, 8);
    return k > 0 ? x : 0.0;
}

/* Short-term flicker: weighted levels that are exceeded for shares of the time. */
static double short_term(const uint32_t *classes, double counted)
{
    static const double share[15] = {0.1, 0.7, 1, 1.5, 2.2, 3, 4, 6, 8, 10, 13, 17, 30, 50, 80};
    static const double weight[5] = {0.0314, 0.0525 / 3, 0.0657 / 3, 0.28 / 5, 0.08 / 3};
    static const int kind[15] = {0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 4, 4, 4};
    double above = 0.0, total = 0.0;
    int at = 0;
    for (long k = FLICKER_CLASSES - 1; k >= 0; k--) {
        if (!classes[k]) continue;
        const double low = class_edge(k), width = class_edge(k + 1) - low;
        above += classes[k];
        for (; at < 15 && share[at] * counted <= 100.0 * above; at++)
            total += weight[kind[at]] * (low + width * (above - 0.01 * share[at] * counted) / classes[k]);
    }
    return sqrt(total);
}
#endif

#define FW (VW > 4 ? 4 : VW)
typedef double FN(fl) __attribute__((vector_size(FW * 8), aligned(8), may_alias));
typedef long long FN(fm) __attribute__((vector_size(FW * 8)));
#define V(p) (*(FN(fl) *)(p))
#define CV(p) (*(const FN(fl) *)(p))
#define PICK(m, a, b) ((FN(fl))(((m) & (FN(fm))(a)) | (~(m) & (FN(fm))(b))))

/* Square of a decimated frame whose droop is undone, of u1 u2 u3 or of u12 u23 u31. */
static inline __attribute__((always_inline)) void FN(flicker_square)(const flicker_t *F, const double *ring, long mask, int lines, long at, double *out)
{
    const double *a = ring + 4 * (at & mask), *b = a + 4, *c = a + 8, *d = a + 12, *e = a + 16;
    if ((at & mask) + 4 > mask)
        b = ring + 4 * ((at + 1) & mask), c = ring + 4 * ((at + 2) & mask), d = ring + 4 * ((at + 3) & mask), e = ring + 4 * ((at + 4) & mask);
    double u[5] = {0};
    for (int k = 0; k < 4; k += FW) {
        const FN(fl) x = CV(c + k) * F->droop[0] + (CV(b + k) + CV(d + k)) * F->droop[1] + (CV(a + k) + CV(e + k)) * F->droop[2];
        V(u + k) = x;
        V(out + k) = V(out + 256 + k) = x * x;
    }
    if (!lines) return;
    u[3] = u[0];
    for (int k = 0; k < 4; k += FW) {
        const FN(fl) x = CV(u + k) - CV(u + k + 1);
        V(out + k) = V(out + 256 + k) = x * x;
    }
}

/* Mean square over the taps, relative to the slow mean, less 1. */
static inline __attribute__((always_inline)) FN(fl) FN(flicker_level)(const flicker_t *F, flicker_bank_t *B, long from, int k)
{
    const FN(fl) zero = {0};
    const double *square = B->squares[from & 63] + k;
    FN(fl) v = zero, w = zero;
    int j = 0;
    for (; j + 1 < F->count; j += 2) {
        v += F->taps[j] * CV(square + 4 * j);
        w += F->taps[j + 1] * CV(square + 4 * j + 4);
    }
    if (j < F->count) v += F->taps[j] * CV(square + 4 * j);
    v += w;
    FN(fl) mean = V(B->mean + k), fast = V(B->fast + k), live = V(B->live + k);
    fast += F->alive * (v - fast);
    /* alive: above a hundredth of the slow mean, and above what is dead anyway */
    const FN(fm) m = (fast > 1e-4 * mean) & (fast > zero + F->dead);
    live += PICK(m, zero + 1.0, zero);
    FN(fl) share = zero + F->level;
    if (!B->grown) {
        /* the mean of all so far, until that is as long as the slow mean */
        const FN(fl) all = 1.0 / live;
        share = PICK(all > share, all, share);
    }
    mean += PICK(m, share * (v - mean), zero);
    V(B->quiet + k) = PICK(m, zero, V(B->quiet + k) + 1.0);
    V(B->mean + k) = mean;
    V(B->fast + k) = fast;
    V(B->live + k) = live;
    return PICK(live > zero + FLICKER_BEGIN * F->outputs, v / mean - 1.0, zero);
}

/* Outputs `first` to `last` of a bank. */
static void FN(flicker)(const flicker_t *F, flicker_bank_t *B, const double *ring, long mask, int lines, long first, long last)
{
    const FN(fl) zero = {0};
    long classified = first;
    for (long n = first; n < last; n++) {
        if (n - classified == FLICKER_RECENT) classify(B, classified, n), classified = n;
        const long from = n * F->step, end = from + F->count;
        for (long j = n ? end - F->step : from; j < end; j++) FN(flicker_square)(F, ring, mask, lines, j, B->squares[j & 63]);
        double *recent = B->recent[n & (FLICKER_RECENT - 1)];
        for (int k = 0; k < 4; k += FW) {
            const double *x = B->x[(n & 15) + 16] + k;
            V(B->x[n & 15] + k) = V(B->x[(n & 15) + 16] + k) = FN(flicker_level)(F, B, from, k);
            FN(fl) s = zero, t = zero;
            for (int j = 0; j < FLICKER_ZEROS; j += 2) {
                s += F->numerator[j] * CV(x - 4 * j);
                t += F->numerator[j + 1] * CV(x - 4 * j - 4);
            }
            s += t;
            for (int j = 0; j < FLICKER_SECTIONS; j++) {
                const FN(fl) past = V(B->y[2 * j] + k);
                s -= F->section[2 * j] * past + F->section[2 * j + 1] * V(B->y[2 * j + 1] + k);
                V(B->y[2 * j + 1] + k) = past;
                V(B->y[2 * j] + k) = s;
            }
            s += F->high_pass * V(B->z + k);
            V(B->z + k) = s;
            const FN(fl) p = V(B->pinst + k) + F->memory * (s * s - V(B->pinst + k));
            V(B->pinst + k) = p;
            const FN(fm) m = (V(B->live + k) > zero + FLICKER_COUNT * F->outputs) & (V(B->quiet + k) <= zero + FLICKER_HOLD * F->outputs);
            V(recent + k) = PICK(m, p, zero - 1.0);
        }
        B->grown = 1;
        for (int l = 0; l < 3; l++) {
            if (B->quiet[l] > FLICKER_FORGET * F->outputs && B->live[l] > 0.0) forget_lane(B, l, n, FLICKER_SETTLE * F->outputs, 0);
            B->grown &= B->live[l] * F->level >= 1.0;
        }
    }
    classify(B, classified, last);
}
#undef FW
#undef V
#undef CV
#undef PICK
