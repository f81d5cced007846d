// Float to floats of fewer bits, rounded to nearest, ties to even: the opposite of widen.c, by integer
// arithmetic for the same reason.
#include <string.h>

#include "dispatch.h"
#include "kernels.h"

// A magnitude as a float of fewer bits has it, `mantissa` of them behind the point and an exponent biased by `bias`, as if
// there were exponents without end.
static ALWAYS_INLINE uint32_t rounded(uint32_t magnitude, const int mantissa, const int bias) {
    const int shift = 23 - mantissa;
    float absolute, unit;
    memcpy(&absolute, &magnitude, 4);
    // From the least normal number on: rebias the exponent and round away the bits that are too many.
    uint32_t normal =
        (magnitude - ((uint32_t)(127 - bias) << 23) + (1u << (shift - 1)) - 1 + (magnitude >> shift & 1)) >> shift;
    // Below, one unit is the last place of a number that makes the addition round.
    const uint32_t last = (uint32_t)(128 - bias + shift) << 23;
    memcpy(&unit, &last, 4);
    uint32_t subnormal = bits_of(absolute + unit) - last;
    return magnitude < (uint32_t)(128 - bias) << 23 ? subnormal : normal;
}

static ALWAYS_INLINE uint16_t narrow_one(float value) {
    uint32_t bits = bits_of(value);
    uint32_t magnitude = bits & 0x7fffffff, result = rounded(magnitude, 10, 15);
    if (magnitude >= 0x477ff000) result = 0x7c00;
    if (magnitude > 0x7f800000) result = 0x7e00;
    return (uint16_t)(result | (bits >> 16 & 0x8000));
}

static ALWAYS_INLINE void ck_narrow_f16_body(const ck_set set, const float *from, uint16_t *to,
                                             ptrdiff_t count) {
    (void)set;
    for (ptrdiff_t i = 0; i < count; i++) to[i] = narrow_one(from[i]);
}

static ALWAYS_INLINE void ck_narrow_bf16_body(const ck_set set, const float *from, uint16_t *to,
                                              ptrdiff_t count) {
    (void)set;
    for (ptrdiff_t i = 0; i < count; i++) {
        uint32_t bits = bits_of(from[i]);
        uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1);
        // Rounding up must not turn a NaN into an infinity.
        if ((bits & 0x7fffffff) > 0x7f800000) rounded = bits | 0x400000;
        to[i] = (uint16_t)(rounded >> 16);
    }
}

// The largest code that stands for a number, and its value.
static ALWAYS_INLINE uint32_t largest_code(const ck_type type) { return type == CK_F8_E4M3 ? 0x7e : 0x7b; }
static ALWAYS_INLINE float largest_number(const ck_type type) { return type == CK_F8_E4M3 ? 448 : 57344; }

static ALWAYS_INLINE uint8_t narrow_f8_one(const ck_type type, float value) {
    uint32_t bits = bits_of(value), magnitude = bits & 0x7fffffff;
    uint32_t result = type == CK_F8_E4M3 ? rounded(magnitude, 3, 7) : rounded(magnitude, 2, 15);
    if (magnitude >= bits_of(largest_number(type))) result = largest_code(type);
    if (magnitude >= 0x7f800000) result = type == CK_F8_E4M3 ? 0x7f : magnitude > 0x7f800000 ? 0x7e : 0x7c;
    return (uint8_t)(result | (bits >> 24 & 0x80));
}

// The scale of a token. It is no less than the least float above 0, with which small numbers do not reach the largest.
static ALWAYS_INLINE float scale_of(const ck_type type, const float *token, ptrdiff_t width) {
    uint32_t most = 0;
    for (ptrdiff_t d = 0; d < width; d++) {
        uint32_t magnitude = bits_of(token[d]) & 0x7fffffff;
        if (magnitude >= 0x7f800000) magnitude = 0;
        if (magnitude > most) most = magnitude;
    }
    float largest;
    memcpy(&largest, &most, 4);
    if (largest == 0) return 1;
    const float scale = largest / largest_number(type);
    return scale > 0 ? scale : 0x1p-149f;
}

static ALWAYS_INLINE void narrow_f8(const ck_type type, const float *from, ptrdiff_t tokens, ptrdiff_t width,
                                    uint8_t *to, float *scales) {
    for (ptrdiff_t t = 0; t < tokens; t++, from += width, to += width) {
        const float scale = scales ? scale_of(type, from, width) : 1;
        if (scales) scales[t] = scale;
        for (ptrdiff_t d = 0; d < width; d++) to[d] = narrow_f8_one(type, from[d] / scale);
    }
}

static ALWAYS_INLINE void ck_narrow_f8_body(const ck_set set, const float *from, ptrdiff_t tokens, ptrdiff_t width,
                                            ck_type type, uint8_t *to, float *scales) {
    (void)set;
    if (type == CK_F8_E4M3)
        narrow_f8(CK_F8_E4M3, from, tokens, width, to, scales);
    else
        narrow_f8(CK_F8_E5M2, from, tokens, width, to, scales);
}

DISPATCH(ck_narrow_f16, (const float *from, uint16_t *to, ptrdiff_t count), from, to, count)
DISPATCH(ck_narrow_bf16, (const float *from, uint16_t *to, ptrdiff_t count), from, to, count)
DISPATCH(ck_narrow_f8,
         (const float *from, ptrdiff_t tokens, ptrdiff_t width, ck_type type, uint8_t *to, float *scales), from, tokens,
         width, type, to, scales)
