// Weighted sums of tokens: pooled hidden states, and the gradient of weight rows. Four rows of sums
// by a few dozen columns stay in registers while all tokens of a tile pass by; OpenBLAS would first
// copy the tokens into packed form, once for every tile.
#include "dispatch.h"
#include "kernels.h"

// sums[r, from + 16·c …] for `rows` ≤ 4 rows and `blocks` ≤ 4 blocks of 16 columns.
static ALWAYS_INLINE void add_block(const int rows, const int blocks, const float *a, ptrdiff_t a_stride,
                                    const float *x, ptrdiff_t tokens, ptrdiff_t width, float *sums) {
    v16 sum[4][4];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int b = 0; b < blocks; b++) sum[r][b] = *(const v16 *)(sums + r * width + 16 * b);
    for (ptrdiff_t j = 0; j < tokens; j++) {
        v16 token[4];
#pragma clang loop unroll(full)
        for (int b = 0; b < blocks; b++) token[b] = *(const v16 *)(x + j * width + 16 * b);
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            float weight = a[r * a_stride + j];
#pragma clang loop unroll(full)
            for (int b = 0; b < blocks; b++) sum[r][b] += weight * token[b];
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int b = 0; b < blocks; b++) *(v16 *)(sums + r * width + 16 * b) = sum[r][b];
}

static ALWAYS_INLINE void add_rows(const int rows, const int blocks, const float *a, ptrdiff_t a_stride,
                                   const float *x, ptrdiff_t tokens, ptrdiff_t width, float *sums) {
    ptrdiff_t d = 0;
    for (; d + 16 * blocks <= width; d += 16 * blocks)
        add_block(rows, blocks, a, a_stride, x + d, tokens, width, sums + d);
    for (; d + 16 <= width; d += 16) add_block(rows, 1, a, a_stride, x + d, tokens, width, sums + d);
    for (; d < width; d++)
        for (int r = 0; r < rows; r++) {
            float sum = sums[r * width + d];
            for (ptrdiff_t j = 0; j < tokens; j++) sum += a[r * a_stride + j] * x[j * width + d];
            sums[r * width + d] = sum;
        }
}

static ALWAYS_INLINE void ck_add_weighted_sums_body(const int registers, const float *a, ptrdiff_t a_stride,
                                                    ptrdiff_t rows, const float *x, ptrdiff_t tokens,
                                                    ptrdiff_t width, float *sums) {
    // Sums that fit the registers: 16 of 32, 4 pairs of 16, 2 fours of 16.
    const int blocks = registers == 512 ? 4 : 1;
    for (; rows >= 4; rows -= 4, a += 4 * a_stride, sums += 4 * width)
        add_rows(4, blocks, a, a_stride, x, tokens, width, sums);
    for (; rows >= 2; rows -= 2, a += 2 * a_stride, sums += 2 * width)
        add_rows(2, blocks, a, a_stride, x, tokens, width, sums);
    if (rows == 1) add_rows(1, blocks, a, a_stride, x, tokens, width, sums);
}

DISPATCH(ck_add_weighted_sums,
         (const float *a, ptrdiff_t a_stride, ptrdiff_t rows, const float *x, ptrdiff_t tokens, ptrdiff_t width,
          float *sums),
         a, a_stride, rows, x, tokens, width, sums)
