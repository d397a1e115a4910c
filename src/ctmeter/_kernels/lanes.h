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
#if VW == 8
/* both halves of a frame in one vector */
#define ROWS(name, type, both, four) \
    static int FN(name)(const char *p, ptrdiff_t stride, long n, const int *base, const long long *used, const double *scale, \
                        const double *offset, const double *low, const double *high, const double *missing, double *U, double *I) \
    { \
        const __m512d a = _mm512_loadu_pd(scale), b = _mm512_loadu_pd(offset), none = _mm512_loadu_pd(missing); \
        const __m512d lo = _mm512_loadu_pd(low), hi = _mm512_loadu_pd(high), here = _mm512_loadu_pd(used); \
        const char *q = p + base[0] * (ptrdiff_t)sizeof(type), *r = p + base[1] * (ptrdiff_t)sizeof(type); \
        __mmask8 good = 255; \
        for (long k = 0; k < n; k++) { \
            /* a load under a mask would wait for the stores before it */ \
            const __m512d x = _mm512_and_pd(both(q + k * stride, r + k * stride), here); \
            const __mmask8 in = _mm512_mask_cmp_pd_mask(_mm512_cmp_pd_mask(x, lo, _CMP_GT_OQ), x, hi, _CMP_LT_OQ); \
            good &= _mm512_mask_cmp_pd_mask(in, x, none, _CMP_NEQ_UQ); \
            const __m512d y = _mm512_add_pd(_mm512_mul_pd(x, a), b); \
            _mm256_storeu_pd(U + 4 * k, _mm512_castpd512_pd256(y)); \
            _mm256_storeu_pd(I + 4 * k, _mm512_extractf64x4_pd(y, 1)); \
        } \
        return good == 255; \
    }
#else
#define ROWS(name, type, both, four) \
    static int FN(name)(const char *p, ptrdiff_t stride, long n, const int *base, const long long *used, const double *scale, \
                        const double *offset, const double *low, const double *high, const double *missing, double *U, double *I) \
    { \
        __m256d good = _mm256_castsi256_pd(_mm256_set1_epi64x(-1)); \
        for (int half = 0; half < 8; half += 4) { \
            const __m256d here = _mm256_loadu_pd((const double *)used + half); \
            const __m256d a = _mm256_loadu_pd(scale + half), b = _mm256_loadu_pd(offset + half), none = _mm256_loadu_pd(missing + half); \
            const __m256d lo = _mm256_loadu_pd(low + half), hi = _mm256_loadu_pd(high + half); \
            const char *q = p + base[half / 4] * (ptrdiff_t)sizeof(type); \
            double *out = half ? I : U; \
            for (long k = 0; k < n; k++) { \
                const __m256d x = _mm256_and_pd(four(q + k * stride), here); \
                const __m256d in = _mm256_and_pd(_mm256_cmp_pd(x, lo, _CMP_GT_OQ), _mm256_cmp_pd(x, hi, _CMP_LT_OQ)); \
                good = _mm256_and_pd(good, _mm256_andnot_pd(_mm256_cmp_pd(x, none, _CMP_EQ_OQ), in)); \
                _mm256_storeu_pd(out + 4 * k, _mm256_add_pd(_mm256_mul_pd(x, a), b)); \
            } \
        } \
        return _mm256_movemask_pd(good) == 15; \
    }
#endif
#define FOUR_I16(q) _mm256_cvtepi32_pd(_mm_cvtepi16_epi32(_mm_loadl_epi64((const __m128i *)(q))))
#define FOUR_I32(q) _mm256_cvtepi32_pd(_mm_loadu_si128((const __m128i *)(q)))
#define FOUR_F32(q) _mm256_cvtps_pd(_mm_loadu_ps((const float *)(q)))
#define FOUR_F64(q) _mm256_loadu_pd((const double *)(q))
#define BOTH_F64(q, r) _mm512_insertf64x4(_mm512_castpd256_pd512(_mm256_loadu_pd((const double *)(q))), _mm256_loadu_pd((const double *)(r)), 1)
#define BOTH_F32(q, r) _mm512_cvtps_pd(_mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps((const float *)(q))), _mm_loadu_ps((const float *)(r)), 1))
#define BOTH_I32(q, r) _mm512_cvtepi32_pd(_mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(q))), _mm_loadu_si128((const __m128i *)(r)), 1))
ROWS(rows_f64, double, BOTH_F64, FOUR_F64)
ROWS(rows_f32, float, BOTH_F32, FOUR_F32)
ROWS(rows_i32, int32_t, BOTH_I32, FOUR_I32)
#undef ROWS
#undef BOTH_F64
#undef BOTH_F32
#undef BOTH_I32

/* Frames of which each lane is an array of its own, of a raw type, n of them (a multiple of 4): four of each lane at once,
 * turned round. Returns 0 as above. Lanes that are not recorded point at zeros. */
#define COLUMNS(name, type, load) \
    static int FN(name)(const char *const *lane, long n, const double *scale, const double *offset, const double *low, \
                        const double *high, const double *missing, double *U, double *I) \
    { \
        __m256d good = _mm256_castsi256_pd(_mm256_set1_epi64x(-1)); \
        for (int half = 0; half < 8; half += 4) { \
            __m256d a[4], b[4], lo[4], hi[4], none[4]; \
            double *out = half ? I : U; \
            for (int l = 0; l < 4; l++) { \
                a[l] = _mm256_set1_pd(scale[half + l]), b[l] = _mm256_set1_pd(offset[half + l]); \
                lo[l] = _mm256_set1_pd(low[half + l]), hi[l] = _mm256_set1_pd(high[half + l]), none[l] = _mm256_set1_pd(missing[half + l]); \
            } \
            for (long k = 0; k < n; k += 4) { \
                __m256d v[4]; \
                for (int l = 0; l < 4; l++) { \
                    const __m256d x = load(lane[half + l] + k * (long)sizeof(type)); \
                    const __m256d in = _mm256_and_pd(_mm256_cmp_pd(x, lo[l], _CMP_GT_OQ), _mm256_cmp_pd(x, hi[l], _CMP_LT_OQ)); \
                    good = _mm256_and_pd(good, _mm256_andnot_pd(_mm256_cmp_pd(x, none[l], _CMP_EQ_OQ), in)); \
                    v[l] = _mm256_add_pd(_mm256_mul_pd(x, a[l]), b[l]); \
                } \
                const __m256d p = _mm256_unpacklo_pd(v[0], v[1]), q = _mm256_unpackhi_pd(v[0], v[1]); \
                const __m256d r = _mm256_unpacklo_pd(v[2], v[3]), s = _mm256_unpackhi_pd(v[2], v[3]); \
                _mm256_storeu_pd(out + 4 * k, _mm256_permute2f128_pd(p, r, 0x20)); \
                _mm256_storeu_pd(out + 4 * k + 4, _mm256_permute2f128_pd(q, s, 0x20)); \
                _mm256_storeu_pd(out + 4 * k + 8, _mm256_permute2f128_pd(p, r, 0x31)); \
                _mm256_storeu_pd(out + 4 * k + 12, _mm256_permute2f128_pd(q, s, 0x31)); \
            } \
        } \
        return _mm256_movemask_pd(good) == 15; \
    }
COLUMNS(columns_i16, int16_t, FOUR_I16)
COLUMNS(columns_i32, int32_t, FOUR_I32)
COLUMNS(columns_f32, float, FOUR_F32)
COLUMNS(columns_f64, double, FOUR_F64)
#undef COLUMNS
#undef FOUR_I16
#undef FOUR_I32
#undef FOUR_F32
#undef FOUR_F64
