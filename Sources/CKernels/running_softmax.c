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

// Starts the sums anew from a larger origin, around the mean value of what there is with this tile.
static ALWAYS_INLINE void start_from(float origin, const float *logits, const float *values, ptrdiff_t count,
                                     float slope, const float *positions, float first, ck_running_softmax *run) {
    d16 totals = {0}, weighted = {0};
    v16 position;
    for (ptrdiff_t i = 0; i < count; i += 16) {
        v16 e = exponential(placed(logits + i, count - i, slope, positions + i, first, &position) - origin);
        totals += __builtin_convertvector(e, d16);
        weighted += __builtin_convertvector(e * load(values + i, count - i, 0), d16);
    }
    const _Bool is_first = run->total == 0;
    double scale = is_first ? 1 : exp((double)run->origin - origin);
    double before = run->total * scale;
    float center = (float)((before * run->center + run->values * scale + total(weighted)) / (before + total(totals)));
    double shift = is_first ? 0 : (double)center - run->center;
    run->values = (run->values - shift * run->total) * scale;
    run->products = (run->products - shift * run->positions) * scale;
    run->total = before;
    run->positions *= scale;
    run->origin = origin;
    run->center = center;
    run->scale = (float)scale;
    run->shift = (float)shift;
}

static ALWAYS_INLINE void ck_run_softmax_body(const int registers, float *logits, float *values, ptrdiff_t count,
                                              float slope, const float *positions, float first,
                                              ck_running_softmax *run) {
    (void)registers;
    v16 largest = {0}, position;
    largest -= INFINITY;
    for (ptrdiff_t i = 0; i < count; i += 16)
        largest = __builtin_elementwise_max(
            largest, placed(logits + i, count - i, slope, positions + i, first, &position));
    float maximum = largest[0];
    for (int i = 1; i < 16; i++) maximum = largest[i] > maximum ? largest[i] : maximum;
    run->scale = 1;
    run->shift = 0;
    if (run->total == 0 || maximum > run->origin + CK_LOGIT_RANGE)
        start_from(maximum, logits, values, count, slope, positions, first, run);

    d16 totals = {0}, sums = {0}, places = {0}, products = {0};
    for (ptrdiff_t i = 0; i < count; i += 16) {
        v16 e = exponential(placed(logits + i, count - i, slope, positions + i, first, &position) - run->origin);
        v16 above = e * (load(values + i, count - i, run->center) - run->center);
        size_t size = sizeof(float) * (size_t)(count - i < 16 ? count - i : 16);
        memcpy(logits + i, &e, size);
        memcpy(values + i, &above, size);
        d16 place = __builtin_convertvector(position, d16), weight = __builtin_convertvector(e, d16);
        d16 difference = __builtin_convertvector(above, d16);
        totals += weight;
        sums += difference;
        places += place * weight;
        products += place * difference;
    }
    run->total += total(totals);
    run->values += total(sums);
    run->positions += total(places);
    run->products += total(products);
}

DISPATCH(ck_run_softmax,
         (float *logits, float *values, ptrdiff_t count, float slope, const float *positions, float first,
          ck_running_softmax *run),
         logits, values, count, slope, positions, first, run)
