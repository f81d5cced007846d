// Stored hidden states: where their numbers are, and what floats they stand for. Debian's and Swift's default x86-64
// target has no F16C, where one f16 costs a library call; processors with AVX2, and all of AArch64, convert many in one
// instruction.
#ifndef CK_STATES_H
#define CK_STATES_H

#include <string.h>

#include "dispatch.h"

typedef uint16_t u16x16 __attribute__((vector_size(32)));
typedef int16_t i16x16 __attribute__((vector_size(32)));
typedef uint8_t u8x16 __attribute__((vector_size(16)));
typedef int8_t i8x16 __attribute__((vector_size(16)));

static ALWAYS_INLINE int ck_size(ck_type type) { return type == CK_F32 ? 4 : type == CK_F16 || type == CK_BF16 ? 2 : 1; }

// The address of number d of token t; `size` is that of the type, for the compiler to know.
static ALWAYS_INLINE const char *number(ck_states x, const int size, ptrdiff_t t, ptrdiff_t d) {
    return (const char *)x.numbers + t * x.stride + d * size;
}

// The states from number d of token t on.
static ALWAYS_INLINE ck_states from_number(ck_states x, const int size, ptrdiff_t t, ptrdiff_t d) {
    x.numbers = number(x, size, t, d);
    if (x.scales) x.scales += t;
    return x;
}

// Sixteen f16 by integer arithmetic: shift exponent and mantissa into place, then rescale by 2^112.
// The multiplication is exact and makes subnormals normal; exponent 31 is infinity or NaN.
static ALWAYS_INLINE v16 sixteen_f16(const ck_set set, u16x16 halves) {
// Without optimisation the branch not taken would want the library's conversion.
#if defined(__aarch64__) || (defined(__x86_64__) && defined(__OPTIMIZE__))
    typedef _Float16 h16 __attribute__((vector_size(32)));
    if (set.widens_f16) return __builtin_convertvector((h16)halves, v16);
#endif
    const u32x16 bits = __builtin_convertvector(halves, u32x16);
    const u32x16 magnitude = (bits & 0x7fff) << 13, special = (u32x16)(magnitude >= 0x0f800000);
    const u32x16 scaled = (u32x16)((v16)magnitude * 0x1p112f);
    return (v16)((special & (magnitude | 0x7f800000)) | (~special & scaled) | (bits & 0x8000) << 16);
}

// Sixteen bytes of E4M3 as the halves that have their sign, exponent and mantissa: 2^-8 of each, subnormals included.
// All ones, a NaN, carry into the first bit of the exponent when one is added, and with that bit they are a NaN of halves
// too. Of a comparison compilers make one for floats, which takes twice as long.
static ALWAYS_INLINE u16x16 halves_of_e4m3(u8x16 bytes) {
    const u16x16 halves = (u16x16)(__builtin_convertvector((i8x16)bytes, i16x16) << 7) & 0xbf80;
    return halves | ((halves + 0x80) & 0x4000);
}

// What `sixteen` and `one` multiply numbers of eight bits of token t with: its scale, and of E4M3 what its halves have less.
static ALWAYS_INLINE float factor_of(const ck_type type, ck_states x, ptrdiff_t t) {
    if (type != CK_F8_E4M3 && type != CK_F8_E5M2) return 1;
    const float scale = x.scales ? x.scales[t] : 1;
    return type == CK_F8_E4M3 ? scale * 0x1p8f : scale;
}

static ALWAYS_INLINE v16 sixteen_f8(const ck_set set, const ck_type type, u8x16 bytes, float factor) {
    const u16x16 halves = type == CK_F8_E4M3 ? halves_of_e4m3(bytes) : __builtin_convertvector(bytes, u16x16) << 8;
    return sixteen_f16(set, halves) * factor;
}

// Sixteen successive numbers at any address.
static ALWAYS_INLINE v16 sixteen(const ck_set set, const ck_type type, const void *x, float factor) {
    v16 floats;
    u16x16 halves;
    u8x16 bytes;
    if (type == CK_F8_E4M3 || type == CK_F8_E5M2) {
        memcpy(&bytes, x, sizeof bytes);
        return sixteen_f8(set, type, bytes, factor);
    }
    if (type == CK_F32) {
        memcpy(&floats, x, sizeof floats);
        return floats;
    }
    memcpy(&halves, x, sizeof halves);
    if (type == CK_F16) return sixteen_f16(set, halves);
    return (v16)(__builtin_convertvector(halves, u32x16) << 16);
}

// One number at any address.
static ALWAYS_INLINE float one(const ck_set set, const ck_type type, const void *x, float factor) {
    float value;
    uint16_t half;
    if (type == CK_F8_E4M3 || type == CK_F8_E5M2) return sixteen_f8(set, type, (u8x16){*(const uint8_t *)x}, factor)[0];
    if (type == CK_F32) {
        memcpy(&value, x, sizeof value);
        return value;
    }
    memcpy(&half, x, sizeof half);
    if (type == CK_F16) return sixteen_f16(set, (u16x16){half})[0];
    const uint32_t bits = (uint32_t)half << 16;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
