// Stored numbers to float, out of line and into memory; products do the same in registers.
#include "dispatch.h"
#include "kernels.h"
#include "states.h"

static ALWAYS_INLINE void widen(const ck_set set, const ck_type type, const char *from, ptrdiff_t count,
                                float factor, float *to) {
    const int size = ck_size(type);
    ptrdiff_t i = 0;
    for (; i + 16 <= count; i += 16) *(v16 *)(to + i) = sixteen(set, type, from + i * size, factor);
    for (; i < count; i++) to[i] = one(set, type, from + i * size, factor);
}

static ALWAYS_INLINE void ck_widen_body(const ck_set set, ck_states x, ptrdiff_t tokens, ptrdiff_t width,
                                        float *to, ptrdiff_t to_stride) {
    for (ptrdiff_t t = 0; t < tokens; t++, to += to_stride) {
        const char *from = (const char *)x.numbers + t * x.stride;
        switch (x.type) {
        case CK_F32: memcpy(to, from, width * sizeof *to); break;
        case CK_F16: widen(set, CK_F16, from, width, 1, to); break;
        case CK_BF16: widen(set, CK_BF16, from, width, 1, to); break;
        case CK_F8_E4M3: widen(set, CK_F8_E4M3, from, width, factor_of(CK_F8_E4M3, x, t), to); break;
        case CK_F8_E5M2: widen(set, CK_F8_E5M2, from, width, factor_of(CK_F8_E5M2, x, t), to); break;
        }
    }
}

DISPATCH(ck_widen, (ck_states x, ptrdiff_t tokens, ptrdiff_t width, float *to, ptrdiff_t to_stride), x, tokens,
         width, to, to_stride)
