// What the tokens of a sequence leave of each dimension: their sum, or the largest magnitude.
#include "dispatch.h"
#include "kernels.h"

static ALWAYS_INLINE d16 widened(const float *x) { return __builtin_convertvector(*(const v16 *)x, d16); }

// Four tokens at a time, so that sums are loaded and stored once for them, and x is read as it lies in memory.
static ALWAYS_INLINE void ck_add_sums_body(const ck_set set, const float *x, ptrdiff_t tokens, ptrdiff_t width,
                                           double *sums) {
    (void)set;
    ptrdiff_t t = 0;
    for (; t + 4 <= tokens; t += 4, x += 4 * width) {
        ptrdiff_t d = 0;
        for (; d + 16 <= width; d += 16)
            *(d16 *)(sums + d) += (widened(x + d) + widened(x + width + d)) +
                                  (widened(x + 2 * width + d) + widened(x + 3 * width + d));
        for (; d < width; d++)
            sums[d] += ((double)x[d] + x[width + d]) + ((double)x[2 * width + d] + x[3 * width + d]);
    }
    for (; t < tokens; t++, x += width)
        for (ptrdiff_t d = 0; d < width; d++) sums[d] += x[d];
}

// Bits of floats without a sign are in the order of magnitudes, with infinity and then NaN above all numbers.
static ALWAYS_INLINE void ck_raise_magnitudes_body(const ck_set set, const float *x, ptrdiff_t tokens,
                                                   ptrdiff_t width, float *largest) {
    (void)set;
    for (ptrdiff_t t = 0; t < tokens; t++, x += width) {
        ptrdiff_t d = 0;
        for (; d + 16 <= width; d += 16) {
            u32x16 magnitude = *(const u32x16 *)(x + d) & 0x7fffffff;
            *(u32x16 *)(largest + d) = __builtin_elementwise_max(*(const u32x16 *)(largest + d), magnitude);
        }
        for (; d < width; d++) {
            uint32_t magnitude = bits_of(x[d]) & 0x7fffffff;
            if (magnitude > bits_of(largest[d])) memcpy(largest + d, &magnitude, sizeof magnitude);
        }
    }
}

DISPATCH(ck_add_sums, (const float *x, ptrdiff_t tokens, ptrdiff_t width, double *sums), x, tokens, width, sums)
DISPATCH(ck_raise_magnitudes, (const float *x, ptrdiff_t tokens, ptrdiff_t width, float *largest), x, tokens, width,
         largest)
