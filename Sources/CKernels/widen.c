// Half-width floats to float. Debian's and Swift's default x86-64 target has no F16C, where one
// f16 costs a library call; compiled for AVX2 and AVX-512 sixteen take one instruction.
#include <string.h>

#include "dispatch.h"
#include "kernels.h"

// f16 by integer arithmetic: shift exponent and mantissa into place, then rescale by 2^112.
// The multiplication is exact and makes subnormals normal; exponent 31 is infinity or NaN.
static ALWAYS_INLINE float widen_one(uint16_t half) {
    uint32_t magnitude = (uint32_t)(half & 0x7fff) << 13;
    float value;
    memcpy(&value, &magnitude, 4);
    value *= 0x1p112f;
    uint32_t bits;
    memcpy(&bits, &value, 4);
    if (magnitude >= 0x0f800000) bits = magnitude | 0x7f800000;
    bits |= (uint32_t)(half & 0x8000) << 16;
    memcpy(&value, &bits, 4);
    return value;
}

static ALWAYS_INLINE void ck_widen_f16_body(const int registers, const uint16_t *from, float *to,
                                            ptrdiff_t count) {
    (void)registers;
    for (ptrdiff_t i = 0; i < count; i++) to[i] = widen_one(from[i]);
}

static ALWAYS_INLINE void ck_widen_bf16_body(const int registers, const uint16_t *from, float *to,
                                             ptrdiff_t count) {
    (void)registers;
    for (ptrdiff_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)from[i] << 16;
        memcpy(to + i, &bits, 4);
    }
}

DISPATCH(ck_widen_f16, (const uint16_t *from, float *to, ptrdiff_t count), from, to, count)
DISPATCH(ck_widen_bf16, (const uint16_t *from, float *to, ptrdiff_t count), from, to, count)
