// One head's attention over tokens that come a tile at a time: what a softmax over the whole sequence
// would give is the running sums over their total, whatever logit the exponentials start from. Only where
// a tile's largest lies far above it does it start anew, and what was summed before is scaled.
#include <math.h>

#include "exponential.h"
#include "kernels.h"

// Sixteen logits with their positions, -∞ beyond `count`, and those positions.
static ALWAYS_INLINE v16 placed(const float *logits, ptrdiff_t count, float slope, const float *positions,
                                float first, v16 *position) {
    *position = load(positions, count, 0) - first;
    return load(logits, count, -INFINITY) + slope * *position;
}

// From the sums of x and x² around 0 to those around `shift`, with n the sum of weights.
static ALWAYS_INLINE void move_center(double n, double shift, double *sum, double *squares) {
    *squares += shift * (shift * n - 2 * *sum);
    *sum -= shift * n;
}

static ALWAYS_INLINE void ck_run_softmax_body(const ck_set set, float *logits, float *values, ptrdiff_t count,
                                              float slope, const float *positions, float first,
                                              ck_running_softmax *run) {
    (void)set;
    v16 largest = {0}, position;
    largest -= INFINITY;
    for (ptrdiff_t i = 0; i < count; i += 16)
        largest = __builtin_elementwise_max(
            largest, placed(logits + i, count - i, slope, positions + i, first, &position));
    float maximum = largest[0];
    for (int i = 1; i < 16; i++) maximum = largest[i] > maximum ? largest[i] : maximum;
    const _Bool is_first = run->total == 0;
    run->scale = 1;
    run->shift = 0;
    if (is_first || maximum > run->origin + CK_LOGIT_RANGE) {
        double scale = is_first ? 1 : exp((double)run->origin - maximum);
        run->origin = maximum;
        run->scale = (float)scale;
        run->total *= scale;
        run->values *= scale;
        run->squares *= scale;
        run->positions *= scale;
        run->products *= scale;
    }

    d16 totals = {0}, sums = {0}, squares = {0};
    for (ptrdiff_t i = 0; i < count; i += 16) {
        v16 e = exponential(placed(logits + i, count - i, slope, positions + i, first, &position) - run->origin);
        memcpy(logits + i, &e, sizeof(float) * (size_t)(count - i < 16 ? count - i : 16));
        d16 weight = __builtin_convertvector(e, d16);
        d16 value = __builtin_convertvector(load(values + i, count - i, run->center) - run->center, d16);
        totals += weight;
        sums += weight * value;
        squares += weight * value * value;
    }
    double added = total(totals), all = run->total + added;
    double value = (run->values + total(sums)) / all, square = (run->squares + total(squares)) / all;
    if (is_first || value * value > CK_CENTER_RANGE * CK_CENTER_RANGE * (square - value * value)) {
        float center = (float)(run->center + value);
        double shift = (double)center - run->center;
        move_center(run->total, shift, &run->values, &run->squares);
        run->products -= shift * run->positions;
        run->center = center;
        run->shift = is_first ? 0 : (float)shift;
    }

    sums = squares = (d16){0};
    d16 places = {0}, products = {0};
    for (ptrdiff_t i = 0; i < count; i += 16) {
        v16 e = load(logits + i, count - i, 0), difference = load(values + i, count - i, run->center) - run->center;
        v16 above = e * difference;
        memcpy(values + i, &above, sizeof(float) * (size_t)(count - i < 16 ? count - i : 16));
        d16 place = __builtin_convertvector(load(positions + i, count - i, first) - first, d16);
        d16 wide = __builtin_convertvector(above, d16);
        sums += wide;
        squares += wide * __builtin_convertvector(difference, d16);
        places += place * __builtin_convertvector(e, d16);
        products += place * wide;
    }
    run->total = all;
    run->values += total(sums);
    run->squares += total(squares);
    run->positions += total(places);
    run->products += total(products);
}

DISPATCH(ck_run_softmax,
         (float *logits, float *values, ptrdiff_t count, float slope, const float *positions, float first,
          ck_running_softmax *run),
         logits, values, count, slope, positions, first, run)
