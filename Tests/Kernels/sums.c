// Sums over tokens: weighted, in double precision, of squares, largest magnitudes; products with weights of double precision;
// and AdamW, which has the bits of its formula.
#include "check.h"

#include <math.h>

#define MOST_TOKENS 70

// sums[r][d] + Σ_j a[r][j]·x[j][d], for widths 1 to 130 and some tens of which columns are copied, with tokens and rows of
// any number.
static void test_weighted_shape(int tokens, int width, int rows) {
    const int stride = width + below(20), a_stride = tokens + below(3), x_stride = width + below(2) * below(30);
    const size_t x_size = sizeof(float) * (size_t)((tokens - 1) * x_stride + width);
    const size_t a_size = sizeof(float) * (size_t)((rows - 1) * a_stride + tokens);
    const size_t sums_size = sizeof(float) * (size_t)((rows - 1) * stride + width);
    float *x = guarded(x_size), *a = guarded(a_size), *sums = guarded(sums_size), *parts = guarded(sums_size);
    for (size_t i = 0; i < x_size / sizeof(float); i++) x[i] = next_float();
    for (size_t i = 0; i < a_size / sizeof(float); i++) a[i] = next_float();
    for (size_t i = 0; i < sums_size / sizeof(float); i++) parts[i] = sums[i] = next_float();
    float *before = malloc(sums_size);
    memcpy(before, sums, sums_size);
    ck_add_weighted_sums(a, a_stride, rows, x, x_stride, tokens, width, sums, stride);
    error_sum error = {0, 0};
    int touched = 0;
    for (int r = 0; r < rows; r++)
        for (int d = 0; d < stride && r * stride + d < (int)(sums_size / sizeof(float)); d++) {
            double expected = before[r * stride + d];
            for (int j = 0; d < width && j < tokens; j++)
                expected += (double)a[r * a_stride + j] * (double)x[j * x_stride + d];
            if (d < width) add_error(&error, sums[r * stride + d], expected);
            else touched += sums[r * stride + d] != before[r * stride + d];
        }
    CHECK(relative_error(error) < 1e-6, "%d tokens, width %d, %d rows: error %g", tokens, width, rows, relative_error(error));
    CHECK(touched == 0, "%d tokens, width %d, %d rows: %d numbers between rows", tokens, width, rows, touched);

    // In two tiles of tokens and two groups of rows it is the same sum in the same order.
    const int cut = below(tokens + 1), rows_cut = below(rows + 1);
    for (int tile = 0; tile < 2; tile++)
        for (int group = 0; group < 2; group++) {
            const int first = tile ? cut : 0, count = tile ? tokens - cut : cut;
            const int row = group ? rows_cut : 0, row_count = group ? rows - rows_cut : rows_cut;
            if (count > 0 && row_count > 0)
                ck_add_weighted_sums(a + row * a_stride + first, a_stride, row_count, x + first * x_stride, x_stride, count, width,
                                     parts + row * stride, stride);
        }
    CHECK(memcmp(parts, sums, sums_size) == 0, "%d tokens in %d and more, width %d, %d rows in %d and more", tokens, cut,
          width, rows, rows_cut);
    free(before);
    release(x, x_size);
    release(a, a_size);
    release(sums, sums_size);
    release(parts, sums_size);
}

void test_weighted_sums(void) {
    for (int width = 1; width <= 130; width++)
        for (int i = 0; i < 6; i++) test_weighted_shape(1 + below(MOST_TOKENS), width, 1 + below(40));
    for (int rows = 1; rows <= 40; rows++) test_weighted_shape(1 + below(MOST_TOKENS), 96, rows);
    for (int tokens = 1; tokens <= MOST_TOKENS; tokens++) test_weighted_shape(tokens, 112, 1 + below(40));
    test_weighted_shape(20, 1024, 9);
    test_weighted_shape(20, 3072, 16);
    test_weighted_shape(24, 4096, 11);
}

static void test_moments(int tokens, int width) {
    const size_t size = sizeof(float) * (size_t)(tokens * width);
    const size_t row = sizeof(double) * (size_t)width;
    float *x = guarded(size), *origin = guarded(row / 2), *largest = guarded(row / 2);
    double *sums = guarded(row), *squares = guarded(row), *totals = guarded(row);
    for (int i = 0; i < tokens * width; i++) x[i] = next_float() * 100;
    for (int d = 0; d < width; d++) {
        origin[d] = next_float() * 100;
        largest[d] = (float)below(100);
        totals[d] = sums[d] = squares[d] = 3;
    }
    float *before = malloc(row);
    memcpy(before, largest, row / 2);
    ck_add_moments(x, tokens, width, origin, sums, squares);
    ck_add_sums(x, tokens, width, totals);
    ck_raise_magnitudes(x, tokens, width, largest);
    error_sum errors[3] = {{0, 0}};
    int wrong = 0;
    for (int d = 0; d < width; d++) {
        double sum = 3, square = 3, total = 3;
        float most = before[d];
        for (int j = 0; j < tokens; j++) {
            const double value = (double)x[j * width + d] - (double)origin[d];
            sum += value;
            square += value * value;
            total += (double)x[j * width + d];
            if (fabsf(x[j * width + d]) > most) most = fabsf(x[j * width + d]);
        }
        add_error(&errors[0], sums[d], sum);
        add_error(&errors[1], squares[d], square);
        add_error(&errors[2], totals[d], total);
        wrong += largest[d] != most;
    }
    for (int i = 0; i < 3; i++)
        CHECK(relative_error(errors[i]) < 1e-12, "%d tokens, width %d, sum %d: error %g", tokens, width, i,
              relative_error(errors[i]));
    CHECK(wrong == 0, "%d tokens, width %d", tokens, width);
    x[below(tokens * width)] = NAN;
    ck_raise_magnitudes(x, tokens, width, largest);
    int nans = 0;
    for (int d = 0; d < width; d++) nans += isnan(largest[d]) != 0;
    CHECK(nans == 1, "%d tokens, width %d", tokens, width);
    free(before);
    release(x, size);
    release(origin, row / 2);
    release(largest, row / 2);
    release(sums, row);
    release(squares, row);
    release(totals, row);
}

void test_sums(void) {
    for (int width = 1; width <= 130; width++) test_moments(1 + below(MOST_TOKENS), width);
    for (int tokens = 1; tokens <= MOST_TOKENS; tokens++) test_moments(tokens, 37);
}

void test_wide_products(void) {
    for (int width = 1; width <= 130; width++) {
        const int rows = 1 + below(20), columns = 1 + below(12);
        float *x = guarded(sizeof(float) * (size_t)(rows * width));
        double *w = guarded(sizeof(double) * (size_t)(columns * width));
        double *z = guarded(sizeof(double) * (size_t)(rows * columns));
        for (int i = 0; i < rows * width; i++) x[i] = next_float();
        for (int i = 0; i < columns * width; i++) w[i] = next_float();
        ck_project_wide(x, rows, width, w, columns, z);
        error_sum product = {0, 0}, sum = {0, 0};
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < columns; c++) {
                long double expected = 0;
                for (int d = 0; d < width; d++) expected += (long double)x[r * width + d] * w[c * width + d];
                add_error(&product, z[r * columns + c], (double)expected);
            }
        CHECK(relative_error(product) < 1e-14, "width %d: error %g", width, relative_error(product));
        double *sums = guarded(sizeof(double) * (size_t)(columns * width));
        for (int i = 0; i < columns * width; i++) sums[i] = 1;
        ck_add_wide(z, x, rows, width, columns, sums);
        for (int c = 0; c < columns; c++)
            for (int d = 0; d < width; d++) {
                long double expected = 1;
                for (int r = 0; r < rows; r++) expected += (long double)z[r * columns + c] * x[r * width + d];
                add_error(&sum, sums[c * width + d], (double)expected);
            }
        CHECK(relative_error(sum) < 1e-14, "width %d: error %g", width, relative_error(sum));
        release(x, sizeof(float) * (size_t)(rows * width));
        release(w, sizeof(double) * (size_t)(columns * width));
        release(z, sizeof(double) * (size_t)(rows * columns));
        release(sums, sizeof(double) * (size_t)(columns * width));
    }
}

// The formula of one parameter, operation by operation.
void test_adamw(void) {
    const ck_adamw_step step = {1.7f, 31.5f, 0.01f, 0.1f};
    for (int count = 0; count <= 70; count++) {
        float *numbers[4], before[4][70];
        for (int k = 0; k < 4; k++) {
            numbers[k] = guarded(sizeof(float) * (size_t)(count > 0 ? count : 1));
            for (int i = 0; i < count; i++) before[k][i] = numbers[k][i] = k == 2 ? fabsf(next_float()) : next_float();
        }
        ck_adamw(numbers[0], numbers[1], numbers[2], numbers[3], count, step);
        int wrong = 0;
        for (int i = 0; i < count; i++) {
            const float p = before[0][i], g = before[3][i];
            const float m = 0.9f * before[1][i] + (1 - 0.9f) * g;
            const float v = 0.999f * before[2][i] + (1 - 0.999f) * g * g;
            const float change = m * step.first_scale / (sqrtf(v * step.second_scale) + 1e-8f);
            wrong += numbers[1][i] != m || numbers[2][i] != v || numbers[3][i] != g;
            wrong += numbers[0][i] != p - step.rate * (change + step.decay * p);
        }
        CHECK(wrong == 0, "%d parameters, %d wrong", count, wrong);
        for (int k = 0; k < 4; k++) release(numbers[k], sizeof(float) * (size_t)(count > 0 ? count : 1));
    }
}
