// What the ways to multiply tokens with panels of weights share: how long a chain of sums is, what is fetched ahead, and how
// sums are written.
#ifndef CK_PANEL_PARTS_H
#define CK_PANEL_PARTS_H

#include <string.h>

#include "dispatch.h"
#include "states.h"

// Terms added in one chain before it joins the running total: bounds the rounding error of a
// long sum by that of sums of this length. Also how many numbers of a token are widened at once.
enum { CHAIN = 256 };

// Numbers ahead of the arithmetic in each row, half as many in rows shorter than that half. The next block's rows follow at
// the end of these. Into the first-level cache, of which eight rows of floats fill 16 KB: twice as far ahead took longer where D
// is a power of two.
enum { AHEAD = 512 };

static ALWAYS_INLINE void fetch_ahead(const int size, const int tokens, ck_states x, ptrdiff_t width, ptrdiff_t d) {
    d += width < AHEAD / 2 ? AHEAD / 2 : AHEAD;
    const char *ahead = d < width ? number(x, size, 0, d) : number(x, size, tokens, d - width);
    for (int r = 0; r < tokens; r++) __builtin_prefetch(ahead + r * x.stride, 0, 3);
}

// z[c·z_stride + r] = sums[r][c] for 8 tokens r: three perfect shuffles of 128 numbers turn the index
// bits (token, column) into (column, token).
static ALWAYS_INLINE void store_transposed(const v16 *sums, ptrdiff_t columns, float *z, ptrdiff_t z_stride) {
    v16 from[8], to[8];
    for (int r = 0; r < 8; r++) from[r] = sums[r];
#pragma clang loop unroll(full)
    for (int round = 0; round < 3; round++) {
#pragma clang loop unroll(full)
        for (int r = 0; r < 4; r++) {
            to[2 * r] = __builtin_shufflevector(from[r], from[r + 4], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5,
                                                21, 6, 22, 7, 23);
            to[2 * r + 1] = __builtin_shufflevector(from[r], from[r + 4], 8, 24, 9, 25, 10, 26, 11, 27, 12,
                                                    28, 13, 29, 14, 30, 15, 31);
        }
        for (int r = 0; r < 8; r++) from[r] = to[r];
    }
    float out[CK_PANEL_COLUMNS][8];
    memcpy(out, from, sizeof out);
    for (ptrdiff_t c = 0; c < columns; c++) memcpy(z + c * z_stride, out[c], sizeof out[c]);
}

// The same for up to eight columns.
static ALWAYS_INLINE void store_half_transposed(const v8 *sums, ptrdiff_t columns, float *z, ptrdiff_t z_stride) {
    v8 from[8], to[8];
    for (int r = 0; r < 8; r++) from[r] = sums[r];
#pragma clang loop unroll(full)
    for (int round = 0; round < 3; round++) {
#pragma clang loop unroll(full)
        for (int r = 0; r < 4; r++) {
            to[2 * r] = __builtin_shufflevector(from[r], from[r + 4], 0, 8, 1, 9, 2, 10, 3, 11);
            to[2 * r + 1] = __builtin_shufflevector(from[r], from[r + 4], 4, 12, 5, 13, 6, 14, 7, 15);
        }
        for (int r = 0; r < 8; r++) from[r] = to[r];
    }
#pragma clang loop unroll(full)
    for (int c = 0; c < 8; c++)
        if (c < columns) memcpy(z + c * z_stride, &from[c], sizeof from[c]);
}

// Sums of `tokens` tokens, [r][c], as z[c·z_stride + r].
static ALWAYS_INLINE void store(const int tokens, const v16 *sums, ptrdiff_t columns, float *z,
                                ptrdiff_t z_stride) {
    if (tokens == 8) {
        store_transposed(sums, columns, z, z_stride);
        return;
    }
    float out[8][CK_PANEL_COLUMNS];
    for (int r = 0; r < tokens; r++) memcpy(out[r], &sums[r], sizeof out[r]);
    for (ptrdiff_t c = 0; c < columns; c++)
        for (int r = 0; r < tokens; r++) z[c * z_stride + r] = out[r][c];
}

// The same for up to eight columns.
static ALWAYS_INLINE void store_half(const int tokens, const v8 *sums, ptrdiff_t columns, float *z,
                                     ptrdiff_t z_stride) {
    if (tokens == 8) {
        store_half_transposed(sums, columns, z, z_stride);
        return;
    }
    float out[8][CK_HALF_PANEL_COLUMNS];
    for (int r = 0; r < tokens; r++) memcpy(out[r], &sums[r], sizeof out[r]);
    for (ptrdiff_t c = 0; c < columns; c++)
        for (int r = 0; r < tokens; r++) z[c * z_stride + r] = out[r][c];
}

#endif
