// A look for NaN and infinity in states as they are stored: the numbers whose exponent is all ones.
#include "dispatch.h"
#include "kernels.h"
#include "states.h"

// finite_N(x, count, exponent): whether none of `count` numbers of a token, with as many bits as `integer` has, has ones in
// all bits of `exponent`. It looks at all of them before it decides: nearly always all are finite.
#define FINITE(name, integer)                                                                   \
    static ALWAYS_INLINE _Bool name(const char *x, ptrdiff_t count, const integer exponent) {   \
        typedef integer vector __attribute__((vector_size(64)));                                \
        const ptrdiff_t size = sizeof(integer), lanes = 64 / size;                              \
        vector found = {0};                                                                     \
        ptrdiff_t i = 0;                                                                        \
        for (; i + lanes <= count; i += lanes) {                                                \
            vector bits;                                                                        \
            memcpy(&bits, x + size * i, sizeof bits);                                           \
            found |= (vector)((bits & exponent) == exponent);                                   \
        }                                                                                       \
        integer any = 0;                                                                        \
        for (int k = 0; k < lanes; k++) any |= found[k];                                        \
        for (; i < count; i++) {                                                                \
            integer bits;                                                                       \
            memcpy(&bits, x + size * i, sizeof bits);                                           \
            any |= (bits & exponent) == exponent;                                               \
        }                                                                                       \
        return any == 0;                                                                        \
    }

FINITE(finite_32, uint32_t)
FINITE(finite_16, uint16_t)
FINITE(finite_8, uint8_t)

// Of E4M3 only what is all ones is no number. A scale keeps finite numbers finite.
static ALWAYS_INLINE _Bool finite_row(const ck_type type, const char *row, ptrdiff_t width) {
    switch (type) {
    case CK_F32: return finite_32(row, width, 0x7f800000);
    case CK_F16: return finite_16(row, width, 0x7c00);
    case CK_BF16: return finite_16(row, width, 0x7f80);
    case CK_F8_E4M3: return finite_8(row, width, 0x7f);
    case CK_F8_E5M2: return finite_8(row, width, 0x7c);
    }
    return 0;
}

static ALWAYS_INLINE void ck_all_finite_body(const ck_set set, ck_states x, ptrdiff_t tokens, ptrdiff_t width,
                                             _Bool *result) {
    (void)set;
    *result = 1;
    for (ptrdiff_t t = 0; t < tokens && *result; t++)
        *result = finite_row(x.type, (const char *)x.numbers + t * x.stride, width);
}

DISPATCH(ck_all_finite, (ck_states x, ptrdiff_t tokens, ptrdiff_t width, _Bool *result), x, tokens, width, result)
