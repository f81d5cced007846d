// Compiles one inline body for each instruction set and picks one at run time.
//
// DISPATCH(name, parameters, arguments) wants a `static inline` function `name_body` with the
// attribute ALWAYS_INLINE whose first parameter is `ck_set set`, a constant of the table below. It defines the
// public function `name`.
#ifndef CK_DISPATCH_H
#define CK_DISPATCH_H

#include <stdint.h>
#include <string.h>

// Vectors are passed between inlined functions only, so no two ways of passing them can meet.
#pragma clang diagnostic ignored "-Wpsabi"

// Four, eight and sixteen floats, their bits, and sixteen doubles, read at any address that holds one.
typedef float v4 __attribute__((vector_size(16), aligned(4)));
typedef float v8 __attribute__((vector_size(32), aligned(4)));
typedef float v16 __attribute__((vector_size(64), aligned(4)));
typedef uint32_t u32x8 __attribute__((vector_size(32), aligned(4)));
typedef uint32_t u32x16 __attribute__((vector_size(64), aligned(4)));
typedef double d16 __attribute__((vector_size(128), aligned(8)));

#define ALWAYS_INLINE __attribute__((always_inline)) inline

static ALWAYS_INLINE uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

#include "kernels.h"

// What the kernels have to know of an instruction set.
typedef struct {
    // Vector registers, and how many floats each holds.
    int registers, lanes;
    // Tokens that meet a panel of weights together: as many sums as fit the registers beside the weights, up to 16
    // of 32, 6 pairs of 16, 6 fours of 32 or 2 fours of 16. More than 8 tokens at a time fall into the same cache sets
    // when D is a large power of two.
    int panel_tokens;
    // Tokens that meet 1, 2, 3 or 4 rows of weights together.
    int row_tokens[4];
    // Whether it has an instruction that widens half precision.
    int widens_f16;
    // Whether it multiplies a vector with one number of another: then four numbers of a token are one load, and none is
    // copied to all lanes.
    int multiplies_by_element;
    // Whether it multiplies and adds in one instruction, which rounds once.
    int fuses;
} ck_set;

// a·b + c for numbers or vectors of one type, rounded once for all of them where the set can. Were it left to the compiler,
// it might round twice in some copies of a loop, and bits would depend on the place of a number.
#define MULTIPLY_ADD(set, a, b, c) ((set).fuses ? __builtin_elementwise_fma(a, b, c) : (a) * (b) + (c))

#if defined(__FP_FAST_FMAF)
#define CK_TARGET_FUSES 1
#else
#define CK_TARGET_FUSES 0
#endif

// The table: the numbers of each set, in the order of the fields.
#define CK_AVX512_SET ((ck_set){32, 16, 8, {4, 4, 4, 4}, 1, 0, 1})
#define CK_AVX2_SET ((ck_set){16, 8, 6, {4, 2, 2, 1}, 1, 0, 1})
#define CK_NEON_SET ((ck_set){32, 4, 6, {4, 2, 2, 1}, 1, 1, 1})
#define CK_PLAIN_SET ((ck_set){16, 4, 2, {4, 2, 2, 1}, 0, 0, CK_TARGET_FUSES})

// How many vectors of sixteen floats its registers hold.
static ALWAYS_INLINE int vectors_in(const ck_set set) { return set.registers * set.lanes / 16; }

#if defined(__x86_64__)

// What a level is compiled for and what is asked of the processor before it is taken are one list, each
// feature as FEATURE(name): code for one that nobody asked about would end the process.
#define CK_AVX2_FEATURES(FEATURE) FEATURE(avx2) FEATURE(fma) FEATURE(f16c)
#define CK_AVX512_FEATURES(FEATURE) \
    CK_AVX2_FEATURES(FEATURE) FEATURE(avx512f) FEATURE(avx512vl) FEATURE(avx512dq) FEATURE(avx512bw)

#define CK_NAMED(name) #name ","
#define CK_FOR_AVX512 __attribute__((target(CK_AVX512_FEATURES(CK_NAMED) "sse2")))
#define CK_FOR_AVX2 __attribute__((target(CK_AVX2_FEATURES(CK_NAMED) "sse2")))

#define DISPATCH(name, parameters, ...)                                                            \
    CK_FOR_AVX512 static void name##_avx512 parameters { name##_body(CK_AVX512_SET, __VA_ARGS__); } \
    CK_FOR_AVX2 static void name##_avx2 parameters { name##_body(CK_AVX2_SET, __VA_ARGS__); } \
    static void name##_plain parameters { name##_body(CK_PLAIN_SET, __VA_ARGS__); } \
    void name parameters {                                                                         \
        switch (ck_level()) {                                                                      \
        case CK_AVX512: name##_avx512(__VA_ARGS__); break;                                         \
        case CK_AVX2: name##_avx2(__VA_ARGS__); break;                                             \
        default: name##_plain(__VA_ARGS__);                                                        \
        }                                                                                          \
    }

#elif defined(__aarch64__)

// NEON belongs to every processor of this target, so that nothing is asked for.
#define DISPATCH(name, parameters, ...)                                                            \
    static void name##_neon parameters { name##_body(CK_NEON_SET, __VA_ARGS__); }                  \
    static void name##_plain parameters { name##_body(CK_PLAIN_SET, __VA_ARGS__); }                \
    void name parameters {                                                                         \
        if (ck_level() == CK_NEON)                                                                 \
            name##_neon(__VA_ARGS__);                                                              \
        else                                                                                       \
            name##_plain(__VA_ARGS__);                                                             \
    }

#else

#define DISPATCH(name, parameters, ...)                                                            \
    void name parameters { name##_body(CK_PLAIN_SET, __VA_ARGS__); }

#endif

#endif
