// Softmaxes of every kind against their formulas in double precision.
#include "check.h"

#include <math.h>

#define MOST 70

static float *floats(int count, float scale) {
    float *numbers = guarded(sizeof(float) * (size_t)count);
    for (int i = 0; i < count; i++) numbers[i] = next_float() * scale;
    return numbers;
}

static void drop(float *numbers, int count) { release(numbers, sizeof(float) * (size_t)count); }

void test_softmax(void) {
    for (int count = 1; count <= MOST; count++) {
        // Floats keep fewer digits of logits that positions make larger.
        const float slope = count <= 35 ? (float)below(2) * 0.25f : 0, start = -7;
        float *logits = floats(count, 5), *weights = floats(count, 1);
        double expected[MOST], sum = 0, entropy = 0, found;
        for (int i = 0; i < count; i++) sum += expected[i] = exp((double)logits[i] + (double)slope * (i - 7));
        error_sum error = {0, 0};
        ck_softmax(logits, count, slope, start, weights, &found);
        for (int i = 0; i < count; i++) {
            add_error(&error, weights[i], expected[i] / sum);
            entropy -= expected[i] / sum * log(expected[i] / sum);
        }
        CHECK(relative_error(error) < 3e-7, "%d tokens: error %g", count, relative_error(error));
        CHECK(fabs(found - entropy) < 1e-6, "%d tokens: entropy %g, expected %g", count, found, entropy);
        // In place it is the same, and a NaN makes all of them one.
        ck_softmax(logits, count, slope, start, logits, NULL);
        CHECK(memcmp(logits, weights, sizeof(float) * (size_t)count) == 0, "%d tokens", count);
        logits[below(count)] = NAN;
        ck_softmax(logits, count, slope, start, weights, NULL);
        int nans = 0;
        for (int i = 0; i < count; i++) nans += isnan(weights[i]) != 0;
        CHECK(nans == count, "%d of %d", nans, count);
        drop(logits, count);
        drop(weights, count);
    }
    // The exponential over all that a float's can be: sixteen zeros and a number.
    double worst = 0;
    for (int step = 0; step < 20000; step++) {
        float values[17] = {0};
        values[16] = -(float)step * 87.3f / 20000;
        const double e = exp((double)values[16]), expected = e / (16 + e);
        ck_softmax(values, 17, 0, 0, values, NULL);
        const double unit = (double)(nextafterf((float)expected, 2) - (float)expected);
        worst = fmax(worst, fabs((double)values[16] - expected) / unit);
    }
    CHECK(worst <= 2.5, "%g units", worst);
}

void test_softmax_gradient(void) {
    for (int count = 1; count <= MOST; count++) {
        float *weights = floats(count, 1), *gradient = floats(count, 1), *positions = floats(count, 0);
        double before[MOST], mean = 0, slope = 0, found, dot;
        for (int i = 0; i < count; i++) {
            weights[i] = fabsf(weights[i]) / (float)count;
            before[i] = (double)gradient[i];
            positions[i] = (float)(100 + 2 * i);
            mean += (double)weights[i] * before[i];
        }
        ck_dot(weights, gradient, count, &dot);
        CHECK(fabs(dot - mean) < 1e-14, "%d tokens: %g, expected %g", count, dot, mean);
        ck_softmax_gradient(weights, gradient, count, positions, 98, (float)mean, &found);
        error_sum error = {0, 0};
        for (int i = 0; i < count; i++) {
            const double expected = (double)weights[i] * (before[i] - mean);
            add_error(&error, gradient[i], expected);
            slope += expected * (double)(positions[i] - 98);
        }
        CHECK(error.difference < 1e-6 * fmax(error.largest, 1.0 / count), "%d tokens: error %g", count, error.difference);
        CHECK(fabs(found - slope) < 1e-6 * 2 * count, "%d tokens: slope %g, expected %g", count, found, slope);
        drop(weights, count);
        drop(gradient, count);
        drop(positions, count);
    }
}

#define TILED 107

// Tiles of several sizes, with logits that rise far beyond the first tile's or fall far below, and values whose mean moves.
static void test_run(float slope, float jump) {
    static const int sizes[] = {24, 1, 16, 37, 5, 24};
    const double n = TILED, first = slope > 0 ? TILED - 1 : 0;
    double l[TILED], v[TILED], e[TILED], total = 0, largest = -INFINITY;
    ck_running_softmax run;
    memset(&run, 0, sizeof run);
    // Sums of a number x by e and by e·d, as the caller keeps them.
    double sums[2] = {0, 0}, x[TILED];
    int start = 0;
    for (int tile = 0; tile < 6; start += sizes[tile++]) {
        const int count = sizes[tile];
        float *logits = floats(count, 1), *values = floats(count, 1), *positions = floats(count, 0);
        for (int i = 0; i < count; i++) {
            values[i] += 100 + jump * (float)tile;
            positions[i] = (float)(start + i);
            l[start + i] = (double)logits[i] + (double)slope * (start + i - first);
            v[start + i] = (double)values[i];
            x[start + i] = (double)next_float();
            largest = fmax(largest, l[start + i]);
        }
        ck_run_softmax(logits, values, count, slope, positions, (float)first, &run);
        sums[1] = (double)run.scale * (sums[1] - (double)run.shift * sums[0]);
        sums[0] *= (double)run.scale;
        for (int i = 0; i < count; i++) {
            sums[0] += (double)logits[i] * x[start + i];
            sums[1] += (double)values[i] * x[start + i];
        }
        drop(logits, count);
        drop(values, count);
        drop(positions, count);
    }
    double value = 0, position = 0, product = 0, pooled = 0, covered = 0;
    for (int i = 0; i < TILED; i++) total += e[i] = exp(l[i] - largest);
    for (int i = 0; i < TILED; i++) value += e[i] * v[i] / total;
    for (int i = 0; i < TILED; i++) {
        position += e[i] * (i - first) / total;
        product += e[i] * (v[i] - value) * (i - first) / total;
        pooled += e[i] * x[i] / total;
        covered += e[i] * (v[i] - value) * x[i] / total;
    }
    const double deviation = run.values / run.total, bound = 4e-6 * (1 + fabs((double)jump));
    const struct { double found, expected, scale; } wanted[] = {
        {(double)run.center + deviation, value, 100},
        {run.positions / run.total, position, n},
        {(run.products - deviation * run.positions) / run.total, product, n},
        {sums[0] / run.total, pooled, 3},
        {(sums[1] - deviation * sums[0]) / run.total, covered, 10},
    };
    for (int i = 0; i < 5; i++)
        CHECK(fabs(wanted[i].found - wanted[i].expected) < bound * wanted[i].scale, "slope %g, jump %g, %d: %g, expected %g",
              (double)slope, (double)jump, i, wanted[i].found, wanted[i].expected);
}

void test_running_softmax(void) {
    static const float slopes[] = {-3, 0, 0.1f, 0.15f, 0.5f, 3, 30}, jumps[] = {0, 7, -40};
    for (int s = 0; s < 7; s++)
        for (int j = 0; j < 3; j++) test_run(slopes[s], jumps[j]);
}

// Weights and their entropy after tiles of several sizes, of which the fourth has logits around `jump` and the others around
// `base`.
static void test_tiles(float slope, float base, float jump) {
    static const int sizes[] = {24, 1, 16, 37, 5, 24};
    double l[TILED], largest = -INFINITY, total = 0, entropy = 0;
    float weights[TILED];
    ck_tile_sums seen;
    memset(&seen, 0, sizeof seen);
    for (int tile = 0, start = 0; tile < 6; start += sizes[tile++]) {
        const int count = sizes[tile];
        float *logits = floats(count, 3);
        for (int i = 0; i < count; i++) {
            logits[i] += tile == 3 ? jump : base;
            l[start + i] = (double)logits[i] + (double)slope * (start + i - 50);
            largest = fmax(largest, l[start + i]);
        }
        ck_tile_softmax(logits, count, slope, (float)(start - 50), weights + start, &seen);
        for (int i = 0; i < start; i++) weights[i] *= seen.scale;
        drop(logits, count);
    }
    for (int i = 0; i < TILED; i++) total += exp(l[i] - largest);
    error_sum error = {0, 0};
    for (int i = 0; i < TILED; i++) {
        const double a = exp(l[i] - largest) / total;
        add_error(&error, (float)((double)weights[i] / seen.total), a);
        if (a > 0) entropy -= a * log(a);
    }
    const double found = log(seen.total) - seen.logits / seen.total;
    CHECK(relative_error(error) < 1e-5, "slope %g, jump %g: error %g", (double)slope, (double)jump, relative_error(error));
    CHECK(fabs(found - entropy) < 1e-5, "slope %g, jump %g: entropy %g, expected %g", (double)slope, (double)jump, found, entropy);
}

void test_tile_softmax(void) {
    static const float slopes[] = {-3, 0, 0.1f, 0.5f, 3}, jumps[] = {0, 7, 25, -40, 3e38f, -3e38f};
    for (int s = 0; s < 5; s++)
        for (int j = 0; j < 6; j++) test_tiles(slopes[s], 0, jumps[j]);
    // Further apart than a float can say.
    test_tiles(0, -3e38f, 3e38f);
    test_tiles(0, 3e38f, -3e38f);
}

void test_prefix_weights(void) {
    for (int count = 1; count <= MOST; count++) {
        float *logits = floats(count, 30);
        double *weights = guarded(sizeof(double) * (size_t)count), largest, most = -INFINITY, worst = 0;
        ck_prefix_weights(logits, count, 0.01, 5, 3, weights, &largest);
        for (int i = 0; i < count; i++) {
            const double l = (double)logits[i] + 0.01 * (5 + i) - 3;
            most = fmax(most, l);
            worst = fmax(worst, fabs(weights[i] / exp(l) - 1));
        }
        CHECK(worst < 2e-7, "%d tokens: error %g", count, worst);
        CHECK(fabs(largest - most) < 1e-12, "%d tokens: %g, expected %g", count, largest, most);
        logits[0] = -200;
        ck_prefix_weights(logits, count, 0, 0, 0, weights, &largest);
        CHECK(weights[0] == 0, "%g", weights[0]);
        const double last = weights[count - 1];
        logits[0] = INFINITY;
        ck_prefix_weights(logits, count, 0, 0, 0, weights, &largest);
        CHECK(largest == INFINITY && (count == 1 || weights[count - 1] == last), "%g, %g", weights[count - 1], largest);
        const float low[] = {-INFINITY, -3e38f};
        for (int i = 0; i < 2; i++) {
            logits[0] = low[i];
            ck_prefix_weights(logits, count, 0, 0, 3e38, weights, &largest);
            CHECK(weights[0] == 0 && largest < 0, "%g: %g, %g", low[i], weights[0], largest);
        }
        drop(logits, count);
        release(weights, sizeof(double) * (size_t)count);
    }
}
