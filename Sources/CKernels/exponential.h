// What the softmax of a whole line and the running one share: the exponential, and lines whose end is
// not a multiple of sixteen.
#ifndef CK_EXPONENTIAL_H
#define CK_EXPONENTIAL_H

#include <stdint.h>
#include <string.h>

#include "dispatch.h"

typedef int32_t i16 __attribute__((vector_size(64), aligned(4)));

// e^x for x ≤ 80, within 1.5 units in the last place; 0 below -87.3, where floats lose precision.
// e^x = 2^k·e^r with k = round(x/ln 2) and |r| ≤ ln 2 / 2; e^r by its series up to r^7/7!, whose
// next term is below 2^-26. ln 2 is subtracted in two parts, of which k times the first is exact.
static ALWAYS_INLINE v16 exponential(v16 x) {
    const float round_to_integer = 0x1.8p23f;
    // All bits set where x is too small; NaN compares false and stays.
    i16 vanishes = x < -87.3f;
    v16 k = (x * 0x1.715476p0f + round_to_integer) - round_to_integer;
    v16 r = (x - k * 0x1.62e4p-1f) - k * 0x1.7f7d1cp-20f;
    v16 p = r * (1.0f / 5040) + (1.0f / 720);
    p = p * r + (1.0f / 120);
    p = p * r + (1.0f / 24);
    p = p * r + (1.0f / 6);
    p = p * r + 0.5f;
    p = p * r * r + r + 1.0f;
    // What vanishes, or is NaN, must not be converted to an integer that it does not fit.
    i16 exponent = (__builtin_convertvector(__builtin_elementwise_max(k, (v16){0} - 127), i16) + 127) << 23;
    v16 scale;
    memcpy(&scale, &exponent, sizeof scale);
    return (v16)((i16)(p * scale) & ~vanishes);
}

// Sixteen elements from `from` on; what lies beyond `count` is `fill`.
static ALWAYS_INLINE v16 load(const float *from, ptrdiff_t count, float fill) {
    if (count >= 16) return *(const v16 *)from;
    float part[16];
    for (int i = 0; i < 16; i++) part[i] = i < count ? from[i] : fill;
    return *(const v16 *)part;
}

static ALWAYS_INLINE double total(d16 sums) {
    for (int half = 8; half > 0; half /= 2)
        for (int i = 0; i < half; i++) sums[i] += sums[i + half];
    return sums[0];
}

#endif
