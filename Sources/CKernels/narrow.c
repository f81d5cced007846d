// Float to half-width floats, rounded to nearest, ties to even: the opposite of widen.c, by integer
// arithmetic for the same reason.
#include <string.h>

#include "dispatch.h"
#include "kernels.h"

static ALWAYS_INLINE uint16_t narrow_one(float value) {
    uint32_t bits = bits_of(value);
    uint32_t magnitude = bits & 0x7fffffff, result;
    float absolute;
    memcpy(&absolute, &magnitude, 4);
    // From 2^-14 on: rebias the exponent by 15 - 127 and round away 13 bits.
    uint32_t normal = (magnitude + 0xc8000fffu + (magnitude >> 13 & 1)) >> 13;
    // Below, one unit is 2^-24, which is the last place of 0.5: the addition rounds.
    uint32_t subnormal = bits_of(absolute + 0.5f) - bits_of(0.5f);
    result = magnitude < 0x38800000 ? subnormal : normal;
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

DISPATCH(ck_narrow_f16, (const float *from, uint16_t *to, ptrdiff_t count), from, to, count)
DISPATCH(ck_narrow_bf16, (const float *from, uint16_t *to, ptrdiff_t count), from, to, count)
