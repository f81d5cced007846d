// Softmax over the tokens of one head, its gradient, and the weighted sum of its values, sixteen tokens at
// a time.
#include <math.h>
#include <string.h>

#include "dispatch.h"
#include "exponential.h"
#include "kernels.h"

// Sixteen logits from `i` on with their positions added; -∞ beyond `count`.
static ALWAYS_INLINE v16 shifted(const float *logits, ptrdiff_t count, ptrdiff_t i, float slope, v16 position) {
    v16 values = load(logits + i, count - i, 0) + slope * (position + (float)i);
    for (ptrdiff_t lane = count - i; lane < 16; lane++) values[lane] = -INFINITY;
    return values;
}

// Sixteen logits at a time, which are read twice instead of being kept.
static ALWAYS_INLINE void ck_tile_softmax_body(const ck_set set, const float *logits, ptrdiff_t count, float slope,
                                               float start, float *weights, ck_tile_sums *seen) {
    (void)set;
    v16 position, largest = {0};
    for (int i = 0; i < 16; i++) position[i] = start + (float)i;
    largest -= INFINITY;
    for (ptrdiff_t i = 0; i < count; i += 16) {
        largest = __builtin_elementwise_max(largest, shifted(logits, count, i, slope, position));
    }
    float maximum = largest[0];
    for (int i = 1; i < 16; i++) maximum = largest[i] > maximum ? largest[i] : maximum;
    seen->scale = 1;
    if (seen->total == 0) {
        seen->origin = maximum;
    } else if (maximum > seen->origin + CK_LOGIT_RANGE) {
        // Of logits so far below that their exponentials vanish, as the difference itself may be infinite, nothing is left.
        const double below = fmax((double)seen->origin - maximum, -1e4), scale = exp(below);
        seen->logits = scale * (seen->logits + below * seen->total);
        seen->total *= scale;
        seen->scale = (float)scale;
        seen->origin = maximum;
    }
    d16 sums = {0}, products = {0};
    for (ptrdiff_t i = 0; i < count; i += 16) {
        v16 below = shifted(logits, count, i, slope, position) - seen->origin;
        v16 e = exponential(below);
        sums += __builtin_convertvector(e, d16);
        // Where e is 0, so is its share of the entropy.
        v16 finite = __builtin_elementwise_max(below, (v16){0} - 100);
        products += __builtin_convertvector(e * finite, d16);
        memcpy(weights + i, &e, sizeof(float) * (size_t)(count - i < 16 ? count - i : 16));
    }
    seen->total += total(sums);
    seen->logits += total(products);
}

static ALWAYS_INLINE void ck_softmax_body(const ck_set set, const float *logits, ptrdiff_t count, float slope,
                                          float start, float *weights, double *entropy) {
    ck_tile_sums all = {0};
    ck_tile_softmax_body(set, logits, count, slope, start, weights, &all);
    // -Σ a·ln a with ln a = (logit - maximum) - ln Σe
    if (entropy) *entropy = count > 0 ? log(all.total) - all.logits / all.total : 0;
    float scale = (float)(1 / all.total);
    for (ptrdiff_t i = 0; i < count; i++) weights[i] *= scale;
}

static ALWAYS_INLINE void ck_softmax_gradient_body(const ck_set set, const float *weights, float *gradient,
                                                   ptrdiff_t count, const float *positions, float first,
                                                   float mean, double *slope) {
    (void)set;
    d16 slopes = {0};
    for (ptrdiff_t i = 0; i < count; i += 16) {
        v16 d = load(weights + i, count - i, 0) * (load(gradient + i, count - i, 0) - mean);
        v16 position = load(positions + i, count - i, first) - first;
        slopes += __builtin_convertvector(d, d16) * __builtin_convertvector(position, d16);
        memcpy(gradient + i, &d, sizeof(float) * (size_t)(count - i < 16 ? count - i : 16));
    }
    *slope = total(slopes);
}

static ALWAYS_INLINE void ck_dot_body(const ck_set set, const float *a, const float *b, ptrdiff_t count,
                                      double *result) {
    (void)set;
    d16 sums = {0};
    for (ptrdiff_t i = 0; i < count; i += 16) {
        d16 x = __builtin_convertvector(load(a + i, count - i, 0), d16);
        sums += x * __builtin_convertvector(load(b + i, count - i, 0), d16);
    }
    *result = total(sums);
}

DISPATCH(ck_softmax,
         (const float *logits, ptrdiff_t count, float slope, float start, float *weights, double *entropy),
         logits, count, slope, start, weights, entropy)
DISPATCH(ck_softmax_gradient,
         (const float *weights, float *gradient, ptrdiff_t count, const float *positions, float first,
          float mean, double *slope),
         weights, gradient, count, positions, first, mean, slope)
DISPATCH(ck_tile_softmax,
         (const float *logits, ptrdiff_t count, float slope, float start, float *weights, ck_tile_sums *seen),
         logits, count, slope, start, weights, seen)
DISPATCH(ck_dot, (const float *a, const float *b, ptrdiff_t count, double *result), a, b, count, result)
