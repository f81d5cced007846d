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

// weights ← softmax(logits + slope·(start + index)), sixteen at a time; the logits are read twice
// instead of being kept.
static ALWAYS_INLINE void ck_softmax_body(const ck_set set, const float *logits, ptrdiff_t count, float slope,
                                          float start, float *weights, double *entropy) {
    (void)set;
    v16 position, largest = {0};
    for (int i = 0; i < 16; i++) position[i] = start + (float)i;
    largest -= INFINITY;
    for (ptrdiff_t i = 0; i < count; i += 16) {
        largest = __builtin_elementwise_max(largest, shifted(logits, count, i, slope, position));
    }
    float maximum = largest[0];
    for (int i = 1; i < 16; i++) maximum = largest[i] > maximum ? largest[i] : maximum;
    d16 sums = {0}, products = {0};
    for (ptrdiff_t i = 0; i < count; i += 16) {
        v16 below = shifted(logits, count, i, slope, position) - maximum;
        v16 e = exponential(below);
        sums += __builtin_convertvector(e, d16);
        // Where e is 0, so is its share of the entropy.
        v16 finite = __builtin_elementwise_max(below, (v16){0} - 100);
        products += __builtin_convertvector(e * finite, d16);
        memcpy(weights + i, &e, sizeof(float) * (size_t)(count - i < 16 ? count - i : 16));
    }
    double sum = total(sums);
    // -Σ a·ln a with ln a = (logit - maximum) - ln Σe
    if (entropy) *entropy = count > 0 ? log(sum) - total(products) / sum : 0;
    float scale = (float)(1 / sum);
    for (ptrdiff_t i = 0; i < count; i++) weights[i] *= scale;
}

static ALWAYS_INLINE void ck_softmax_gradient_body(const ck_set set, const float *weights, float *gradient,
                                                   ptrdiff_t count, const float *positions, float first,
                                                   double *slope) {
    (void)set;
    d16 means = {0}, slopes = {0};
    for (ptrdiff_t i = 0; i < count; i += 16) {
        d16 w = __builtin_convertvector(load(weights + i, count - i, 0), d16);
        means += w * __builtin_convertvector(load(gradient + i, count - i, 0), d16);
    }
    const float mean = (float)total(means);
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
          double *slope),
         weights, gradient, count, positions, first, slope)
DISPATCH(ck_dot, (const float *a, const float *b, ptrdiff_t count, double *result), a, b, count, result)
