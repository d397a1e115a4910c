/* Sample-level kernels. This file is included once for every instruction set (see dispatch.h) with
 *   VW      doubles in a vector: 2, 4 or 8
 *   FN(x)   the name x with the suffix of the instruction set
 * Frames are eight lanes, kept as two arrays of four: U[n] = u1 u2 u3 uN and I[n] = i1 i2 i3 iN, so that
 * a product u*i needs no shuffle. Two frames make one step; even and odd frames have accumulators of
 * their own and are added at the end. That order, and the absence of contraction, is the same whatever
 * the width of a vector, so every instruction set gives the same bits.
 */
#define NV (8 / VW)
typedef double FN(vd) __attribute__((vector_size(VW * 8), aligned(8), may_alias));
typedef long long FN(vi) __attribute__((vector_size(VW * 8)));

/* (u1 u2 u3 uN) -> (u2 u3 u1 uN) in every frame, for the products between phases */
static inline __attribute__((always_inline)) void FN(rotate)(const FN(vd) *u, FN(vd) *r)
{
#if VW == 8
    r[0] = __builtin_shuffle(u[0], (FN(vi)){1, 2, 0, 3, 5, 6, 4, 7});
#elif VW == 4
    for (int k = 0; k < NV; k++) r[k] = __builtin_shuffle(u[k], (FN(vi)){1, 2, 0, 3});
#else
    for (int k = 0; k < NV; k += 2) {
        r[k] = __builtin_shuffle(u[k], u[k + 1], (FN(vi)){1, 2});
        r[k + 1] = __builtin_shuffle(u[k], u[k + 1], (FN(vi)){0, 3});
    }
#endif
}

/* Sums over one sub-block of SUB frames.
 * cosine, sine: SUB frames of the reference, each value four times. out: VEC sums in the order of vec_t. */
static void FN(sub_block)(const double *U, const double *I, const double *cosine, const double *sine, double *out)
{
    FN(vd) a[9][NV];
    for (int q = 0; q < 9; q++)
        for (int k = 0; k < NV; k++) a[q][k] = (FN(vd)){0};
#pragma GCC unroll 1
    for (int p = 0; p < SUB / 2; p++) {
        const FN(vd) *u = (const FN(vd) *)(U + 8 * p), *i = (const FN(vd) *)(I + 8 * p);
        const FN(vd) *c = (const FN(vd) *)(cosine + 8 * p), *s = (const FN(vd) *)(sine + 8 * p);
        FN(vd) uu[NV], ii[NV], r[NV], t[NV];
        for (int k = 0; k < NV; k++) uu[k] = u[k], ii[k] = i[k];
        FN(rotate)(uu, r);
        FN(rotate)(ii, t);
        for (int k = 0; k < NV; k++) {
            FN(vd) x = uu[k], y = ii[k], cc = c[k], ss = s[k];
            a[0][k] += x * x;
            a[1][k] += y * y;
            a[2][k] += x * y;
            a[3][k] += x * r[k];
            a[4][k] += y * t[k];
            a[5][k] += x * cc;
            a[6][k] += y * cc;
            a[7][k] += x * ss;
            a[8][k] += y * ss;
        }
    }
    for (int q = 0; q < 9; q++) {
        const double *v = (const double *)a[q];
        for (int l = 0; l < 4; l++) out[4 * q + l] = v[l] + v[l + 4];
    }
}

/* Sum of sub-blocks [first, last) of a ring; their correlations are turned by (c, s), advancing by (dc, ds). */
static void FN(add_blocks)(const double *ring, long mask, long first, long last, double c, double s, double dc, double ds, double *restrict out)
{
    for (long b = first; b < last; b++) {
        const double *restrict v = ring + (b & mask) * VEC;
        for (int l = 0; l < 20; l++) out[l] += v[l];
        for (int l = 0; l < 8; l++) {
            out[20 + l] += v[20 + l] * c - v[28 + l] * s;
            out[28 + l] += v[20 + l] * s + v[28 + l] * c;
        }
        double t = c * dc - s * ds;
        s = c * ds + s * dc;
        c = t;
    }
}

/* Two weights, each for the four lanes of a frame. */
static inline __attribute__((always_inline)) void FN(spread)(const double *w, FN(vd) *v)
{
#if VW == 8
    v[0] = (FN(vd))_mm512_insertf64x4(_mm512_castpd256_pd512(_mm256_broadcast_sd(w)), _mm256_broadcast_sd(w + 1), 1);
#else
    for (int k = 0; k < NV; k++) v[k] = (FN(vd)){0} + w[k * VW / 4];
#endif
}

/* Weights of the TAPS frames around a fractional edge: row and row + 1 of a table, mixed, less 1 for the first `inside`. */
static void FN(edge_weights)(const double *row, double share, int inside, double *restrict w)
{
    static const double step[2 * TAPS] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    for (int j = 0; j < TAPS; j++) w[j] = row[j] + share * (row[TAPS + j] - row[j]) - step[TAPS - inside + j];
}

/* Weighted sums of TAPS frames; cosine, sine: their reference, each value four times.
 * out += sums, correlations turned by (rc, rs). */
static void FN(edge)(const double *U, const double *I, const double *w, const double *cosine, const double *sine, double rc, double rs, double *restrict out)
{
    FN(vd) a[9][NV];
    double t[VEC];
    for (int q = 0; q < 9; q++)
        for (int k = 0; k < NV; k++) a[q][k] = (FN(vd)){0};
#pragma GCC unroll 1
    for (int p = 0; p < TAPS / 2; p++) {
        const FN(vd) *u = (const FN(vd) *)(U + 8 * p), *i = (const FN(vd) *)(I + 8 * p);
        const FN(vd) *c = (const FN(vd) *)(cosine + 8 * p), *s = (const FN(vd) *)(sine + 8 * p);
        FN(vd) ww[NV], uu[NV], ii[NV], r[NV], q[NV];
        FN(spread)(w + 2 * p, ww);
        for (int k = 0; k < NV; k++) uu[k] = u[k], ii[k] = i[k];
        FN(rotate)(uu, r);
        FN(rotate)(ii, q);
        for (int k = 0; k < NV; k++) {
            FN(vd) x = uu[k], y = ii[k], wx = ww[k] * x, wy = ww[k] * y;
            a[0][k] += wx * x;
            a[1][k] += wy * y;
            a[2][k] += wx * y;
            a[3][k] += wx * r[k];
            a[4][k] += wy * q[k];
            a[5][k] += wx * c[k];
            a[6][k] += wy * c[k];
            a[7][k] += wx * s[k];
            a[8][k] += wy * s[k];
        }
    }
    for (int q = 0; q < 9; q++) {
        const double *v = (const double *)a[q];
        for (int l = 0; l < 4; l++) t[4 * q + l] = v[l] + v[l + 4];
    }
    for (int l = 0; l < 20; l++) out[l] += t[l];
    for (int l = 0; l < 8; l++) {
        out[20 + l] += t[20 + l] * rc - t[28 + l] * rs;
        out[28 + l] += t[20 + l] * rs + t[28 + l] * rc;
    }
}

/* Weighted square sum of TAPS frames of one voltage, or of its difference from the next phase. */
static double FN(edge_square)(const double *U, const double *w, int lane, int line)
{
    FN(vd) a[NV];
    for (int k = 0; k < NV; k++) a[k] = (FN(vd)){0};
#pragma GCC unroll 1
    for (int p = 0; p < TAPS / 2; p++) {
        const FN(vd) *u = (const FN(vd) *)(U + 8 * p);
        FN(vd) ww[NV], x[NV], r[NV];
        FN(spread)(w + 2 * p, ww);
        for (int k = 0; k < NV; k++) x[k] = u[k];
        if (line) {
            FN(rotate)(x, r);
            for (int k = 0; k < NV; k++) x[k] -= r[k];
        }
        for (int k = 0; k < NV; k++) a[k] += ww[k] * x[k] * x[k];
    }
    const double *v = (const double *)a;
    return v[lane] + v[lane + 4];
}

/* One decimated frame of the reference lanes: `pairs` pairs of frames, kernel values four times each. */
static void FN(decimate)(const double *X, int pairs, const double *kernel, double *out)
{
    FN(vd) a[NV], b[NV];
    for (int k = 0; k < NV; k++) a[k] = b[k] = (FN(vd)){0};
    int p = 0;
    for (; p + 1 < pairs; p += 2) {
        const FN(vd) *x = (const FN(vd) *)(X + 8 * p), *h = (const FN(vd) *)(kernel + 8 * p);
        for (int k = 0; k < NV; k++) a[k] += x[k] * h[k], b[k] += x[NV + k] * h[NV + k];
    }
    for (int k = 0; k < NV && p < pairs; k++) a[k] += ((const FN(vd) *)(X + 8 * p))[k] * ((const FN(vd) *)(kernel + 8 * p))[k];
    for (int k = 0; k < NV; k++) a[k] += b[k];
    const double *v = (const double *)a;
    for (int l = 0; l < 4; l++) out[l] = v[l] + v[l + 4];
}

/* Complex sum of 2 m + 1 decimated frames around `centre`, kernel values four times each: re[4], im[4]. */
static void FN(demodulate)(const double *X, long mask, long centre, int m, const double *kc, const double *ks, double *re, double *im)
{
    double r[4], j[4];
    const double *x0 = X + 4 * (centre & mask);
    for (int l = 0; l < 4; l++) r[l] = x0[l] * kc[0], j[l] = 0.0;
    for (int n = 1; n <= m; n++) {
        const double *restrict a = X + 4 * ((centre + n) & mask), *restrict b = X + 4 * ((centre - n) & mask);
        for (int l = 0; l < 4; l++) {
            r[l] += (a[l] + b[l]) * kc[n];
            j[l] -= (a[l] - b[l]) * ks[n];
        }
    }
    for (int l = 0; l < 4; l++) re[l] = r[l], im[l] = j[l];
}
#undef NV
