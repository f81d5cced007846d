/* Scores of a batch in memory have the bits of the command line's; what cannot be is refused. */
#include <math.h>
#include <stdlib.h>

#include "check.h"

static float *room(int64_t count) {
    float *values = malloc(sizeof(float) * (size_t)count);
    for (int64_t i = 0; i < count; i++) values[i] = -12345;
    return values;
}

/* Whether a tensor of a file that the command line wrote has these bits. */
static int is_written(const char *folder, const char *name, const char *tensor_name, const float *values,
                      int64_t count) {
    char path[4096];
    size_t size;
    int64_t shape[2];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    char *file = read_file(path, &size);
    const char *bytes = find_tensor(file, tensor_name, shape);
    int same = shape[0] * shape[1] == count && memcmp(bytes, values, sizeof(float) * (size_t)count) == 0;
    free(file);
    return same;
}

static void test_bits(const char *folder, ap_probe *probe, ap_probe *mean, const activations *data) {
    int64_t n = data->sequences, t = data->tokens, h = 4;
    ap_batch batch = batch_of(data);
    float *logits = room(n), *probabilities = room(n), *entropies = room(n * h), *prefixes = room(t);
    float *attention = room(t * h), *contributions = room(t * h);
    ap_scores scores = {
        .logits = {logits, n},
        .probabilities = {probabilities, n},
        .entropies = {entropies, n * h},
        .attention = {attention, t * h},
        .contributions = {contributions, t * h},
        .prefix_logits = {prefixes, t},
    };
    const ap_probe *one[] = {probe};
    OK(ap_score(one, 1, &batch, &scores, 0));
    CHECK(is_written(folder, "scores.safetensors", "logits", logits, n));
    CHECK(is_written(folder, "tokens.safetensors", "prefix_logits", prefixes, t));
    CHECK(is_written(folder, "tokens.safetensors", "attention", attention, t * h));
    CHECK(is_written(folder, "tokens.safetensors", "contributions", contributions, t * h));
    for (int64_t i = 0; i < n; i++) {
        CHECK(fabs(probabilities[i] - 1 / (1 + exp(-(double)logits[i]))) < 1e-6);
        CHECK(entropies[i * h] >= 0 && entropies[i * h] <= log((double)(data->offsets[i + 1] - data->offsets[i])));
        double sum = 0;
        for (int64_t j = data->offsets[i]; j < data->offsets[i + 1]; j++) sum += attention[j * h];
        CHECK(fabs(sum - 1) < 1e-5);
    }

    /* The same bits by one thread, of rows that lie apart and at an odd address, and beside another probe. */
    size_t row = (size_t)data->width * 2, stride = row + 7;
    char *apart = malloc((size_t)t * stride + 1);
    for (int64_t j = 0; j < t; j++)
        memcpy(apart + 1 + (size_t)j * stride, (const char *)data->states + (size_t)j * row, row);
    float *others = room(n), *means = room(n), *alone = room(n);
    ap_batch spread = batch;
    spread.states = apart + 1;
    spread.stride = (int64_t)stride;
    ap_scores both[] = {{.logits = {others, n}}, {.logits = {means, n}}};
    const ap_probe *two[] = {probe, mean};
    OK(ap_score(two, 2, &spread, both, 1));
    CHECK(memcmp(others, logits, sizeof(float) * (size_t)n) == 0);
    const ap_probe *second[] = {mean};
    ap_scores lone = {.logits = {alone, n}};
    OK(ap_score(second, 1, &batch, &lone, 2));
    for (int64_t i = 0; i < n; i++) CHECK(fabsf(alone[i] - means[i]) <= 1e-5f * fmaxf(1, fabsf(alone[i])));

    /* The last two sequences alone, by their rows, in the other order. */
    int64_t starts[] = {data->offsets[n - 1], data->offsets[n - 2]}, ends[] = {data->offsets[n], data->offsets[n - 1]};
    ap_batch last = batch;
    last.sequences = 2;
    last.offsets = starts;
    last.ends = ends;
    ap_scores few = {.logits = {others, 2}, .prefix_logits = {attention, t}};
    for (int64_t j = 0; j < t; j++) attention[j] = -12345;
    OK(ap_score(one, 1, &last, &few, 0));
    CHECK(others[0] == logits[n - 1] && others[1] == logits[n - 2]);
    CHECK(attention[0] == -12345 && attention[starts[0]] == prefixes[starts[0]]);

    free(logits), free(probabilities), free(entropies), free(prefixes), free(attention), free(contributions);
    free(apart), free(others), free(means), free(alone);
}

static void test_masks(ap_probe *probe, const activations *data) {
    /* A token that the probe may not look at may be anything; NaN elsewhere is named. */
    int64_t d = data->width, n = 1, offsets[] = {0, 3};
    float *states = calloc((size_t)(3 * d), sizeof(float));
    for (int64_t i = 0; i < 3 * d; i++) states[i] = (float)(i % 7) - 3;
    states[d] = NAN;
    uint8_t mask[] = {1, 0, 1};
    ap_batch batch = {.states = states, .type = AP_F32, .tokens = 3, .width = d, .sequences = n, .offsets = offsets};
    float logit, attention[12], prefixes[3];
    ap_scores scores = {.logits = {&logit, 1}, .attention = {attention, 12}, .prefix_logits = {prefixes, 3}};
    const ap_probe *one[] = {probe};
    FAILS(ap_score(one, 1, &batch, &scores, 0), AP_DATA, "sequence 0, token 1, dimension 0");
    batch.mask = mask;
    OK(ap_score(one, 1, &batch, &scores, 0));
    CHECK(attention[4] == 0 && attention[0] > 0 && prefixes[0] == prefixes[1] && isfinite(logit));
    mask[0] = mask[2] = 0;
    FAILS(ap_score(one, 1, &batch, &scores, 0), AP_DATA, "expected a token that token_mask lets the probe look at");
    free(states);
}

static void test_fp8(ap_probe *probe, int64_t d) {
    /* FP8 with a scale a token has the bits of the same numbers as floats. */
    const uint8_t bytes[2][5] = {{0x38, 0xC0, 0x30, 0x00, 0x7E}, {0x3C, 0xC0, 0x38, 0x00, 0x7B}};
    const float values[2][5] = {{1, -2, 0.5f, 0, 448}, {1, -2, 0.5f, 0, 57344}};
    float scales[] = {1, 0.25f, -1, 3};
    int64_t starts[] = {0, 3}, ends[] = {2, 4};
    uint8_t *states = malloc((size_t)(4 * d));
    float *floats = malloc(sizeof(float) * (size_t)(4 * d)), found[2], wanted[2];
    const ap_probe *one[] = {probe};
    for (int kind = 0; kind < 2; kind++) {
        for (int64_t i = 0; i < 4 * d; i++) {
            states[i] = bytes[kind][i * i % 5];
            floats[i] = values[kind][i * i % 5] * scales[i / d];
        }
        /* The third row is no sequence's, and its scale any. */
        ap_batch batch = {.states = floats, .tokens = 4, .width = d, .sequences = 2, .offsets = starts, .ends = ends};
        ap_scores scores = {.logits = {wanted, 2}};
        batch.scales = (const float *)1; /* not looked at */
        OK(ap_score(one, 1, &batch, &scores, 0));
        batch.states = states;
        batch.type = kind == 0 ? AP_F8_E4M3 : AP_F8_E5M2;
        batch.scales = scales;
        scores.logits.values = found;
        OK(ap_score(one, 1, &batch, &scores, 0));
        CHECK(memcmp(found, wanted, sizeof found) == 0);
        batch.scales = NULL;
        OK(ap_score(one, 1, &batch, &scores, 0));
        CHECK(found[0] != wanted[0]);
        float wrong[] = {1, 0, 1, 1};
        batch.scales = wrong;
        FAILS(ap_score(one, 1, &batch, &scores, 0), AP_DATA, "sequence 0, token 1: expected a scale above 0");
        wrong[1] = INFINITY;
        FAILS(ap_score(one, 1, &batch, &scores, 0), AP_DATA, "sequence 0, token 1: expected a scale above 0");
        ap_stream *stream;
        OK(ap_stream_open(probe, &stream));
        FAILS(ap_stream_append(stream, states, batch.type, 1, d, 0, NULL, (ap_floats){0}), AP_USAGE, "or AP_BF16, found");
        OK(ap_stream_free(stream));
    }
    free(states), free(floats);
}

static void test_refusals(ap_probe *probe, ap_probe *mean, const activations *data) {
    int64_t n = data->sequences;
    float *logits = room(n);
    ap_scores scores = {.logits = {logits, n}};
    ap_batch good = batch_of(data), batch;
    const ap_probe *one[] = {probe}, *none[] = {NULL};
#define REFUSED(field, value, status, part) \
    do { \
        batch = good; \
        batch.field = value; \
        FAILS(ap_score(one, 1, &batch, &scores, 0), status, part); \
    } while (0)
    REFUSED(states, NULL, AP_USAGE, "states: expected");
    REFUSED(type, AP_F64, AP_USAGE, "found float64");
    REFUSED(type, (ap_type)9, AP_USAGE, "type: expected");
    REFUSED(tokens, -1, AP_USAGE, "tokens: expected 0 or more, found -1");
    REFUSED(tokens, data->tokens - 1, AP_DATA, "the number of tokens");
    REFUSED(tokens, INT64_MAX, AP_USAGE, "tokens: expected rows that fit in memory");
    REFUSED(width, 0, AP_USAGE, "width: expected 1 or more, found 0");
    REFUSED(width, 383, AP_DATA, "the width of the probe, 384");
    REFUSED(stride, 3, AP_USAGE, "stride: expected 0, or at least the 768 bytes of a row, found 3");
    REFUSED(stride, -768, AP_USAGE, "stride: expected");
    REFUSED(stride, INT64_MAX, AP_USAGE, "expected rows that fit in memory");
    REFUSED(sequences, 0, AP_USAGE, "sequences: expected 1 or more, found 0");
    REFUSED(sequences, INT64_MIN, AP_USAGE, "sequences: expected 1 or more");
    REFUSED(sequences, INT64_MAX, AP_USAGE, "sequences: expected");
    REFUSED(offsets, NULL, AP_USAGE, "offsets: expected 101 elements, found NULL");
    int64_t falling[101];
    memcpy(falling, data->offsets, sizeof falling);
    falling[5] = falling[4] - 1;
    REFUSED(offsets, falling, AP_DATA, "offsets, element 5");
    falling[5] = falling[4];
    REFUSED(offsets, falling, AP_DATA, "sequence 4: expected at least one token");
    falling[5] = INT64_MIN;
    REFUSED(offsets, falling, AP_DATA, "offsets, element 5");
    memcpy(falling, data->offsets, sizeof falling);
    falling[0] = 1;
    REFUSED(offsets, falling, AP_DATA, "expected 0 first, found 1");
    batch = good;
    int64_t ends[100];
    memcpy(ends, data->offsets + 1, sizeof ends);
    ends[7] = -5;
    batch.ends = ends;
    FAILS(ap_score(one, 1, &batch, &scores, 0), AP_USAGE, "ends[7]: expected at least");
    ends[7] = data->tokens + 1;
    FAILS(ap_score(one, 1, &batch, &scores, 0), AP_DATA, "sequence 7: expected rows from 0 to");

    FAILS(ap_score(one, 0, &good, &scores, 0), AP_USAGE, "probes: expected at least one, found none");
    FAILS(ap_score(one, -1, &good, &scores, 0), AP_USAGE, "count: expected 0 or more, found -1");
    FAILS(ap_score(NULL, 1, &good, &scores, 0), AP_USAGE, "probes: expected 1 elements, found NULL");
    FAILS(ap_score(none, 1, &good, &scores, 0), AP_USAGE, "probes[0]: expected a probe, found NULL");
    FAILS(ap_score(one, 1, NULL, &scores, 0), AP_USAGE, "batch: expected a batch, found NULL");
    FAILS(ap_score(one, 1, &good, NULL, 0), AP_USAGE, "scores: expected 1 elements, found NULL");
    FAILS(ap_score(one, 1, &good, &scores, -2), AP_USAGE, "threads: expected 0 or more, found -2");
    scores.logits.count = n - 1;
    FAILS(ap_score(one, 1, &good, &scores, 0), AP_USAGE, "logits: expected room for 100×1 numbers, found 99");
    const ap_probe *linear[] = {mean};
    ap_scores attention = {.attention = {logits, n}};
    FAILS(ap_score(linear, 1, &good, &attention, 0), AP_USAGE, "expected a probe that attends");
    CHECK(logits[0] == -12345);
    free(logits);
}

void test_scores(const char *folder) {
    char path[4096];
    ap_probe *probe = NULL, *mean = NULL;
    snprintf(path, sizeof path, "%s/probe.safetensors", folder);
    OK(ap_probe_load(path, &probe));
    snprintf(path, sizeof path, "%s/mean.safetensors", folder);
    OK(ap_probe_load(path, &mean));
    snprintf(path, sizeof path, "%s/test.safetensors", folder);
    activations data = read_activations(path);
    test_bits(folder, probe, mean, &data);
    test_masks(probe, &data);
    test_fp8(probe, data.width);
    test_refusals(probe, mean, &data);
    OK(ap_probe_free(probe));
    OK(ap_probe_free(mean));
    free_activations(&data);
}
