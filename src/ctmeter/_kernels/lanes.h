/* Vector conversions of raw frames to lanes, for instruction sets that shuffle bytes and load under a mask.
 * Included like frames.h. What they cannot take goes through convert.h, which gives the same bits.
 */

/* int16 frames whose used columns lie within 16 bytes. low, high: extremes of every lane met so far. */
static void FN(convert_near)(const char *p, ptrdiff_t stride, long n, const signed char *shuffle, const double *scale,
                             const double *offset, double *U, double *I, short *low, short *high)
{
    long k = 0;
#if VW == 8
    const __m256i twice = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)shuffle));
    __m256i lo = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)low)), hi = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)high));
    const __m512d su = _mm512_broadcast_f64x4(_mm256_loadu_pd(scale)), si = _mm512_broadcast_f64x4(_mm256_loadu_pd(scale + 4));
    const __m512d ou = _mm512_broadcast_f64x4(_mm256_loadu_pd(offset)), oi = _mm512_broadcast_f64x4(_mm256_loadu_pd(offset + 4));
    for (; k + 1 < n; k += 2) {
        const __m128i a = _mm_loadu_si128((const __m128i *)(p + k * stride)), b = _mm_loadu_si128((const __m128i *)(p + (k + 1) * stride));
        const __m256i raw = _mm256_shuffle_epi8(_mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1), twice);
        lo = _mm256_min_epi16(lo, raw);
        hi = _mm256_max_epi16(hi, raw);
        const __m256i both = _mm256_permute4x64_epi64(raw, 0xd8);
        const __m512d u = _mm512_cvtepi32_pd(_mm256_cvtepi16_epi32(_mm256_castsi256_si128(both)));
        const __m512d i = _mm512_cvtepi32_pd(_mm256_cvtepi16_epi32(_mm256_extracti128_si256(both, 1)));
        _mm512_storeu_pd(U + 4 * k, _mm512_add_pd(_mm512_mul_pd(u, su), ou));
        _mm512_storeu_pd(I + 4 * k, _mm512_add_pd(_mm512_mul_pd(i, si), oi));
    }
    _mm_storeu_si128((__m128i *)low, _mm_min_epi16(_mm256_castsi256_si128(lo), _mm256_extracti128_si256(lo, 1)));
    _mm_storeu_si128((__m128i *)high, _mm_max_epi16(_mm256_castsi256_si128(hi), _mm256_extracti128_si256(hi, 1)));
#endif
    const __m128i order = _mm_loadu_si128((const __m128i *)shuffle);
    __m128i least = _mm_loadu_si128((const __m128i *)low), most = _mm_loadu_si128((const __m128i *)high);
    const __m256d au = _mm256_loadu_pd(scale), ai = _mm256_loadu_pd(scale + 4), bu = _mm256_loadu_pd(offset), bi = _mm256_loadu_pd(offset + 4);
    for (; k < n; k++) {
        const __m128i raw = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + k * stride)), order);
        least = _mm_min_epi16(least, raw);
        most = _mm_max_epi16(most, raw);
        const __m256i wide = _mm256_cvtepi16_epi32(raw);
        const __m256d u = _mm256_cvtepi32_pd(_mm256_castsi256_si128(wide)), i = _mm256_cvtepi32_pd(_mm256_extracti128_si256(wide, 1));
        _mm256_storeu_pd(U + 4 * k, _mm256_add_pd(_mm256_mul_pd(u, au), bu));
        _mm256_storeu_pd(I + 4 * k, _mm256_add_pd(_mm256_mul_pd(i, ai), bi));
    }
    _mm_storeu_si128((__m128i *)low, least);
    _mm_storeu_si128((__m128i *)high, most);
}

/* Frames in which the columns of each four lanes follow one another. Returns 0 where a value is not strictly
 * between low and high, or is the missing one: then the frames have to go the plain way. */
#define ROWS(name, type, load) \
    static int FN(name)(const char *p, ptrdiff_t stride, long n, const int *base, const long long *used, const double *scale, \
                        const double *offset, const double *low, const double *high, const double *missing, double *U, double *I) \
    { \
        __m256d good = _mm256_castsi256_pd(_mm256_set1_epi64x(-1)); \
        for (int half = 0; half < 8; half += 4) { \
            const __m256i mask = _mm256_loadu_si256((const __m256i *)(used + half)); \
            const __m256d a = _mm256_loadu_pd(scale + half), b = _mm256_loadu_pd(offset + half), none = _mm256_loadu_pd(missing + half); \
            const __m256d lo = _mm256_loadu_pd(low + half), hi = _mm256_loadu_pd(high + half); \
            const char *q = p + base[half / 4] * (ptrdiff_t)sizeof(type); \
            double *out = half ? I : U; \
            for (long k = 0; k < n; k++) { \
                const __m256d x = load(q + k * stride, mask); \
                good = _mm256_and_pd(good, _mm256_and_pd(_mm256_cmp_pd(x, lo, _CMP_GT_OQ), _mm256_cmp_pd(x, hi, _CMP_LT_OQ))); \
                good = _mm256_andnot_pd(_mm256_cmp_pd(x, none, _CMP_EQ_OQ), good); \
                _mm256_storeu_pd(out + 4 * k, _mm256_add_pd(_mm256_mul_pd(x, a), b)); \
            } \
        } \
        return _mm256_movemask_pd(good) == 15; \
    }
#define FN_HALF(mask) _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(mask, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6)))
#define LOAD_F64(q, mask) _mm256_maskload_pd((const double *)(q), mask)
#define LOAD_F32(q, mask) _mm256_cvtps_pd(_mm_maskload_ps((const float *)(q), FN_HALF(mask)))
#define LOAD_I32(q, mask) _mm256_cvtepi32_pd(_mm_maskload_epi32((const int *)(q), FN_HALF(mask)))
ROWS(rows_f64, double, LOAD_F64)
ROWS(rows_f32, float, LOAD_F32)
ROWS(rows_i32, int32_t, LOAD_I32)
#undef ROWS
#undef FN_HALF
#undef LOAD_F64
#undef LOAD_F32
#undef LOAD_I32
