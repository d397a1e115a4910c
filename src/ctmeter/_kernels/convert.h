/* Raw samples of any type and layout to eight lanes in V and A. */
#ifndef CTMETER_CONVERT_H
#define CTMETER_CONVERT_H
#include <float.h>

#include "dispatch.h"

/* V or A from which a value is none: so large that neither its square nor the square of that, summed, is a finite number */
static const double LARGEST = 1e60;

typedef enum { RAW_I16, RAW_I32, RAW_F32, RAW_F64 } raw_t;

typedef struct {
    int column[8];          /* column of the raw block for each lane, -1 where the lane is not recorded */
    double scale[8], offset[8];
    double low[8], high[8]; /* raw values at or beyond which a sample is saturated */
    double missing[8];      /* raw value that stands for a missing sample; NaN where there is none */
    double from[8], to[8];  /* raw values at or beyond which a sample is no number, or LARGEST and more once scaled */
    int line, derive_3, derive_i2; /* three-wire input; u31, i2 made from the others */
    double low16[8], high16[8]; /* the same for 16 bits, whose limits are a converter's whatever is known of its range */
    int count, list[8];     /* lanes that are recorded */
    int first, last, near;  /* span of their columns; whether byte shuffles will do */
    signed char order[16];
    int rows, base[2];      /* whether the columns of each four lanes follow one another, and the first of them */
    long long used[8];      /* -1 in the lanes that are recorded */
} lanes_t;

enum { MOST = 256 }; /* frames converted at once, at most */

/* mark of a frame: bit l, lane l is missing or not finite; bit 8 + l, lane l is saturated */
#define CONVERT(name, type, LOW, HIGH) \
    static int name(const lanes_t *L, const char *p, ptrdiff_t stride, ptrdiff_t step, long n, double *U, double *I, uint16_t *marks) \
    { \
        int any = 0; \
        for (long k = 0; k < n; k++) { \
            double out[8] = {0}; \
            int mark = 0; \
            for (int a = 0; a < L->count; a++) { \
                const int l = L->list[a]; \
                type r; \
                memcpy(&r, p + k * stride + L->column[l] * step, sizeof r); \
                const double x = (double)r; \
                out[l] = x * L->scale[l] + L->offset[l]; \
                if (!(x > L->LOW[l] && x < L->HIGH[l]) || x == L->missing[l]) { \
                    const int bad = !(x > L->from[l] && x < L->to[l]) || x == L->missing[l]; \
                    if (bad) out[l] = 0.0; \
                    mark |= bad ? 1 << l : 256 << l; \
                } \
            } \
            memcpy(U + 4 * k, out, 32); \
            memcpy(I + 4 * k, out + 4, 32); \
            marks[k] = (uint16_t)mark; \
            any |= mark; \
        } \
        return any != 0; \
    }
CONVERT(convert_i16, int16_t, low16, high16)
CONVERT(convert_i32, int32_t, low, high)
CONVERT(convert_f32, float, low, high)
CONVERT(convert_f64, double, low, high)
#undef CONVERT

/* Star voltages and missing members of a set, from what was recorded; what is made of a missing value is missing. */
static void derive(const lanes_t *L, long n, double *U, double *I, uint16_t *marks)
{
    if (!L->line && !L->derive_i2) return;
    for (long k = 0; k < n; k++) {
        double *u = U + 4 * k, *i = I + 4 * k;
        if (L->line) {
            /* u12 u23 u31 -> the star voltages whose differences they are: the same P, Q and line quantities */
            double a = u[0], b = u[1], c = L->derive_3 ? -(a + b) : u[2];
            u[0] = (a - c) / 3, u[1] = (b - a) / 3, u[2] = (c - b) / 3;
            if (marks[k] & 0x0700) marks[k] |= 0x0700;
            if (marks[k] & 0x0007) {
                marks[k] |= 0x0007;
                u[0] = u[1] = u[2] = 0.0;
            }
        }
        if (L->derive_i2) {
            i[1] = -(i[0] + i[2]);
            if (marks[k] & 0x5000) marks[k] |= 0x2000;
            if (marks[k] & 0x0050) {
                marks[k] |= 0x0020;
                i[1] = 0.0;
            }
        }
    }
}

/* Lanes that lie apart: each an array, or made one here. 0 where the frames have to go the plain way. */
static int convert_apart(columns_t columns, const lanes_t *L, raw_t type, const char *p, ptrdiff_t stride, ptrdiff_t step, long n, double *U, double *I)
{
    static const double zeros[MOST];
    const ptrdiff_t size = type == RAW_I16 ? 2 : type == RAW_F64 ? 8 : 4;
    double held[8][MOST];
    const char *lane[8];
    if (n > MOST) return 0;
    for (int l = 0; l < 8; l++) lane[l] = (const char *)zeros;
    for (int k = 0; k < L->count; k++) {
        const int l = L->list[k];
        const char *q = p + L->column[l] * step;
        lane[l] = stride == size ? q : (const char *)held[l];
        if (stride == size) continue;
        if (size == 2) for (long j = 0; j < n; j++) memcpy((char *)held[l] + 2 * j, q + j * stride, 2);
        else if (size == 4) for (long j = 0; j < n; j++) memcpy((char *)held[l] + 4 * j, q + j * stride, 4);
        else for (long j = 0; j < n; j++) memcpy((char *)held[l] + 8 * j, q + j * stride, 8);
    }
    return columns(lane, n, L->scale, L->offset, type == RAW_I16 ? L->low16 : L->low, type == RAW_I16 ? L->high16 : L->high, L->missing, U, I);
}

/* n frames into ring arrays that do not wrap within n; `readable` frames lie at p. 1 where any frame got a mark. */
static int convert(const kernels_t *K, const lanes_t *L, raw_t type, const char *p, ptrdiff_t stride, ptrdiff_t step, long n, long readable,
                   double *U, double *I, uint16_t *marks)
{
    memset(marks, 0, (size_t)n * sizeof *marks);
    long done = 0;
    /* a 16-byte load at a frame may reach beyond it: the block's last frames go the plain way */
    const long reach = 16 - 2 * (L->last - L->first + 1);
    const long safe = stride > 0 ? readable - (reach + stride - 1) / stride : 0;
    if (K->convert_near && type == RAW_I16 && step == 2 && L->near && safe > 0) {
        short low[8] = {0}, high[8] = {0};
        done = (n < safe ? n : safe) & ~1L;
        K->convert_near(p + 2 * L->first, stride, done, L->order, L->scale, L->offset, U, I, low, high);
        for (int l = 0; l < 8; l++)
            if (L->column[l] >= 0 && !(low[l] > L->low16[l] && high[l] < L->high16[l])) done = 0;
    }
    const rows_t rows = type == RAW_I32 ? K->rows_i32 : type == RAW_F32 ? K->rows_f32 : type == RAW_F64 ? K->rows_f64 : NULL;
    const ptrdiff_t size = type == RAW_F64 ? 8 : 4;
    /* rows load four columns whatever is used of them, which may be more than there is behind the last frames */
    const long over = ((L->base[0] > L->base[1] ? L->base[0] : L->base[1]) + 3 - L->last) * size;
    const long whole = stride > 0 ? readable - (over > 0 ? (over + stride - 1) / stride : 0) : 0;
    if (rows && L->rows && step == size && whole > 0) {
        const long m = n < whole ? n : whole;
        if (rows(p, stride, m, L->base, L->used, L->scale, L->offset, L->low, L->high, L->missing, U, I)) done = m;
    }
    const columns_t columns = type == RAW_I16 ? K->columns_i16 : type == RAW_I32 ? K->columns_i32 : type == RAW_F32 ? K->columns_f32 : K->columns_f64;
    if (columns && !done && n >= 4 && convert_apart(columns, L, type, p, stride, step, n & ~3L, U, I)) done = n & ~3L;
    int any = 0;
    if (done < n) {
        const char *q = p + done * stride;
        double *u = U + 4 * done, *i = I + 4 * done;
        uint16_t *m = marks + done;
        if (type == RAW_I16) any = convert_i16(L, q, stride, step, n - done, u, i, m);
        else if (type == RAW_I32) any = convert_i32(L, q, stride, step, n - done, u, i, m);
        else if (type == RAW_F32) any = convert_f32(L, q, stride, step, n - done, u, i, m);
        else any = convert_f64(L, q, stride, step, n - done, u, i, m);
    }
    return any;
}

/* Between which raw values a lane's values are numbers; its limits are no wider than that, so that nothing more is looked at. */
static void bound(lanes_t *L, int l)
{
    const double a = L->scale[l], b = L->offset[l], p = (-LARGEST - b) / a, q = (LARGEST - b) / a;
    if (!(fabs(a) <= DBL_MAX && fabs(b) < LARGEST)) L->from[l] = L->to[l] = 0.0;
    else L->from[l] = a == 0.0 ? -LARGEST : fmax(fmin(p, q), -LARGEST), L->to[l] = a == 0.0 ? LARGEST : fmin(fmax(p, q), LARGEST);
    L->low[l] = fmax(L->low[l], L->from[l]), L->high[l] = fmin(L->high[l], L->to[l]);
}

/* What `convert` needs to know of the columns, once. */
static void plan(lanes_t *L)
{
    L->first = 1 << 30, L->last = -1, L->count = 0, L->rows = 1;
    L->base[0] = L->base[1] = -1;
    for (int l = 0; l < 8; l++) {
        L->used[l] = L->column[l] < 0 ? 0 : -1;
        if (L->column[l] >= 0) {
            int *base = &L->base[l / 4];
            if (*base < 0) *base = L->column[l] - l % 4;
            if (*base < 0 || L->column[l] != *base + l % 4) L->rows = 0;
            L->list[L->count++] = l;
            if (L->column[l] < L->first) L->first = L->column[l];
            if (L->column[l] > L->last) L->last = L->column[l];
        } else {
            /* nothing is looked for in a lane that is not there */
            L->low[l] = -LARGEST, L->high[l] = LARGEST, L->missing[l] = NAN;
            L->scale[l] = L->offset[l] = 0.0;
        }
        bound(L, l);
    }
    for (int l = 0; l < 8; l++) {
        L->low16[l] = L->column[l] >= 0 && L->low[l] < -32768.0 ? -32768.0 : L->low[l];
        L->high16[l] = L->column[l] >= 0 && L->high[l] > 32767.0 ? 32767.0 : L->high[l];
    }
    for (int half = 0; half < 2; half++)
        if (L->base[half] < 0) L->base[half] = 0;
    L->near = L->last - L->first < 8;
    for (int l = 0; l < 8; l++) {
        const int at = L->column[l] < 0 || !L->near ? -1 : 2 * (L->column[l] - L->first);
        L->order[2 * l] = (signed char)at, L->order[2 * l + 1] = (signed char)(at < 0 ? -1 : at + 1);
        /* a missing value inside the range is looked for in every sample */
        if (L->missing[l] > L->low[l] && L->missing[l] < L->high[l]) L->near = 0;
    }
}
/* Frames that will be converted next are asked for while these are worked on: a processor's own guess ends at each pause. */
static void fetch(const char *p, ptrdiff_t stride, long n)
{
#ifdef __GNUC__
    if (stride > 0 && stride <= 128)
        for (ptrdiff_t k = 0; k < n * stride; k += 64) __builtin_prefetch(p + k);
#else
    (void)p, (void)stride, (void)n;
#endif
}
#endif
