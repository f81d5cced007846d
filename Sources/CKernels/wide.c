// Rows of floats times weights in double precision, and sums of such rows: products of linear probes whose loss
// must be known more exactly than sums of floats tell.
#include "dispatch.h"
#include "exponential.h"
#include "kernels.h"

static ALWAYS_INLINE double wide_dot(const ck_set set, const float *x, const double *w, ptrdiff_t width) {
    d16 sums = {0};
    ptrdiff_t d = 0;
    for (; d + 16 <= width; d += 16)
        sums = MULTIPLY_ADD(set, __builtin_convertvector(*(const v16 *)(x + d), d16), *(const d16 *)(w + d), sums);
    double sum = total(sums);
    for (; d < width; d++) sum = MULTIPLY_ADD(set, (double)x[d], w[d], sum);
    return sum;
}

static ALWAYS_INLINE void ck_project_wide_body(const ck_set set, const float *x, ptrdiff_t rows, ptrdiff_t width,
                                               const double *w, ptrdiff_t columns, double *z) {
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t c = 0; c < columns; c++) z[r * columns + c] = wide_dot(set, x + r * width, w + c * width, width);
}

static ALWAYS_INLINE void ck_add_wide_body(const ck_set set, const double *a, const float *x, ptrdiff_t rows,
                                           ptrdiff_t width, ptrdiff_t columns, double *sums) {
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t c = 0; c < columns; c++) {
            const double factor = a[r * columns + c];
            const float *row = x + r * width;
            double *sum = sums + c * width;
            ptrdiff_t d = 0;
            for (; d + 16 <= width; d += 16)
                *(d16 *)(sum + d) = MULTIPLY_ADD(set, factor - (d16){0}, __builtin_convertvector(*(const v16 *)(row + d), d16),
                                                 *(const d16 *)(sum + d));
            for (; d < width; d++) sum[d] = MULTIPLY_ADD(set, factor, (double)row[d], sum[d]);
        }
}

DISPATCH(ck_project_wide,
         (const float *x, ptrdiff_t rows, ptrdiff_t width, const double *w, ptrdiff_t columns, double *z), x, rows,
         width, w, columns, z)
DISPATCH(ck_add_wide,
         (const double *a, const float *x, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t columns, double *sums), a, x,
         rows, width, columns, sums)
