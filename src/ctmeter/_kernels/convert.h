/* Raw samples of any type and layout to eight lanes in V and A. */
#ifndef CTMETER_CONVERT_H
#define CTMETER_CONVERT_H
#include "dispatch.h"

typedef enum { RAW_I16, RAW_I32, RAW_F32, RAW_F64 } raw_t;

typedef struct {
    int column[8];          /* column of the raw block for each lane, -1 where the lane is not recorded */
    double scale[8], offset[8];
    double low[8], high[8]; /* raw values at or beyond which a sample is saturated */
    double missing[8];      /* raw value that stands for a missing sample; NaN where there is none */
    int line, derive_3, derive_i2; /* three-wire input; u31, i2 made from the others */
    int first, last, near;  /* span of the columns; whether byte shuffles will do */
    signed char order[16];
} lanes_t;

/* mark of a frame: bit l, lane l is missing or not finite; bit 8 + l, lane l is saturated */
#define CONVERT(name, type) \
    static int name(const lanes_t *L, const char *p, ptrdiff_t stride, ptrdiff_t step, long n, double *U, double *I, uint16_t *marks) \
    { \
        int any = 0; \
        for (int l = 0; l < 8; l++) { \
            double *out = (l < 4 ? U : I) + (l & 3); \
            if (L->column[l] < 0) { \
                for (long k = 0; k < n; k++) out[4 * k] = 0.0; \
                continue; \
            } \
            const char *q = p + L->column[l] * step; \
            const double a = L->scale[l], b = L->offset[l], lo = L->low[l], hi = L->high[l], none = L->missing[l]; \
            for (long k = 0; k < n; k++) { \
                type r; \
                memcpy(&r, q + k * stride, sizeof r); \
                double x = (double)r; \
                out[4 * k] = x * a + b; \
                if (!(x > lo && x < hi) || x == none) { \
                    int bad = !(fabs(x) < 1e150) || x == none; \
                    if (bad) out[4 * k] = 0.0; \
                    marks[k] |= (uint16_t)(bad ? 1 << l : 256 << l); \
                    any = 1; \
                } \
            } \
        } \
        return any; \
    }
CONVERT(convert_i16, int16_t)
CONVERT(convert_i32, int32_t)
CONVERT(convert_f32, float)
CONVERT(convert_f64, double)
#undef CONVERT

/* Star voltages and missing members of a set, from what was recorded. */
static void derive(const lanes_t *L, long n, double *U, double *I, uint16_t *marks)
{
    for (long k = 0; k < n; k++) {
        double *u = U + 4 * k, *i = I + 4 * k;
        if (L->line) {
            /* u12 u23 u31 -> the star voltages whose differences they are: the same P, Q and line quantities */
            double a = u[0], b = u[1], c = L->derive_3 ? -(a + b) : u[2];
            u[0] = (a - c) / 3, u[1] = (b - a) / 3, u[2] = (c - b) / 3;
            if (marks[k] & 0x0007) marks[k] |= 0x0007;
            if (marks[k] & 0x0700) marks[k] |= 0x0700;
        }
        if (L->derive_i2) {
            i[1] = -(i[0] + i[2]);
            if (marks[k] & 0x0050) marks[k] |= 0x0020;
        }
    }
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
            if (L->column[l] >= 0 && !(low[l] > L->low[l] && high[l] < L->high[l])) done = 0;
        if (L->line || L->derive_i2) derive(L, done, U, I, marks);
    }
    int any = 0;
    if (done < n) {
        const char *q = p + done * stride;
        double *u = U + 4 * done, *i = I + 4 * done;
        uint16_t *m = marks + done;
        if (type == RAW_I16) any = convert_i16(L, q, stride, step, n - done, u, i, m);
        else if (type == RAW_I32) any = convert_i32(L, q, stride, step, n - done, u, i, m);
        else if (type == RAW_F32) any = convert_f32(L, q, stride, step, n - done, u, i, m);
        else any = convert_f64(L, q, stride, step, n - done, u, i, m);
        if (L->line || L->derive_i2) derive(L, n - done, u, i, m);
    }
    return any;
}

/* What `convert` needs to know of the columns, once. */
static void plan(lanes_t *L)
{
    L->first = 1 << 30, L->last = -1;
    for (int l = 0; l < 8; l++)
        if (L->column[l] >= 0) {
            if (L->column[l] < L->first) L->first = L->column[l];
            if (L->column[l] > L->last) L->last = L->column[l];
        }
    L->near = L->last - L->first < 8;
    for (int l = 0; l < 8; l++) {
        const int at = L->column[l] < 0 || !L->near ? -1 : 2 * (L->column[l] - L->first);
        L->order[2 * l] = (signed char)at, L->order[2 * l + 1] = (signed char)(at < 0 ? -1 : at + 1);
        /* a missing value inside the range is looked for in every sample */
        if (L->missing[l] > L->low[l] && L->missing[l] < L->high[l]) L->near = 0;
    }
}
#endif
