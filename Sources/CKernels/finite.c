// A look for NaN and infinity in states as they are stored: the numbers whose exponent is all ones.
#include "dispatch.h"
#include "kernels.h"
#include "states.h"

// Looks at all of them before it decides: nearly always all are finite.
static ALWAYS_INLINE _Bool finite_f32(const char *x, ptrdiff_t count) {
    const uint32_t exponent = 0x7f800000;
    u32x16 found = {0};
    ptrdiff_t i = 0;
    for (; i + 16 <= count; i += 16) {
        u32x16 bits;
        memcpy(&bits, x + 4 * i, sizeof bits);
        found |= (u32x16)((bits & exponent) == exponent);
    }
    uint32_t any = 0;
    for (int k = 0; k < 16; k++) any |= found[k];
    for (; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, x + 4 * i, sizeof bits);
        any |= (bits & exponent) == exponent;
    }
    return any == 0;
}

static ALWAYS_INLINE _Bool finite_halves(const char *x, ptrdiff_t count, const uint16_t exponent) {
    typedef uint16_t u16x32 __attribute__((vector_size(64)));
    u16x32 found = {0};
    ptrdiff_t i = 0;
    for (; i + 32 <= count; i += 32) {
        u16x32 bits;
        memcpy(&bits, x + 2 * i, sizeof bits);
        found |= (u16x32)((bits & exponent) == exponent);
    }
    uint16_t any = 0;
    for (int k = 0; k < 32; k++) any |= found[k];
    for (; i < count; i++) {
        uint16_t bits;
        memcpy(&bits, x + 2 * i, sizeof bits);
        any |= (bits & exponent) == exponent;
    }
    return any == 0;
}

static ALWAYS_INLINE void ck_all_finite_body(const ck_set set, ck_states x, ptrdiff_t tokens, ptrdiff_t width,
                                             _Bool *result) {
    (void)set;
    *result = 1;
    for (ptrdiff_t t = 0; t < tokens && *result; t++) {
        const char *row = (const char *)x.numbers + t * x.stride;
        *result = x.type == CK_F32 ? finite_f32(row, width) : finite_halves(row, width, x.type == CK_F16 ? 0x7c00 : 0x7f80);
    }
}

DISPATCH(ck_all_finite, (ck_states x, ptrdiff_t tokens, ptrdiff_t width, _Bool *result), x, tokens, width, result)
