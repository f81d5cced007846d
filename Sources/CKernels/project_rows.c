// Token tiles times one to four weight rows: 16 successive numbers of a token with those of each row, a
// few tokens at a time, added up at the end. bfloat16 is widened in registers: with so few rows a
// detour through memory would cost more than the product.
//
// As in project_panels.c, output is column by column.
#include <string.h>

#include "dispatch.h"
#include "kernels.h"

typedef uint16_t u16x16 __attribute__((vector_size(32), aligned(2)));

// Element `index` of hidden states, and the sixteen from there on. `size` is 4 for floats, 2 for bfloat16.
static ALWAYS_INLINE float number(const int size, const void *x, ptrdiff_t index) {
    if (size == 4) return ((const float *)x)[index];
    uint32_t bits = (uint32_t)((const uint16_t *)x)[index] << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

static ALWAYS_INLINE v16 numbers(const int size, const void *x, ptrdiff_t index) {
    if (size == 4) return *(const v16 *)((const float *)x + index);
    u16x16 halves = *(const u16x16 *)((const uint16_t *)x + index);
    return (v16)(__builtin_convertvector(halves, u32x16) << 16);
}

static ALWAYS_INLINE void rows_block(const int size, const int tokens, const int columns, const char *x,
                                     ptrdiff_t width, const float *w, float *z, ptrdiff_t z_stride) {
    v16 sum[4][4];
    for (int r = 0; r < tokens; r++)
        for (int c = 0; c < columns; c++) sum[r][c] = (v16){0};
    ptrdiff_t d = 0;
    for (; d + 16 <= width; d += 16) {
        // The next block, line after line: memory is faster in the order of addresses, and decides here.
        for (int line = 0; line < tokens * 16 * size; line += 64)
            __builtin_prefetch(x + (tokens * (width + d)) * size + line, 0, 3);
        v16 b[4];
#pragma clang loop unroll(full)
        for (int c = 0; c < columns; c++) b[c] = *(const v16 *)(w + c * width + d);
#pragma clang loop unroll(full)
        for (int r = 0; r < tokens; r++) {
            v16 a = numbers(size, x, r * width + d);
#pragma clang loop unroll(full)
            for (int c = 0; c < columns; c++) sum[r][c] += a * b[c];
        }
    }
    for (int r = 0; r < tokens; r++)
        for (int c = 0; c < columns; c++) {
            float tail = 0;
            for (ptrdiff_t e = d; e < width; e++) tail += number(size, x, r * width + e) * w[c * width + e];
            v16 s = sum[r][c];
            for (int half = 8; half > 0; half /= 2)
                for (int i = 0; i < half; i++) s[i] += s[i + half];
            z[c * z_stride + r] = s[0] + tail;
        }
}

static ALWAYS_INLINE void rows_columns(const int size, const int step, const int columns, const char *x,
                                       ptrdiff_t tokens, ptrdiff_t width, const float *w, float *z,
                                       ptrdiff_t z_stride) {
    if (tokens < step) {
        for (; tokens > 0; tokens--, x += width * size, z++)
            rows_block(size, 1, columns, x, width, w, z, z_stride);
        return;
    }
    for (ptrdiff_t t = 0; t < tokens; t += step) {
        if (t > tokens - step) t = tokens - step;
        rows_block(size, step, columns, x + t * width * size, width, w, z + t, z_stride);
    }
}

static ALWAYS_INLINE void rows_of(const int registers, const int size, const char *x, ptrdiff_t tokens,
                                  ptrdiff_t width, const float *w, ptrdiff_t columns, float *z,
                                  ptrdiff_t z_stride) {
    const int wide = registers == 512;
    switch (columns) {
    case 1: rows_columns(size, 4, 1, x, tokens, width, w, z, z_stride); break;
    case 2: rows_columns(size, wide ? 4 : 2, 2, x, tokens, width, w, z, z_stride); break;
    case 3: rows_columns(size, wide ? 4 : 2, 3, x, tokens, width, w, z, z_stride); break;
    case 4: rows_columns(size, wide ? 4 : 1, 4, x, tokens, width, w, z, z_stride); break;
    }
}

static ALWAYS_INLINE void ck_project_rows_body(const int registers, const float *x, ptrdiff_t tokens,
                                               ptrdiff_t width, const float *w, ptrdiff_t columns, float *z,
                                               ptrdiff_t z_stride) {
    rows_of(registers, 4, (const char *)x, tokens, width, w, columns, z, z_stride);
}

static ALWAYS_INLINE void ck_project_rows_bf16_body(const int registers, const uint16_t *x, ptrdiff_t tokens,
                                                    ptrdiff_t width, const float *w, ptrdiff_t columns,
                                                    float *z, ptrdiff_t z_stride) {
    rows_of(registers, 2, (const char *)x, tokens, width, w, columns, z, z_stride);
}

DISPATCH(ck_project_rows,
         (const float *x, ptrdiff_t tokens, ptrdiff_t width, const float *w, ptrdiff_t columns, float *z,
          ptrdiff_t z_stride),
         x, tokens, width, w, columns, z, z_stride)

DISPATCH(ck_project_rows_bf16,
         (const uint16_t *x, ptrdiff_t tokens, ptrdiff_t width, const float *w, ptrdiff_t columns, float *z,
          ptrdiff_t z_stride),
         x, tokens, width, w, columns, z, z_stride)
