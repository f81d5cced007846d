// Sums and sums of squares of each dimension over tokens, in double precision, for means and
// standard deviations.
#include "dispatch.h"
#include "kernels.h"

static ALWAYS_INLINE void ck_add_moments_body(const ck_set set, const float *x, ptrdiff_t tokens,
                                              ptrdiff_t width, const float *origin, double *sums,
                                              double *squares) {
    ptrdiff_t d = 0;
    for (; d + 16 <= width; d += 16) {
        d16 zero = __builtin_convertvector(*(const v16 *)(origin + d), d16);
        d16 sum = *(const d16 *)(sums + d), square = *(const d16 *)(squares + d);
        for (ptrdiff_t j = 0; j < tokens; j++) {
            d16 value = __builtin_convertvector(*(const v16 *)(x + j * width + d), d16) - zero;
            sum += value;
            square = MULTIPLY_ADD(set, value, value, square);
        }
        *(d16 *)(sums + d) = sum;
        *(d16 *)(squares + d) = square;
    }
    for (; d < width; d++)
        for (ptrdiff_t j = 0; j < tokens; j++) {
            double value = (double)x[j * width + d] - (double)origin[d];
            sums[d] += value;
            squares[d] = MULTIPLY_ADD(set, value, value, squares[d]);
        }
}

DISPATCH(ck_add_moments,
         (const float *x, ptrdiff_t tokens, ptrdiff_t width, const float *origin, double *sums, double *squares),
         x, tokens, width, origin, sums, squares)
