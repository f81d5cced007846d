// Token tiles times one to four weight rows: 16 successive numbers of a token with those of each row, a
// few tokens at a time, added up at the end. Narrower numbers than floats are widened in registers: with so few rows a
// detour through memory would cost more than the product.
//
// As in project_panels.c, output is column by column.
#include "dispatch.h"
#include "kernels.h"
#include "states.h"

static ALWAYS_INLINE void rows_block(const ck_set set, const ck_type type, const int tokens, const int columns,
                                     ck_states x, ptrdiff_t width, const float *w, float *z, ptrdiff_t z_stride) {
    const int size = ck_size(type), is_unbroken = x.stride == width * size;
    v16 sum[4][4];
    float factor[4];
    for (int r = 0; r < tokens; r++) {
        factor[r] = factor_of(type, x, r);
        for (int c = 0; c < columns; c++) sum[r][c] = (v16){0};
    }
    const ptrdiff_t whole = width / 16 * 16;
    for (ptrdiff_t d = 0; d < whole; d += 16) {
        // The next block, line after line: memory is faster in the order of addresses, and decides here.
        for (int line = 0; is_unbroken && line < tokens * 16 * size; line += 64)
            __builtin_prefetch(number(x, size, tokens, tokens * d) + line, 0, 3);
        v16 b[4];
#pragma clang loop unroll(full)
        for (int c = 0; c < columns; c++) b[c] = *(const v16 *)(w + c * width + d);
#pragma clang loop unroll(full)
        for (int r = 0; r < tokens; r++) {
            v16 a = sixteen(set, type, number(x, size, r, d), factor[r]);
#pragma clang loop unroll(full)
            for (int c = 0; c < columns; c++) sum[r][c] = MULTIPLY_ADD(set, a, b[c], sum[r][c]);
        }
    }
    for (int r = 0; r < tokens; r++)
        for (int c = 0; c < columns; c++) {
            float tail = 0;
            for (ptrdiff_t d = whole; d < width; d++)
                tail = MULTIPLY_ADD(set, one(set, type, number(x, size, r, d), factor[r]), w[c * width + d], tail);
            v16 s = sum[r][c];
            for (int half = 8; half > 0; half /= 2)
                for (int i = 0; i < half; i++) s[i] += s[i + half];
            z[c * z_stride + r] = s[0] + tail;
        }
}

static ALWAYS_INLINE void rows_columns(const ck_set set, const ck_type type, const int step, const int columns,
                                       ck_states x, ptrdiff_t tokens, ptrdiff_t width, const float *w, float *z,
                                       ptrdiff_t z_stride) {
    const int size = ck_size(type);
    if (tokens < step) {
        for (ptrdiff_t t = 0; t < tokens; t++)
            rows_block(set, type, 1, columns, from_number(x, size, t, 0), width, w, z + t, z_stride);
        return;
    }
    for (ptrdiff_t t = 0; t < tokens; t += step) {
        if (t > tokens - step) t = tokens - step;
        rows_block(set, type, step, columns, from_number(x, size, t, 0), width, w, z + t, z_stride);
    }
}

static ALWAYS_INLINE void rows_of(const ck_set set, const ck_type type, ck_states x, ptrdiff_t tokens,
                                  ptrdiff_t width, const float *w, ptrdiff_t columns, float *z,
                                  ptrdiff_t z_stride) {
    switch (columns) {
    case 1: rows_columns(set, type, set.row_tokens[0], 1, x, tokens, width, w, z, z_stride); break;
    case 2: rows_columns(set, type, set.row_tokens[1], 2, x, tokens, width, w, z, z_stride); break;
    case 3: rows_columns(set, type, set.row_tokens[2], 3, x, tokens, width, w, z, z_stride); break;
    case 4: rows_columns(set, type, set.row_tokens[3], 4, x, tokens, width, w, z, z_stride); break;
    }
}

static ALWAYS_INLINE void ck_project_rows_body(const ck_set set, ck_states x, ptrdiff_t tokens,
                                               ptrdiff_t width, const float *w, ptrdiff_t columns, float *z,
                                               ptrdiff_t z_stride) {
    switch (x.type) {
    case CK_F32: rows_of(set, CK_F32, x, tokens, width, w, columns, z, z_stride); break;
    case CK_F16: rows_of(set, CK_F16, x, tokens, width, w, columns, z, z_stride); break;
    case CK_BF16: rows_of(set, CK_BF16, x, tokens, width, w, columns, z, z_stride); break;
    case CK_F8_E4M3: rows_of(set, CK_F8_E4M3, x, tokens, width, w, columns, z, z_stride); break;
    case CK_F8_E5M2: rows_of(set, CK_F8_E5M2, x, tokens, width, w, columns, z, z_stride); break;
    }
}

DISPATCH(ck_project_rows,
         (ck_states x, ptrdiff_t tokens, ptrdiff_t width, const float *w, ptrdiff_t columns, float *z,
          ptrdiff_t z_stride),
         x, tokens, width, w, columns, z, z_stride)
