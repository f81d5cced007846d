// Products of tokens with rows of weights: within 1e-6 of the largest of what double precision gives, and with bits that
// depend neither on what tokens and rows stand beside nor on how tokens are stored.
#include "check.h"

#define MOST_TOKENS 70
#define MOST_ROWS 40

// Rows of weights as panels.
static float *panels_of(const float *weights, int rows, int width, size_t *size) {
    const int columns = (rows + CK_HALF_PANEL_COLUMNS - 1) / CK_HALF_PANEL_COLUMNS * CK_HALF_PANEL_COLUMNS;
    *size = sizeof(float) * (size_t)(columns * width);
    float *panels = guarded(*size);
    memset(panels, 0, *size);
    for (int r = 0; r < rows; r++) {
        const int first = r / CK_PANEL_COLUMNS * CK_PANEL_COLUMNS;
        const int of = rows - first <= CK_HALF_PANEL_COLUMNS ? CK_HALF_PANEL_COLUMNS : CK_PANEL_COLUMNS;
        for (int d = 0; d < width; d++) panels[first * width + d * of + r - first] = weights[r * width + d];
    }
    return panels;
}

// z[r][t], by panels, or by up to four rows at a time.
static float *product(_Bool by_panels, ck_states x, int tokens, int width, const float *weights, int rows) {
    static float z[MOST_ROWS * MOST_TOKENS];
    memset(z, 0xff, sizeof z);
    if (by_panels) {
        size_t size;
        float *panels = panels_of(weights, rows, width, &size);
        ck_project_panels(x, tokens, width, panels, rows, z, tokens);
        release(panels, size);
    } else {
        ck_project_rows(x, tokens, width, weights, rows, z, tokens);
    }
    // Nothing is written behind the last.
    for (int i = rows * tokens; i < MOST_ROWS * MOST_TOKENS; i++) {
        uint32_t bits;
        memcpy(&bits, &z[i], 4);
        if (bits != UINT32_MAX) CHECK(0, "%d tokens of %d rows: wrote at %d", tokens, rows, i);
    }
    return z;
}

static void test_products(_Bool by_panels, ck_type type, int width, int most_rows, int parts) {
    const int gap = below(3) * (size_of(type) == 1 ? 3 : 1);
    stored_tokens x = make_tokens(type, MOST_TOKENS, width, gap);
    const size_t size = sizeof(float) * (size_t)(most_rows * width);
    float *weights = guarded(size);
    for (int i = 0; i < most_rows * width; i++) weights[i] = next_float();
    float all[MOST_ROWS * MOST_TOKENS];
    memcpy(all, product(by_panels, x.states, MOST_TOKENS, width, weights, most_rows), sizeof all);
    error_sum error = {0, 0};
    for (int r = 0; r < most_rows; r++)
        for (int t = 0; t < MOST_TOKENS; t++) {
            double expected = 0;
            for (int d = 0; d < width; d++) expected += (double)x.floats[t * width + d] * (double)weights[r * width + d];
            add_error(&error, all[r * MOST_TOKENS + t], expected);
        }
    CHECK(relative_error(error) < 1e-6, "%s, width %d, %d rows: error %g", name_of(type), width, most_rows,
          relative_error(error));

    // The floats that they stand for have the same bits.
    const ck_states floats = {x.floats, CK_F32, width * 4, NULL};
    const float *wide = product(by_panels, floats, MOST_TOKENS, width, weights, most_rows);
    CHECK(memcmp(wide, all, sizeof(float) * (size_t)(most_rows * MOST_TOKENS)) == 0, "%s, width %d", name_of(type), width);

    // And so have any of the tokens with any of the rows.
    for (int part = 0; part < parts; part++) {
        const int start = below(MOST_TOKENS), tokens = 1 + below(MOST_TOKENS - start);
        const int first = below(most_rows), rows = 1 + below(most_rows - first);
        const float *some = product(by_panels, from_token(x.states, start), tokens, width, weights + first * width, rows);
        int different = 0;
        for (int r = 0; r < rows; r++)
            different += memcmp(some + r * tokens, all + (first + r) * MOST_TOKENS + start,
                                sizeof(float) * (size_t)tokens) != 0;
        CHECK(different == 0, "%s, width %d, tokens %d to %d, rows %d to %d", name_of(type), width, start, start + tokens,
              first, first + rows);
    }
    free_tokens(x, MOST_TOKENS, width);
    release(weights, size);
}

// Every width to 130, and those around the length of a chain of sums.
static void test_widths(_Bool by_panels, int most_rows, int parts) {
    static const int wide[] = {255, 256, 257, 258, 259, 511, 516, 770};
    for (ck_type type = CK_F32; type <= CK_F8_E5M2; type++) {
        for (int width = 1; width <= 130; width++) test_products(by_panels, type, width, most_rows, parts);
        for (int i = 0; i < 8; i++) test_products(by_panels, type, wide[i], most_rows, parts);
    }
}

void test_panels(void) { test_widths(1, MOST_ROWS, 12); }

void test_rows(void) {
    for (int rows = 1; rows <= 4; rows++) test_widths(0, rows, 6);
}
