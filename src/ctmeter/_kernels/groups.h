/* Groups of the bins of eight lanes, as mean squares. Included once for every instruction set, like frames.h.
 *
 * IEC 61000-4-7: `per` bins lie between two orders (10 at 50 Hz, 12 at 60 Hz).
 */

/* Factors of bins 0..count-1 of a window of `length` samples: a polynomial in the square of frequency over sample rate
 * undoes the kernel's droop, `unit` scales to rms; bin 0 is a mean, not a sine. */
static void FN(gains)(const double *restrict p, double length, double unit, int count, float *restrict gain)
{
    const double per = 1.0 / length;
    for (int k = 0; k < count; k++) {
        const double x = (double)k * per * ((double)k * per);
        gain[k] = (float)(unit * (p[0] + x * (p[1] + x * (p[2] + x * (p[3] + x * (p[4] + x * (p[5] + x * (p[6] + x * p[7]))))))));
    }
    gain[0] *= 0.70710678118654752440f;
}

/* Mean squares of bins: power[k] += re^2 + im^2, over 8 lanes. */
static void FN(bin_power)(const float *br, const float *bi, int count, float *restrict power)
{
    for (int k = 0; k < 8 * count; k++) power[k] = br[k] * br[k] + bi[k] * bi[k];
}

/* The group around the bin p of an order: all bins to half way to the next orders, those half way by half of their square. */
static inline __attribute__((always_inline)) void FN(group)(const float *p, int per, float *restrict g)
{
    const float *a = p - 4 * per, *b = p + 4 * per;
    for (int l = 0; l < 8; l++) g[l] = 0.5f * (a[l] + b[l]);
    for (const float *q = a + 8; q < b; q += 8)
        for (int l = 0; l < 8; l++) g[l] += q[l];
}

/* Rows of 8 lanes: groups of orders 0-50, interharmonic groups 0-49. */
static void FN(whole_groups)(const float *power, int per, int top, float *restrict out)
{
    for (int k = 0; k < 8 * WHOLE_GROUPS; k++) out[k] = NAN;
    memcpy(out, power, 32);
    for (int h = 1; h <= top; h++) FN(group)(power + 8 * per * h, per, out + 8 * h);
    for (int h = 0; h < top && h < 50; h++) {
        float sum[8] = {0};
        for (int k = per * h + 1; k < per * (h + 1); k++)
            for (int l = 0; l < 8; l++) sum[l] += power[8 * k + l];
        memcpy(out + 8 * (51 + h), sum, 32);
    }
}

/* Rows of 8 lanes: sub-groups of orders 0-50, centred interharmonic sub-groups 0-49, then what SPECTRUM_* names.
 * top: highest order that the sample rate carries; nearest: first of the four bins of the signalling voltage, or -1. */
static void FN(groups)(const float *power, int per, int top, int nearest, float *restrict out)
{
    for (int k = 0; k < 8 * SPECTRUM; k++) out[k] = NAN;
    memcpy(out, power, 32);
    for (int h = 1; h <= top; h++) {
        const float *p = power + 8 * per * h;
        for (int l = 0; l < 8; l++) out[8 * h + l] = p[l - 8] + p[l] + p[l + 8];
    }
    for (int h = 0; h < top && h < 50; h++) {
        float sum[8] = {0};
        for (int k = per * h + 2; k <= per * h + per - 2; k++)
            for (int l = 0; l < 8; l++) sum[l] += power[8 * k + l];
        memcpy(out + 8 * (51 + h), sum, 32);
    }
    float line[8] = {0}, group[8] = {0}, weighted[8] = {0}, first[8];
    for (int h = 1; h <= top && h <= 40; h++) {
        float g[8];
        const float *p = power + 8 * per * h;
        FN(group)(p, per, g);
        if (h == 1) {
            memcpy(first, g, 32);
            memcpy(out + 8 * SPECTRUM_LINE_1, p, 32);
            continue;
        }
        for (int l = 0; l < 8; l++) {
            line[l] += p[l];
            group[l] += g[l];
            if (h >= 14) weighted[l] += (float)h * p[l];
        }
    }
    if (top > 0) {
        memcpy(out + 8 * SPECTRUM_LINES, line, 32);
        memcpy(out + 8 * SPECTRUM_GROUPS, group, 32);
        memcpy(out + 8 * SPECTRUM_GROUP_1, first, 32);
        memcpy(out + 8 * SPECTRUM_WEIGHTED, weighted, 32);
    }
    if (nearest >= 0) {
        const float *p = power + 8 * nearest;
        for (int l = 0; l < 8; l++) out[8 * SPECTRUM_SIGNAL + l] = p[l] + p[8 + l] + p[16 + l] + p[24 + l];
    }
}
