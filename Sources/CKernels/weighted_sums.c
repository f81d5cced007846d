// Weighted sums of tokens: pooled hidden states, and the gradient of weight rows. A few rows of sums
// by a few dozen columns stay in registers while all tokens of a tile pass by; OpenBLAS would first
// copy the tokens into packed form, once for every tile.
//
// Columns are the outer loop: the tile's part of them, a few KB, stays in the first-level cache for
// all groups of rows; where it does not stay there, the first group copies it for the others. What the
// processor's own prefetching does not see, a few numbers of each of many tokens, is fetched four tokens ahead.
#include "dispatch.h"
#include "kernels.h"

static ALWAYS_INLINE v16 splat(float value) { return value - (v16){0}; }

// Vectors of the largest part that is copied.
enum { MOST_COPIED = 384 };

// Lines of the like columns of all tokens meet in one set where tokens are multiples of 4 KB apart; up to 8 stay
// there in those of x86-64. Groups of 4 rows by one vector, all that AVX2 has registers for, meet a part so often
// that copying it is never slower. Groups that take more at once gain from 12 KB a token on.
static ALWAYS_INLINE int copying_pays(const int blocks, ptrdiff_t tokens, ptrdiff_t stride) {
    if (tokens <= 8 || tokens * blocks > MOST_COPIED) return 0;
    return blocks == 1 || (stride % 1024 == 0 && stride >= 3072);
}

// Sums of so few rows wait for memory: the tile behind this one is fetched into the second-level cache meanwhile. With more
// that gains nothing, and takes a twentieth longer with AVX2.
enum { FEW_ROWS = 4 };

// sums[r, 16·b …] for `rows` ≤ 8 rows and `blocks` ≤ 4 blocks of 16 columns of tokens that are `stride` apart; they
// are copied where `copy` is not null.
static ALWAYS_INLINE void add_block(const ck_set set, const int rows, const int blocks, const float *a, ptrdiff_t a_stride,
                                    const float *x, ptrdiff_t tokens, ptrdiff_t stride, float *sums,
                                    ptrdiff_t sums_stride, v16 *copy, const int fetches) {
    v16 sum[8][4];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int b = 0; b < blocks; b++) sum[r][b] = *(const v16 *)(sums + r * sums_stride + 16 * b);
    ptrdiff_t j = 0;
    // Weights of four tokens are one load of a row where a vector is multiplied with one number of another.
    for (; set.multiplies_by_element && blocks == 1 && j + 4 <= tokens; j += 4) {
        v4 weight[8];
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) weight[r] = *(const v4 *)(a + r * a_stride + j);
#pragma clang loop unroll(full)
        for (int e = 0; e < 4; e++) {
            const v16 token = *(const v16 *)(x + (j + e) * stride);
            __builtin_prefetch(x + (j + e + 4) * stride, 0, 3);
            if (copy) copy[j + e] = token;
#pragma clang loop unroll(full)
            for (int r = 0; r < rows; r++) sum[r][0] = MULTIPLY_ADD(set, splat(weight[r][e]), token, sum[r][0]);
        }
    }
    for (; j < tokens; j++) {
        v16 token[4];
#pragma clang loop unroll(full)
        for (int b = 0; b < blocks; b++) {
            token[b] = *(const v16 *)(x + j * stride + 16 * b);
            __builtin_prefetch(x + (j + 4) * stride + 16 * b, 0, 3);
            if (fetches) __builtin_prefetch(x + (j + tokens) * stride + 16 * b, 0, 2);
            if (copy) copy[j * blocks + b] = token[b];
        }
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            const v16 weight = splat(a[r * a_stride + j]);
#pragma clang loop unroll(full)
            for (int b = 0; b < blocks; b++) sum[r][b] = MULTIPLY_ADD(set, weight, token[b], sum[r][b]);
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int b = 0; b < blocks; b++) *(v16 *)(sums + r * sums_stride + 16 * b) = sum[r][b];
}

// All rows of some columns: groups of `most` rows, then what is left by fours, twos and one.
static ALWAYS_INLINE void add_columns(const ck_set set, const int most, const int blocks, const float *a, ptrdiff_t a_stride,
                                      ptrdiff_t rows, const float *x, ptrdiff_t tokens, ptrdiff_t stride,
                                      float *sums, ptrdiff_t sums_stride) {
    ptrdiff_t r = 0;
    v16 copy[MOST_COPIED] __attribute__((aligned(64)));
    if (rows > most && copying_pays(blocks, tokens, stride)) {
        add_block(set, most, blocks, a, a_stride, x, tokens, stride, sums, sums_stride, copy, 0);
        x = (const float *)copy;
        stride = 16 * blocks;
        r = most;
    }
#define ADD(count)                                                                                                \
    for (; r + count <= rows; r += count)                                                                         \
    add_block(set, count, blocks, a + r * a_stride, a_stride, x, tokens, stride, sums + r * sums_stride, sums_stride, NULL, \
              rows <= FEW_ROWS && r == 0)
    ADD(most);
    ADD(4);
    ADD(2);
    ADD(1);
#undef ADD
}

static ALWAYS_INLINE void ck_add_weighted_sums_body(const ck_set set, const float *a, ptrdiff_t a_stride,
                                                    ptrdiff_t rows, const float *x, ptrdiff_t x_stride, ptrdiff_t tokens,
                                                    ptrdiff_t width, float *sums, ptrdiff_t sums_stride) {
    // Sums that fit the registers: 24 or 16 of 32, 4 pairs of 16, 4 fours of 32, 2 fours of 16.
    ptrdiff_t d = 0;
#define COLUMNS(most, blocks)                                                                                     \
    for (; d + 16 * blocks <= width; d += 16 * blocks)                                                            \
    add_columns(set, most, blocks, a, a_stride, rows, x + d, tokens, x_stride, sums + d, sums_stride)
    if (vectors_in(set) == 32 && rows % 8 == 0) {
        COLUMNS(8, 3);
        COLUMNS(8, 2);
    } else if (vectors_in(set) == 32) {
        COLUMNS(4, 4);
    }
    COLUMNS(4, 1);
#undef COLUMNS
    for (; d < width; d++)
        for (int r = 0; r < rows; r++) {
            float sum = sums[r * sums_stride + d];
            for (ptrdiff_t j = 0; j < tokens; j++)
                sum = MULTIPLY_ADD(set, a[r * a_stride + j], x[j * x_stride + d], sum);
            sums[r * sums_stride + d] = sum;
        }
}

DISPATCH(ck_add_weighted_sums,
         (const float *a, ptrdiff_t a_stride, ptrdiff_t rows, const float *x, ptrdiff_t x_stride, ptrdiff_t tokens,
          ptrdiff_t width, float *sums, ptrdiff_t sums_stride),
         a, a_stride, rows, x, x_stride, tokens, width, sums, sums_stride)
