// Token tiles times weight rows, for more than four rows: with AVX-512 a block of 8 tokens is held against 8, 16,
// 24 or 32 rows in registers, with AVX2 one of 6 against 8 or 16, one x broadcast at a time. NEON has a way of its own in
// panels_by_element.h.
//
// x is read once from memory, so the aim is to read it at the memory's speed. What is some hundred numbers ahead
// is fetched into the cache: the rows of a block are too many and too short for the processor's own
// prefetching. Narrower numbers than floats are widened in registers or a few hundred of a block at a time, which stay in the
// first-level cache: a whole tile at a time, in the second-level cache, takes one and a half times as long. Output is
// column by column, so that the logits of one head lie side by side over tokens, as the softmax wants them.
#include <string.h>

#include "dispatch.h"
#include "kernels.h"
#include "panel_parts.h"
#include "states.h"
#if defined(__aarch64__)
#include "panels_by_element.h"
#endif

// How a block takes the numbers of its tokens: as floats; two bfloat16 of a token in one word, which halves the loads
// that decide with 16 columns; or widened before, from halves or from bytes.
enum { FLOATS, TWO_A_WORD, WIDENED, WIDENED_BYTES };
static ALWAYS_INLINE int size_in(const int kind) { return kind == FLOATS ? 4 : kind == WIDENED_BYTES ? 1 : 2; }
static ALWAYS_INLINE int is_widened(const int kind) { return kind == WIDENED || kind == WIDENED_BYTES; }

static ALWAYS_INLINE u32x16 splat(const void *word) {
    uint32_t bits;
    memcpy(&bits, word, 4);
    return bits - (u32x16){0};
}

static ALWAYS_INLINE u32x8 splat_half(const void *word) {
    uint32_t bits;
    memcpy(&bits, word, 4);
    return bits - (u32x8){0};
}

// Number `which` of what a word holds, for vectors of words of any length.
#define NUMBER_IN(kind, which, word) ((kind) != TWO_A_WORD ? (word) : (which) == 0 ? (word) << 16 : (word) & 0xffff0000)

// Numbers `from` to `to` of each token in words, widened where they have to be: where those of the first are, and how far those of the
// next.
typedef struct {
    const char *first;
    ptrdiff_t stride;
} token_words;

static ALWAYS_INLINE token_words words_of(const int kind, ck_states x, const int tokens, ptrdiff_t from, ptrdiff_t to,
                                          float (*widened)[CHAIN]) {
    const int size = size_in(kind);
    if (!is_widened(kind)) return (token_words){number(x, size, 0, from), x.stride};
    ck_widen(from_number(x, size, 0, from), tokens, to - from, widened[0], CHAIN);
    return (token_words){(const char *)widened, sizeof widened[0]};
}

// Eight columns of two tokens side by side fill the same registers as sixteen of one.
static ALWAYS_INLINE v16 twice(v8 w) {
    return __builtin_shufflevector(w, w, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7);
}

#define ON UINT32_MAX
#define SECOND_HALF {0, 0, 0, 0, 0, 0, 0, 0, ON, ON, ON, ON, ON, ON, ON, ON}
static const volatile u32x16 second_half = SECOND_HALF;

// What takes the second half of a vector. With AVX-512 it is a variable, so that it is used as a mask: of a constant
// compilers make a shuffle, in a unit that multiplies (24 columns 1.15 times slower). With two registers a
// vector it has to be a constant: then each register is all of one half, and nothing is left to do.
static ALWAYS_INLINE u32x16 second_half_mask(const ck_set set) {
    return set.lanes == 16 ? second_half : (u32x16)SECOND_HALF;
}

static ALWAYS_INLINE u32x16 side_by_side(u32x16 a, u32x16 b, u32x16 second) {
    return (a & ~second) | (b & second);
}

static ALWAYS_INLINE v16 swapped(v16 a) {
    return __builtin_shufflevector(a, a, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
}

// `tokens` tokens, one or an even number, against the columns of one or two panels that follow each other, and
// then of a half one.
static ALWAYS_INLINE void panel_block(const ck_set set, const int tokens, const int panels,
                                      const int halves, const int fetches, const int kind, ck_states x,
                                      ptrdiff_t width, const float *panel, ptrdiff_t columns, float *z,
                                      ptrdiff_t z_stride) {
    const int size = size_in(kind), numbers = kind == TWO_A_WORD ? 2 : 1;
    const u32x16 second = second_half_mask(set);
    const int pairs = halves * ((tokens + 1) / 2);
    const float *half = panel + panels * width * CK_PANEL_COLUMNS;
    v16 total[2][8], half_total[4];
    for (int p = 0; p < panels; p++)
        for (int r = 0; r < tokens; r++) total[p][r] = (v16){0};
    for (int r = 0; r < pairs; r++) half_total[r] = (v16){0};
    for (ptrdiff_t from = 0; from < width; from += CHAIN) {
        ptrdiff_t to = from + CHAIN < width ? from + CHAIN : width;
        v16 sum[2][8], half_sum[4];
#pragma clang loop unroll(full)
        for (int p = 0; p < panels; p++)
#pragma clang loop unroll(full)
            for (int r = 0; r < tokens; r++) sum[p][r] = (v16){0};
#pragma clang loop unroll(full)
        for (int r = 0; r < pairs; r++) half_sum[r] = (v16){0};
        float widened[8][CHAIN] __attribute__((aligned(64)));
        const token_words words = words_of(kind, x, tokens, from, to, widened);
        const char *block = words.first;
        for (ptrdiff_t d = from; d < to; d += numbers, block += 4) {
            if (fetches && d % (64 / size) == 0) fetch_ahead(size, tokens, x, width, d);
            v16 w[2][2], half_w[2];
#pragma clang loop unroll(full)
            for (int e = 0; e < numbers; e++) {
#pragma clang loop unroll(full)
                for (int p = 0; p < panels; p++)
                    w[e][p] = *(const v16 *)(panel + (p * width + d + e) * CK_PANEL_COLUMNS);
                if (halves) half_w[e] = twice(*(const v8 *)(half + (d + e) * CK_HALF_PANEL_COLUMNS));
            }
#pragma clang loop unroll(full)
            for (int r = 0; r < tokens; r++) {
                const u32x16 word = splat(block + r * words.stride);
#pragma clang loop unroll(full)
                for (int e = 0; e < numbers; e++)
#pragma clang loop unroll(full)
                    for (int p = 0; p < panels; p++)
                        sum[p][r] = MULTIPLY_ADD(set, (v16)NUMBER_IN(kind, e, word), w[e][p], sum[p][r]);
                if (halves && (r % 2 == 1 || tokens == 1)) {
                    const u32x16 both = side_by_side(splat(block + r / 2 * 2 * words.stride), word, second);
#pragma clang loop unroll(full)
                    for (int e = 0; e < numbers; e++)
                        half_sum[r / 2] = MULTIPLY_ADD(set, (v16)NUMBER_IN(kind, e, both), half_w[e], half_sum[r / 2]);
                }
            }
        }
#pragma clang loop unroll(full)
        for (int p = 0; p < panels; p++)
#pragma clang loop unroll(full)
            for (int r = 0; r < tokens; r++) total[p][r] += sum[p][r];
#pragma clang loop unroll(full)
        for (int r = 0; r < pairs; r++) half_total[r] += half_sum[r];
    }
    for (int p = 0; p < panels; p++, columns -= CK_PANEL_COLUMNS, z += CK_PANEL_COLUMNS * z_stride)
        store(tokens, total[p], columns < CK_PANEL_COLUMNS ? columns : CK_PANEL_COLUMNS, z, z_stride);
    if (!halves) return;
    v16 each[8];
    for (int r = 0; r < tokens; r++) each[r] = r % 2 == 0 ? half_total[r / 2] : swapped(half_total[r / 2]);
    store(tokens, each, columns, z, z_stride);
}

// The same against a half panel alone: a vector of eight for each token. A processor that takes vectors of sixteen in halves copies
// twice as many numbers a cycle to eight lanes.
static ALWAYS_INLINE void half_block(const ck_set set, const int tokens, const int fetches, const int kind,
                                     ck_states x, ptrdiff_t width, const float *panel, ptrdiff_t columns, float *z,
                                     ptrdiff_t z_stride) {
    const int size = size_in(kind), numbers = kind == TWO_A_WORD ? 2 : 1;
    v8 total[8];
    for (int r = 0; r < tokens; r++) total[r] = (v8){0};
    for (ptrdiff_t from = 0; from < width; from += CHAIN) {
        ptrdiff_t to = from + CHAIN < width ? from + CHAIN : width;
        v8 sum[8];
#pragma clang loop unroll(full)
        for (int r = 0; r < tokens; r++) sum[r] = (v8){0};
        float widened[8][CHAIN] __attribute__((aligned(64)));
        const token_words words = words_of(kind, x, tokens, from, to, widened);
        const char *block = words.first;
        for (ptrdiff_t d = from; d < to; d += numbers, block += 4) {
            if (fetches && d % (64 / size) == 0) fetch_ahead(size, tokens, x, width, d);
#pragma clang loop unroll(full)
            for (int r = 0; r < tokens; r++) {
                const u32x8 word = splat_half(block + r * words.stride);
#pragma clang loop unroll(full)
                for (int e = 0; e < numbers; e++)
                    sum[r] = MULTIPLY_ADD(set, (v8)NUMBER_IN(kind, e, word),
                                          *(const v8 *)(panel + (d + e) * CK_HALF_PANEL_COLUMNS), sum[r]);
            }
        }
#pragma clang loop unroll(full)
        for (int r = 0; r < tokens; r++) total[r] += sum[r];
    }
    store_half(tokens, total, columns, z, z_stride);
}

static ALWAYS_INLINE void panel_columns(const ck_set set, const int panels, const int halves,
                                        const int fetches, const int wanted, ck_states x, ptrdiff_t tokens,
                                        ptrdiff_t width, const float *panel, ptrdiff_t columns, float *z,
                                        ptrdiff_t z_stride) {
    // Two numbers a word want registers of their own: beside both kinds of panels, and beside whole ones where a vector
    // takes several registers, widening is faster.
    const int kind = wanted == TWO_A_WORD && (halves ? panels > 0 : set.lanes < 16) ? WIDENED : wanted;
    const int step = set.panel_tokens, size = size_in(kind);
#define BLOCK(tokens, fetches)                                                                                     \
    if (panels > 0)                                                                                               \
        panel_block(set, tokens, panels, halves, fetches, kind, from_number(x, size, t, 0), width, panel, columns, \
                    z + t, z_stride);                                                                             \
    else                                                                                                          \
        half_block(set, tokens, fetches, kind, from_number(x, size, t, 0), width, panel, columns, z + t, z_stride)
    if (tokens < step) {
        for (ptrdiff_t t = 0; t < tokens; t++) BLOCK(1, 0);
        return;
    }
    for (ptrdiff_t t = 0; t < tokens; t += step) {
        // The last block goes back over tokens already done: that costs less than single tokens, and
        // gives the same bits.
        if (t > tokens - step) t = tokens - step;
        BLOCK(step, fetches);
    }
#undef BLOCK
}

static ALWAYS_INLINE void panels_of(const ck_set set, const int kind, ck_states x, ptrdiff_t tokens,
                                    ptrdiff_t width, const float *panels, ptrdiff_t columns, float *z,
                                    ptrdiff_t z_stride) {
    for (ptrdiff_t c = 0; c < columns;) {
        const float *panel = panels + c * width;
        const ptrdiff_t left = columns - c;
        float *to = z + c * z_stride;
        // Several panels at once load fewer numbers for every multiplication. Only the first pass meets
        // tokens that are not in the cache yet.
        if (vectors_in(set) == 32 && left > CK_PANEL_COLUMNS + CK_HALF_PANEL_COLUMNS) {
            panel_columns(set, 2, 0, c == 0, kind, x, tokens, width, panel, left, to, z_stride);
            c += 2 * CK_PANEL_COLUMNS;
        } else if (vectors_in(set) == 32 && left > CK_PANEL_COLUMNS) {
            panel_columns(set, 1, 1, c == 0, kind, x, tokens, width, panel, left, to, z_stride);
            c = columns;
        } else if (left > CK_HALF_PANEL_COLUMNS) {
            panel_columns(set, 1, 0, c == 0, kind, x, tokens, width, panel, left, to, z_stride);
            c += CK_PANEL_COLUMNS;
        } else {
            panel_columns(set, 0, 1, c == 0, kind, x, tokens, width, panel, left, to, z_stride);
            c = columns;
        }
    }
}

static ALWAYS_INLINE void ck_project_panels_body(const ck_set set, ck_states x, ptrdiff_t tokens,
                                                 ptrdiff_t width, const float *panels, ptrdiff_t columns,
                                                 float *z, ptrdiff_t z_stride) {
#if defined(__aarch64__)
    if (set.multiplies_by_element) {
        panels_by_element(set, x, tokens, width, panels, columns, z, z_stride);
        return;
    }
#endif
    if (x.type == CK_F32)
        panels_of(set, FLOATS, x, tokens, width, panels, columns, z, z_stride);
    else if (x.type == CK_BF16 && width % 2 == 0)
        panels_of(set, TWO_A_WORD, x, tokens, width, panels, columns, z, z_stride);
    else if (x.type == CK_F8_E4M3 || x.type == CK_F8_E5M2)
        panels_of(set, WIDENED_BYTES, x, tokens, width, panels, columns, z, z_stride);
    else
        panels_of(set, WIDENED, x, tokens, width, panels, columns, z, z_stride);
}

DISPATCH(ck_project_panels,
         (ck_states x, ptrdiff_t tokens, ptrdiff_t width, const float *panels, ptrdiff_t columns, float *z,
          ptrdiff_t z_stride),
         x, tokens, width, panels, columns, z, z_stride)
