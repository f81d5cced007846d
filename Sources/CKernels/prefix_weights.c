// Weights of a head's tokens against an origin that is known, in double precision.
#include <math.h>

#include "exponential.h"
#include "kernels.h"

static ALWAYS_INLINE void ck_prefix_weights_body(const ck_set set, const float *logits, ptrdiff_t count,
                                                 double slope, double position, double origin, double *weights,
                                                 double *largest) {
    (void)set;
    d16 most = {0}, places = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    most -= INFINITY;
    for (ptrdiff_t i = 0; i < count; i += 16) {
        d16 above = __builtin_convertvector(load(logits + i, count - i, -INFINITY), d16) +
                    slope * (places + (position + (double)i)) - origin;
        most = __builtin_elementwise_max(most, above);
        // Less is 0 all the same, and infinitely less would be NaN.
        above = __builtin_elementwise_max(above, (d16){0} - 128);
        v16 rounded = __builtin_elementwise_min(__builtin_convertvector(above, v16), (v16){0} + 80);
        // e^x = e^f·e^(x-f) for the float f next to x.
        d16 weight = __builtin_convertvector(exponential(rounded), d16) *
                     (1 + (above - __builtin_convertvector(rounded, d16)));
        memcpy(weights + i, &weight, sizeof(double) * (size_t)(count - i < 16 ? count - i : 16));
    }
    *largest = most[0];
    for (int i = 1; i < 16; i++) *largest = most[i] > *largest ? most[i] : *largest;
}

DISPATCH(ck_prefix_weights,
         (const float *logits, ptrdiff_t count, double slope, double position, double origin, double *weights,
          double *largest),
         logits, count, slope, position, origin, weights, largest)
