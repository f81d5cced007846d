// Token tiles times panels of weights where one instruction multiplies a vector with one number of another and adds: four
// numbers of a token are one load, and meet the weights of 8 or 16 columns for each of the four. Six tokens by 16 columns
// are 24 of 32 registers; with six for the tokens two are left, so that weights come one vector at a time.
//
// f16 and bf16 take one instruction more for four numbers; numbers of eight bits are widened before, as in
// project_panels.c.
#ifndef CK_PANELS_BY_ELEMENT_H
#define CK_PANELS_BY_ELEMENT_H

#include "panel_parts.h"

typedef uint32_t u32x4 __attribute__((vector_size(16)));
typedef uint16_t u16x4 __attribute__((vector_size(8)));
typedef _Float16 h4 __attribute__((vector_size(8)));

// Four successive numbers of 16 or 32 bits at any address.
static ALWAYS_INLINE v4 four(const ck_type type, const void *x) {
    u16x4 halves;
    if (type == CK_F32) return *(const v4 *)x;
    memcpy(&halves, x, sizeof halves);
    if (type == CK_F16) return __builtin_convertvector((h4)halves, v4);
    return (v4)(__builtin_convertvector(halves, u32x4) << 16);
}

// `tokens` tokens against a panel of 4·vectors columns, of which `columns` are wanted.
static ALWAYS_INLINE void element_block(const ck_set set, const int tokens, const int vectors, const int fetches,
                                        const ck_type stored, ck_states x, ptrdiff_t width, const float *panel,
                                        ptrdiff_t columns, float *z, ptrdiff_t z_stride) {
    const int size = ck_size(stored), is_widened = size == 1;
    const ck_type type = is_widened ? CK_F32 : stored;
    v4 total[8][4];
    for (int r = 0; r < tokens; r++)
        for (int v = 0; v < 4; v++) total[r][v] = (v4){0};
    for (ptrdiff_t from = 0; from < width; from += CHAIN) {
        const ptrdiff_t count = from + CHAIN < width ? CHAIN : width - from;
        float widened[8][CHAIN] __attribute__((aligned(64)));
        const char *block = is_widened ? (const char *)widened : number(x, size, 0, from);
        const ptrdiff_t stride = is_widened ? (ptrdiff_t)sizeof widened[0] : x.stride;
        if (is_widened) ck_widen(from_number(x, size, 0, from), tokens, count, widened[0], CHAIN);
        v4 sum[8][4];
#pragma clang loop unroll(full)
        for (int r = 0; r < tokens; r++)
#pragma clang loop unroll(full)
            for (int v = 0; v < vectors; v++) sum[r][v] = (v4){0};
        ptrdiff_t d = 0;
        for (; d + 4 <= count; d += 4, block += 4 * ck_size(type)) {
            if (fetches && d % (64 / size) == 0) fetch_ahead(size, tokens, x, width, from + d);
            v4 token[8];
#pragma clang loop unroll(full)
            for (int r = 0; r < tokens; r++) token[r] = four(type, block + r * stride);
#pragma clang loop unroll(full)
            for (int e = 0; e < 4; e++)
#pragma clang loop unroll(full)
                for (int v = 0; v < vectors; v++) {
                    const v4 weight = *(const v4 *)(panel + ((from + d + e) * vectors + v) * 4);
#pragma clang loop unroll(full)
                    for (int r = 0; r < tokens; r++) sum[r][v] = MULTIPLY_ADD(set, token[r][e] - (v4){0}, weight, sum[r][v]);
                }
        }
        for (; d < count; d++, block += ck_size(type))
#pragma clang loop unroll(full)
            for (int r = 0; r < tokens; r++) {
                const v4 token = one(set, type, block + r * stride, 1) - (v4){0};
#pragma clang loop unroll(full)
                for (int v = 0; v < vectors; v++)
                    sum[r][v] = MULTIPLY_ADD(set, token, *(const v4 *)(panel + ((from + d) * vectors + v) * 4), sum[r][v]);
            }
#pragma clang loop unroll(full)
        for (int r = 0; r < tokens; r++)
#pragma clang loop unroll(full)
            for (int v = 0; v < vectors; v++) total[r][v] += sum[r][v];
    }
    v16 sums[8];
    for (int r = 0; r < tokens; r++) memcpy(&sums[r], total[r], sizeof sums[r]);
    store(tokens, sums, columns, z, z_stride);
}

static ALWAYS_INLINE void element_panel(const ck_set set, const int vectors, const int fetches, const ck_type type,
                                        ck_states x, ptrdiff_t tokens, ptrdiff_t width, const float *panel,
                                        ptrdiff_t columns, float *z, ptrdiff_t z_stride) {
    const int step = set.panel_tokens, size = ck_size(type);
    if (tokens < step) {
        for (ptrdiff_t t = 0; t < tokens; t++)
            element_block(set, 1, vectors, 0, type, from_number(x, size, t, 0), width, panel, columns, z + t, z_stride);
        return;
    }
    for (ptrdiff_t t = 0; t < tokens; t += step) {
        // The last block goes back over tokens already done, which gives the same bits.
        if (t > tokens - step) t = tokens - step;
        element_block(set, step, vectors, fetches, type, from_number(x, size, t, 0), width, panel, columns, z + t,
                      z_stride);
    }
}

static ALWAYS_INLINE void element_panels(const ck_set set, const ck_type type, ck_states x, ptrdiff_t tokens,
                                         ptrdiff_t width, const float *panels, ptrdiff_t columns, float *z,
                                         ptrdiff_t z_stride) {
    for (ptrdiff_t c = 0; c < columns; c += CK_PANEL_COLUMNS) {
        const ptrdiff_t left = columns - c;
        const float *panel = panels + c * width;
        float *to = z + c * z_stride;
        if (left > CK_HALF_PANEL_COLUMNS)
            element_panel(set, 4, c == 0, type, x, tokens, width, panel,
                          left < CK_PANEL_COLUMNS ? left : CK_PANEL_COLUMNS, to, z_stride);
        else
            element_panel(set, 2, c == 0, type, x, tokens, width, panel, left, to, z_stride);
    }
}

static ALWAYS_INLINE void panels_by_element(const ck_set set, ck_states x, ptrdiff_t tokens, ptrdiff_t width,
                                            const float *panels, ptrdiff_t columns, float *z, ptrdiff_t z_stride) {
    switch (x.type) {
    case CK_F32: element_panels(set, CK_F32, x, tokens, width, panels, columns, z, z_stride); break;
    case CK_F16: element_panels(set, CK_F16, x, tokens, width, panels, columns, z, z_stride); break;
    case CK_BF16: element_panels(set, CK_BF16, x, tokens, width, panels, columns, z, z_stride); break;
    case CK_F8_E4M3:
    case CK_F8_E5M2: element_panels(set, CK_F8_E4M3, x, tokens, width, panels, columns, z, z_stride); break;
    }
}

#endif
