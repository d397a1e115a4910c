/* What is made anew for every hop of the tracker. This file is included once for every instruction set (see dispatch.h), after
 * frames.h, whose vectors it uses; the order of sums is the same whatever the width of a vector.
 */
#define NV (8 / VW)
/* e^jn for n = 1 to 2^doublings, of one frame's angle with cosine c and sine s: no product waits for more than `doublings` others. */
static inline __attribute__((always_inline)) void FN(turns)(double c, double s, int doublings, double *re, double *im)
{
    re[1] = c, im[1] = s;
    for (int w = 1; w < 1 << doublings; w *= 2)
        for (int n = 1; n <= w; n++) {
            re[w + n] = re[w] * re[n] - im[w] * im[n];
            im[w + n] = re[w] * im[n] + im[w] * re[n];
        }
}

/* Weights of demodulation for a cycle of `period` decimated frames: three boxcars in one, times a turning pointer; m + 1 of each
 * part, in arrays with room for a multiple of 8. c, s: cosine and sine of one frame's angle. Returns the factor to an amplitude. */
static double FN(weights)(double period, double c, double s, int m, double *kc, double *ks)
{
    double place[8], cosine[9], sine[9], total[8] = {0}, inverse = 1 / period;
    FN(vd) x[NV], re[NV], im[NV], sum[NV];
    FN(turns)(c, s, 3, cosine, sine);
    cosine[0] = 1.0, sine[0] = 0.0;
    double a = cosine[8], b = sine[8], step = 8 * inverse;
    for (int l = 0; l < 8; l++) place[l] = l * inverse;
    memcpy(x, place, 64), memcpy(re, cosine, 64), memcpy(im, sine, 64), memcpy(sum, total, 64);
    for (int n = 0; n <= m; n += 8) {
        for (int k = 0; k < NV; k++) {
            FN(vd) outer = 1.5 - x[k], inner = 0.5 - x[k], w, turned;
            outer = (FN(vd))((FN(vi))outer & (outer > 0)), inner = (FN(vd))((FN(vi))inner & (inner > 0));
            w = 0.5 * outer * outer - 1.5 * inner * inner;
            sum[k] += w;
            *(FN(vd) *)(kc + n + k * VW) = w * re[k], *(FN(vd) *)(ks + n + k * VW) = w * im[k];
            turned = re[k] * a - im[k] * b, im[k] = re[k] * b + im[k] * a, re[k] = turned;
            x[k] += step;
        }
    }
    memcpy(total, sum, 64);
    for (int l = 1; l < 8; l++) total[0] += total[l];
    return 2 / (2 * total[0] - 0.75);
}

/* Part k of two values, each four times. */
static inline __attribute__((always_inline)) FN(vd) FN(pair)(const double *x, int k)
{
#if VW == 8
    return (FN(vd)){x[0], x[0], x[0], x[0], x[1], x[1], x[1], x[1]};
#elif VW == 4
    return (FN(vd)){x[k], x[k], x[k], x[k]};
#else
    return (FN(vd)){x[k / 2], x[k / 2]};
#endif
}

/* The pointer that correlations turn by, at TAPS frames to either side, each value four times. c, s: cosine and sine of one frame's angle. */
static void FN(pointer)(double c, double s, double *cosine, double *sine)
{
    double re[2 * TAPS + 1], im[2 * TAPS + 1];
    FN(turns)(c, s, 4, re + TAPS, im + TAPS);
    re[TAPS] = 1.0, im[TAPS] = 0.0;
    for (int n = 1; n <= TAPS; n++) re[TAPS - n] = re[TAPS + n], im[TAPS - n] = -im[TAPS + n];
    /* as they will be read, two frames at once: what is read otherwise than it was written waits */
    for (int n = 0; n < 2 * TAPS; n += 2)
        for (int k = 0; k < NV; k++) {
            *(FN(vd) *)(cosine + 4 * n + k * VW) = FN(pair)(re + n, k);
            *(FN(vd) *)(sine + 4 * n + k * VW) = FN(pair)(im + n, k);
        }
    for (int l = 0; l < 4; l++) cosine[8 * TAPS + l] = re[2 * TAPS], sine[8 * TAPS + l] = im[2 * TAPS];
}
#undef NV
