/* Spectra of eight lanes at once, in float32. Included once for every instruction set, like frames.h.
 *
 * A point is eight floats, one for each lane: u1 u2 u3 uN i1 i2 i3 iN. The exact window is resampled to POINTS_FFT
 * points, whose even and odd ones are the real and imaginary parts of a complex transform of half the
 * length, done as 32 x 32. Lanes never mix, so there is no shuffle but in the resampler's coefficients.
 */
#define VF (VW > 4 ? 8 : 2 * VW)
typedef float FN(vf) __attribute__((vector_size(VF * 4), aligned(4), may_alias));
typedef int FN(vm) __attribute__((vector_size(VF * 4)));
#define EACH_PART for (int part = 0; part < 8 / VF; part++)

/* Ring frames to floats: n frames from `first` on. */
static void FN(append)(const double *U, const double *I, long mask, long first, long n, float *ring, long ring_mask)
{
    for (long k = first; k < first + n; k++) {
        const double *u = U + 4 * (k & mask), *i = I + 4 * (k & mask);
        float *out = ring + 8 * (k & ring_mask);
#if VW > 2
        _mm_storeu_ps(out, _mm256_cvtpd_ps(_mm256_loadu_pd(u)));
        _mm_storeu_ps(out + 4, _mm256_cvtpd_ps(_mm256_loadu_pd(i)));
#else
        for (int l = 0; l < 4; l++) out[l] = (float)u[l], out[4 + l] = (float)i[l];
#endif
    }
}

#if VW == 8
/* pick[j]: eight times coefficient 2 j, eight times coefficient 2 j + 1 */
#define PICK(j) _mm512_setr_epi32(2*j, 2*j, 2*j, 2*j, 2*j, 2*j, 2*j, 2*j, 2*j+1, 2*j+1, 2*j+1, 2*j+1, 2*j+1, 2*j+1, 2*j+1, 2*j+1)
#define PICKS const __m512i steps = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), pick[8] = {PICK(0), PICK(1), PICK(2), PICK(3), PICK(4), PICK(5), PICK(6), PICK(7)}
#endif

/* The larger of two magnitudes; that of `b` where a is not a number. */
static inline __attribute__((always_inline)) FN(vf) FN(larger)(FN(vf) a, FN(vf) b)
{
#if VW > 2
    return (FN(vf))_mm256_max_ps((__m256)a, (__m256)b);
#else
    const FN(vm) more = a > b;
    return (FN(vf))(((FN(vm))a & more) | ((FN(vm))b & ~more));
#endif
}

enum { FN(AHEAD) = 16, FN(PITCH) = VW == 8 ? 32 : 16 };

/* Ring frames of AHEAD points weighted by their 16 coefficients from tap t on: row + share * (row of differences).
 * The coefficients of all points are made before any is used; even and odd frames are summed apart. */
static inline __attribute__((always_inline)) void FN(weigh)(const float *ring, long mask, int t, int taps, const long *first, const float *const *row,
                                                            const float *share, float *weight, float *sums)
{
    enum { AHEAD = FN(AHEAD), PITCH = FN(PITCH) };
#if VW == 8
    PICKS;
    for (int n = 0; n < AHEAD; n++) {
        const __m512 c = _mm512_add_ps(_mm512_loadu_ps(row[n] + t), _mm512_mul_ps(_mm512_set1_ps(share[n]), _mm512_loadu_ps(row[n] + taps + t)));
        const int odd = first[n] & 1;
        _mm512_store_ps(weight + PITCH * n, _mm512_maskz_permutexvar_ps((__mmask16)(0xffff << odd), _mm512_sub_epi32(steps, _mm512_set1_epi32(odd)), c));
        _mm512_store_ps(weight + PITCH * n + 16, _mm512_maskz_permutexvar_ps((__mmask16)odd, _mm512_set1_epi32(15), c));
    }
    for (int n = 0; n < AHEAD; n++) {
        const float *x = ring + 8 * ((first[n] + t) & mask & ~1L);
        const __m512 c = _mm512_load_ps(weight + PITCH * n);
        __m512 sum = t ? _mm512_load_ps(sums + 16 * n) : _mm512_setzero_ps();
#pragma GCC unroll 8
        for (int j = 0; j < 8; j++) sum = _mm512_add_ps(sum, _mm512_mul_ps(_mm512_load_ps(x + 16 * j), _mm512_permutexvar_ps(pick[j], c)));
        const __m256 last = _mm256_mul_ps(_mm256_load_ps(x + 128), _mm256_broadcast_ss(weight + PITCH * n + 16));
        _mm512_store_ps(sums + 16 * n, _mm512_add_ps(sum, _mm512_zextps256_ps512(last)));
    }
#else
    for (int n = 0; n < AHEAD; n++)
        for (int j = 0; j < 16; j++) weight[PITCH * n + j] = row[n][t + j] + share[n] * row[n][taps + t + j];
    for (int n = 0; n < AHEAD; n++) {
        const float *x = ring + 8 * ((first[n] + t) & mask), *c = weight + PITCH * n;
        EACH_PART {
            FN(vf) *sum = (FN(vf) *)(sums + 16 * n + VF * part), even = {0}, odd = {0};
            if (t) even = sum[0], odd = sum[8 / VF];
#pragma GCC unroll 8
            for (int j = 0; j < 16; j += 2) {
                even += *(const FN(vf) *)(x + 8 * j + VF * part) * c[j];
                odd += *(const FN(vf) *)(x + 8 * j + 8 + VF * part) * c[j + 1];
            }
            sum[0] = even, sum[8 / VF] = odd;
        }
    }
#endif
}

/* POINTS_FFT points of [start, start + POINTS_FFT * step), `taps` ring frames each, coefficients by table and difference.
 * re, im: points of even and odd number; peak: largest magnitude of each lane. Even and odd frames have sums of their own.
 * Coefficients of some points are made ahead of their use: what waits for those of one point would stop the processor
 * from going on to the next. With eight doubles in a vector two frames make one, read where a cache line begins. */
static void FN(resample)(const float *ring, long mask, double start, double step, int taps, const float *table, float *re, float *im, float *peak)
{
    enum { AHEAD = FN(AHEAD), PITCH = FN(PITCH) };
    float weight[PITCH * AHEAD] __attribute__((aligned(64))), sums[16 * AHEAD] __attribute__((aligned(64))), share[AHEAD];
    const float *row[AHEAD];
    long first[AHEAD];
    FN(vf) top[8 / VF];
    EACH_PART top[part] = (FN(vf)){0};
    const double whole = floor(start);
    const uint64_t one = (uint64_t)1 << 32;
    uint64_t at = (uint64_t)((start - whole) * (double)one);
    const uint64_t stride = (uint64_t)(step * (double)one);
    const long base = (long)whole - taps / 2 + 1;
    for (int m = 0; m < POINTS_FFT; m += AHEAD) {
        for (int n = 0; n < AHEAD; n++, at += stride) {
            first[n] = base + (long)(at >> 32);
            share[n] = (float)(int32_t)((uint32_t)(at << 7) >> 1) * (1.0f / 2147483648.0f);
            row[n] = table + (at >> 25 & 127) * 2 * taps;
        }
        for (int t = 0; t < taps; t += 16) FN(weigh)(ring, mask, t, taps, first, row, share, weight, sums);
        for (int n = 0; n < AHEAD; n++) {
            float *out = (n & 1 ? im : re) + 4 * (m + (n & ~1));
            EACH_PART {
                const FN(vf) *sum = (const FN(vf) *)(sums + 16 * n + VF * part), y = sum[0] + sum[8 / VF];
                *(FN(vf) *)(out + VF * part) = y;
                top[part] = FN(larger)((FN(vf))((FN(vm))y & 0x7fffffff), top[part]);
            }
        }
    }
    EACH_PART *(FN(vf) *)(peak + VF * part) = top[part];
}

/* Largest magnitudes of u1 - u2, u2 - u3, u3 - u1 among the points. */
static void FN(line_peak)(const float *re, const float *im, float *peak)
{
    typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
    typedef int places __attribute__((vector_size(16)));
    four high[2] = {{0}}, low[2] = {{0}};
    for (int n = 0; n < 4 * POINTS_FFT; n += 8)
        for (int k = 0; k < 2; k++) {
            const four u = *(const four *)((k ? im : re) + n), d = u - __builtin_shuffle(u, (places){1, 2, 0, 3});
#if VW > 2
            high[k] = (four)_mm_max_ps((__m128)d, (__m128)high[k]), low[k] = (four)_mm_min_ps((__m128)d, (__m128)low[k]);
#else
            const places more = d > high[k], less = d < low[k];
            high[k] = (four)(((places)d & more) | ((places)high[k] & ~more)), low[k] = (four)(((places)d & less) | ((places)low[k] & ~less));
#endif
        }
    for (int l = 0; l < 8; l++) peak[l] = l < 3 ? fmaxf(fmaxf(high[0][l], high[1][l]), -fminf(low[0][l], low[1][l])) : 0.0f;
}

/* Four-point transform of x[0], x[s], x[2 s], x[3 s], in place. */
static inline __attribute__((always_inline)) void FN(four)(FN(vf) *r, FN(vf) *i, int s)
{
    const FN(vf) ar = r[0] + r[2 * s], ai = i[0] + i[2 * s], br = r[0] - r[2 * s], bi = i[0] - i[2 * s];
    const FN(vf) cr = r[s] + r[3 * s], ci = i[s] + i[3 * s], dr = r[s] - r[3 * s], di = i[s] - i[3 * s];
    r[0] = ar + cr, i[0] = ai + ci;
    r[s] = br + di, i[s] = bi - dr;
    r[2 * s] = ar - cr, i[2 * s] = ai - ci;
    r[3 * s] = br - di, i[3 * s] = bi + dr;
}

static inline __attribute__((always_inline)) void FN(turn)(FN(vf) *r, FN(vf) *i, float c, float s)
{
    const FN(vf) t = *r * c + *i * s;
    *i = *i * c - *r * s;
    *r = t;
}

/* 32 points `stride` floats apart, times twiddles w[2 k] (none where NULL), transformed; point k goes to place k. */
static inline __attribute__((always_inline)) void FN(thirty_two)(float *re, float *im, int stride, const float *w)
{
    /* cos(2 pi j / 32); the sine is the cosine eight steps away */
    static const float C[22] = {
        1.0f, 0.98078528040323044913f, 0.92387953251128675613f, 0.83146961230254523708f, 0.70710678118654752440f, 0.55557023301960222474f,
        0.38268343236508977173f, 0.19509032201612826785f, 0.0f, -0.19509032201612826785f, -0.38268343236508977173f, -0.55557023301960222474f,
        -0.70710678118654752440f, -0.83146961230254523708f, -0.92387953251128675613f, -0.98078528040323044913f, -1.0f, -0.98078528040323044913f,
        -0.92387953251128675613f, -0.83146961230254523708f, -0.70710678118654752440f, -0.55557023301960222474f};
    FN(vf) r[32], i[32];
#pragma GCC unroll 32
    for (int n = 0; n < 32; n++) {
        r[n] = *(const FN(vf) *)(re + n * stride), i[n] = *(const FN(vf) *)(im + n * stride);
        if (w) FN(turn)(r + n, i + n, w[2 * n], w[2 * n + 1]);
    }
    /* n = 8 a + b: four points over a, turned by b k / 32, then eight points over b as 2 x 4 */
#pragma GCC unroll 8
    for (int b = 0; b < 8; b++) {
        FN(four)(r + b, i + b, 8);
        for (int k = 1; k < 4 && b; k++) FN(turn)(r + b + 8 * k, i + b + 8 * k, C[b * k], C[b * k < 8 ? 8 - b * k : b * k - 8]);
    }
#pragma GCC unroll 4
    for (int k = 0; k < 4; k++) {
        FN(vf) *x = r + 8 * k, *y = i + 8 * k;
        FN(four)(x, y, 2);
        FN(four)(x + 1, y + 1, 2);
        const float h = 0.70710678118654752440f;
        for (int q = 0; q < 4; q++) {
            FN(vf) c = x[2 * q + 1], d = y[2 * q + 1];
            if (q == 1) FN(turn)(&c, &d, h, h);
            if (q == 2) FN(turn)(&c, &d, 0.0f, 1.0f);
            if (q == 3) FN(turn)(&c, &d, -h, h);
            *(FN(vf) *)(re + (k + 4 * q) * stride) = x[2 * q] + c, *(FN(vf) *)(im + (k + 4 * q) * stride) = y[2 * q] + d;
            *(FN(vf) *)(re + (k + 4 * q + 16) * stride) = x[2 * q] - c, *(FN(vf) *)(im + (k + 4 * q + 16) * stride) = y[2 * q] - d;
        }
    }
}

/* Transform of 1024 complex points, in place; point k ends at 32 (k mod 32) + k / 32. twiddles: (cos, sin) of 2 pi n k / 1024 at 2 (32 k + n). */
static void FN(transform)(float *re, float *im, const float *twiddles)
{
    EACH_PART {
        for (int n = 0; n < 32; n++) FN(thirty_two)(re + 8 * n + VF * part, im + 8 * n + VF * part, 256, NULL);
        for (int k = 0; k < 32; k++) FN(thirty_two)(re + 256 * k + VF * part, im + 256 * k + VF * part, 8, twiddles + 64 * k);
    }
}

/* Bins 0..count-1 of the real transform, from that of its halves, each times gain[k]; half: (cos, sin) of pi k / 1024. */
static void FN(bins)(const float *re, const float *im, int count, const float *half, const float *gain, float *br, float *bi)
{
    EACH_PART
        for (int k = 0; k < count; k++) {
            const int a = 8 * (32 * (k & 31) + (k >> 5)) + VF * part, n = (1024 - k) & 1023, b = 8 * (32 * (n & 31) + (n >> 5)) + VF * part;
            const FN(vf) ar = *(const FN(vf) *)(re + a), ai = *(const FN(vf) *)(im + a), cr = *(const FN(vf) *)(re + b), ci = *(const FN(vf) *)(im + b);
            /* even part (Z(k) + Z*(-k)) / 2, odd part (Z(k) - Z*(-k)) / 2j */
            const FN(vf) er = ar + cr, ei = ai - ci, or = ai + ci, oi = cr - ar;
            const float g = gain[k], c = half[2 * k], s = half[2 * k + 1];
            *(FN(vf) *)(br + 8 * k + VF * part) = (er + (or * c + oi * s)) * g;
            *(FN(vf) *)(bi + 8 * k + VF * part) = (ei + (oi * c - or * s)) * g;
        }
}
#undef EACH_PART
#undef PICKS
#undef PICK
#undef VF
