// Stored numbers to float. Debian's and Swift's default x86-64 target has no F16C, where one
// f16 costs a library call; processors with AVX2 convert eight in one instruction.
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "dispatch.h"
#include "kernels.h"
#include "states.h"

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

static void widen_each(const uint16_t *from, float *to, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++) to[i] = widen_one(from[i]);
}

#if defined(__x86_64__)
CK_AVX2 static void widen_eight(const uint16_t *from, float *to, ptrdiff_t count) {
    ptrdiff_t i = 0;
    for (; i + 8 <= count; i += 8)
        _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(from + i))));
    for (; i < count; i++) to[i] = widen_one(from[i]);
}

static void widen_f16(const uint16_t *from, float *to, ptrdiff_t count) {
    (ck_level() > 0 ? widen_eight : widen_each)(from, to, count);
}
#else
static void widen_f16(const uint16_t *from, float *to, ptrdiff_t count) { widen_each(from, to, count); }
#endif

static ALWAYS_INLINE void widen_bf16(const uint16_t *from, float *to, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)from[i] << 16;
        memcpy(to + i, &bits, 4);
    }
}

static ALWAYS_INLINE void ck_widen_body(const int registers, ck_states x, ptrdiff_t tokens, ptrdiff_t width,
                                        float *to, ptrdiff_t to_stride) {
    (void)registers;
    for (ptrdiff_t t = 0; t < tokens; t++, to += to_stride) {
        const void *from = number(x, ck_size(x.type), t, 0);
        switch (x.type) {
        case CK_F32: memcpy(to, from, width * sizeof *to); break;
        case CK_F16: widen_f16(from, to, width); break;
        case CK_BF16: widen_bf16(from, to, width); break;
        }
    }
}

DISPATCH(ck_widen, (ck_states x, ptrdiff_t tokens, ptrdiff_t width, float *to, ptrdiff_t to_stride), x, tokens,
         width, to, to_stride)
