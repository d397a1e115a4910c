/* The sample-level kernels for every instruction set, and the table of those that this machine runs best. */
#ifndef CTMETER_DISPATCH_H
#define CTMETER_DISPATCH_H
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    SUB = 16,  /* frames in a sub-block */
    POINTS_FFT = 2048, /* of a resampled window */
    TAPS = 16, /* frames that carry a fractional edge */
    VEC = 36   /* sums of a sub-block: u^2[4] i^2[4] ui[4] u_k u_k+1[4] i_k i_k+1[4], then with e^-jwt: re u[4] i[4], im u[4] i[4] */
};

enum { /* rows of a spectrum, 8 lanes each: 51 sub-groups, 50 interharmonic sub-groups, and */
    SPECTRUM_LINES = 101, /* sum of orders 2-40, single bins */
    SPECTRUM_LINE_1,
    SPECTRUM_GROUPS,      /* sum of groups 2-40 */
    SPECTRUM_GROUP_1,
    SPECTRUM_WEIGHTED,    /* sum of order times single bin, 14-40 */
    SPECTRUM_SIGNAL,      /* four bins nearest to the signalling frequency */
    SPECTRUM_PEAK,        /* largest magnitude, not squared */
    SPECTRUM,
    WHOLE_GROUPS = 101    /* rows behind them where groups are wanted: 51 groups, 50 interharmonic groups */
};

#ifdef CTMETER_DEBUG
#include <stdio.h>
#include <stdlib.h>
#define CHECK(ok) do { if (!(ok)) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #ok); abort(); } } while (0)
#else
#define CHECK(ok) ((void)0)
#endif

#define VW 2
#define FN(x) x##_base
#include "frames.h"
#include "hops.h"
#include "spectrum.h"
#include "groups.h"
#include "flicker.h"
#undef VW
#undef FN

#if defined(__x86_64__) && defined(__GNUC__)
#define CTMETER_X86 1
#include <immintrin.h>
#pragma GCC push_options
#pragma GCC target("avx2")
#define VW 4
#define FN(x) x##_avx2
#include "frames.h"
#include "hops.h"
#include "spectrum.h"
#include "groups.h"
#include "flicker.h"
#include "lanes.h"
#undef VW
#undef FN
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,prefer-vector-width=512")
#define VW 8
#define FN(x) x##_avx512
#include "frames.h"
#include "hops.h"
#include "spectrum.h"
#include "groups.h"
#include "flicker.h"
#include "lanes.h"
#undef VW
#undef FN
#pragma GCC pop_options
#endif

typedef int (*columns_t)(const char *const *, long, const double *, const double *, const double *, const double *, const double *, double *, double *);
typedef int (*rows_t)(const char *, ptrdiff_t, long, const int *, const long long *, const double *, const double *,
                      const double *, const double *, const double *, double *, double *);

typedef struct {
    const char *name;
    void (*sub_block)(const double *, const double *, const double *, const double *, double *);
    void (*add_blocks)(const double *, long, long, long, double, double, double, double, double *);
    void (*edge_weights)(const double *, double, int, double *);
    void (*edge)(const double *, const double *, const double *, const double *, const double *, double, double, double *);
    double (*edge_square)(const double *, const double *, int, int);
    void (*decimate)(const double *, int, const double *, double *);
    double (*weights)(double, double, double, int, double *, double *);
    void (*pointer)(double, double, double *, double *);
    void (*demodulate)(const double *, long, long, int, const double *, const double *, double *, double *);
    void (*append)(const double *, const double *, long, long, long, float *, long);
    void (*resample)(const float *, long, double, double, int, const float *, float *, float *, float *);
    void (*line_peak)(const float *, const float *, float *);
    void (*transform)(float *, float *, const float *);
    void (*bins)(const float *, const float *, int, const float *, const float *, float *, float *);
    void (*gains)(const double *, double, double, int, float *);
    void (*bin_power)(const float *, const float *, int, float *);
    void (*groups)(const float *, int, int, int, float *);
    void (*whole_groups)(const float *, int, int, float *);
    void (*flicker)(const flicker_t *, flicker_bank_t *, const double *, long, int, long, long);
    void (*convert_near)(const char *, ptrdiff_t, long, const signed char *, const double *, const double *, double *, double *, short *, short *);
    rows_t rows_i32, rows_f32, rows_f64;
    columns_t columns_i16, columns_i32, columns_f32, columns_f64;
} kernels_t;

#define TABLE(s, ...) {#s, sub_block_##s, add_blocks_##s, edge_weights_##s, edge_##s, edge_square_##s, decimate_##s, weights_##s, pointer_##s, demodulate_##s, \
    append_##s, resample_##s, line_peak_##s, transform_##s, bins_##s, gains_##s, bin_power_##s, groups_##s, whole_groups_##s, flicker_##s, __VA_ARGS__}
static const kernels_t ALL_KERNELS[] = {
#ifdef CTMETER_X86
    TABLE(avx512, convert_near_avx512, rows_i32_avx512, rows_f32_avx512, rows_f64_avx512,
          columns_i16_avx512, columns_i32_avx512, columns_f32_avx512, columns_f64_avx512),
    TABLE(avx2, convert_near_avx2, rows_i32_avx2, rows_f32_avx2, rows_f64_avx2,
          columns_i16_avx2, columns_i32_avx2, columns_f32_avx2, columns_f64_avx2),
#endif
    TABLE(base, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
};
#undef TABLE

/* The kernels named, or the best this machine has for name ""; NULL where it has none of that name. */
static const kernels_t *choose_kernels(const char *name)
{
    for (size_t k = 0; k < sizeof ALL_KERNELS / sizeof *ALL_KERNELS; k++) {
        const kernels_t *t = &ALL_KERNELS[k];
        int runs = 1;
#ifdef CTMETER_X86
        if (!strcmp(t->name, "avx512")) runs = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
        if (!strcmp(t->name, "avx2")) runs = __builtin_cpu_supports("avx2");
#endif
        if (runs && (!*name || !strcmp(t->name, name))) return t;
    }
    return NULL;
}
#endif
