// Where the numbers of stored hidden states are. `size` is that of their type, for the compiler to know.
#ifndef CK_STATES_H
#define CK_STATES_H

#include "dispatch.h"

static ALWAYS_INLINE int ck_size(ck_type type) { return type == CK_F32 ? 4 : 2; }

// The address of number d of token t.
static ALWAYS_INLINE const char *number(ck_states x, const int size, ptrdiff_t t, ptrdiff_t d) {
    return (const char *)x.numbers + t * x.stride + d * size;
}

// The states from number d of token t on.
static ALWAYS_INLINE ck_states from_number(ck_states x, const int size, ptrdiff_t t, ptrdiff_t d) {
    x.numbers = number(x, size, t, d);
    return x;
}

#endif
