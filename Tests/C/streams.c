/* Streams: prefix scores token by token, copies, bytes, merges, and many at once. */
#include <math.h>
#include <stdlib.h>

#include "check.h"

static int is_near(float a, float b) { return fabsf(a - b) <= 1e-5f * fmaxf(1, fabsf(b)); }

static void test_one(ap_probe *probe, ap_probe *mean, const activations *data, const float *prefixes) {
    int64_t length = data->offsets[1], d = data->width, tokens = -1, unmasked = -1;
    const char *states = data->states;
    size_t row = (size_t)d * 2;
    float logit = 0, probability = 0;
    ap_floats out = {&logit, 1}, chance = {&probability, 1}, none = {NULL, 0};
    ap_stream *stream = NULL, *copy = NULL, *rest = NULL, *other = NULL;
    OK(ap_stream_open(probe, &stream));
    OK(ap_stream_scores(stream, out, chance));
    CHECK(isnan(logit) && isnan(probability));
    for (int64_t t = 0; t < length; t++) {
        OK(ap_stream_append(stream, states + (size_t)t * row, AP_BF16, 1, d, 0, NULL, out));
        CHECK(is_near(logit, prefixes[t]));
        if (t == length / 2) OK(ap_stream_copy(stream, &copy));
    }
    OK(ap_stream_counts(stream, &tokens, &unmasked));
    CHECK(tokens == length && unmasked == length);
    OK(ap_stream_scores(stream, out, chance));
    CHECK(fabs(probability - 1 / (1 + exp(-(double)logit))) < 1e-6);

    /* The copy goes its own way: the other half as a stream of its own, merged. */
    int64_t half = length / 2 + 1;
    OK(ap_stream_open(probe, &rest));
    OK(ap_stream_append(rest, states + (size_t)half * row, AP_BF16, length - half, d, 0, NULL, none));
    float merged = 0;
    OK(ap_stream_merge(copy, rest));
    OK(ap_stream_scores(copy, (ap_floats){&merged, 1}, none));
    CHECK(is_near(merged, logit));

    /* Bytes and back. */
    size_t size = 0;
    OK(ap_stream_bytes(stream, NULL, 0, &size));
    char *bytes = malloc(size);
    OK(ap_stream_bytes(stream, bytes, size, &size));
    OK(ap_stream_load_bytes(probe, bytes, size, &other));
    float again = 0;
    OK(ap_stream_scores(other, (ap_floats){&again, 1}, none));
    CHECK(again == logit);
    FAILS(ap_stream_load_bytes(mean, bytes, size, &other), AP_DATA, "the bytes of the stream");
    FAILS(ap_stream_load_bytes(probe, bytes, size - 1, &other), AP_DATA, "the bytes of the stream");

    /* What cannot be leaves the stream as it was. */
    FAILS(ap_stream_append(stream, states, AP_BF16, 1, d - 1, 0, NULL, none), AP_USAGE, "that of the probe, 384");
    float *bad = calloc((size_t)d, sizeof(float));
    bad[3] = INFINITY;
    FAILS(ap_stream_append(stream, bad, AP_F32, 1, d, 0, NULL, none), AP_DATA, "dimension 3");
    FAILS(ap_stream_append(stream, states, AP_F64, 1, d, 0, NULL, none), AP_USAGE, "float64");
    FAILS(ap_stream_append(stream, states, AP_BF16, -1, d, 0, NULL, none), AP_USAGE, "tokens: expected 0 or more");
    FAILS(ap_stream_append(stream, states, AP_BF16, 1, d, 0, NULL, (ap_floats){&logit, 0}), AP_USAGE, "room for 1×1");
    uint8_t hidden = 0;
    OK(ap_stream_append(stream, bad, AP_F32, 1, d, 0, &hidden, (ap_floats){&merged, 1}));
    CHECK(merged == again);
    OK(ap_stream_counts(stream, &tokens, &unmasked));
    CHECK(tokens == length + 1 && unmasked == length);
    OK(ap_stream_clear(stream));
    OK(ap_stream_counts(stream, &tokens, NULL));
    CHECK(tokens == 0);
    free(bytes), free(bad);
    OK(ap_stream_free(stream));
    OK(ap_stream_free(copy));
    OK(ap_stream_free(rest));
    OK(ap_stream_free(other));
}

/* Each sequence is a request; all go on by a token a step. */
static void test_many(ap_probe *probe, ap_probe *mean, const activations *data, const float *prefixes) {
    enum { requests = 20 };
    int64_t d = data->width, ids[requests], count = 0;
    size_t row = (size_t)d * 2;
    char *states = malloc(requests * row);
    float logits[requests], means[requests], chances[requests];
    ap_floats outs[] = {{logits, requests}, {means, requests}}, probabilities[] = {{chances, requests}, {NULL, 0}};
    const ap_probe *probes[] = {probe, mean};
    ap_streams *streams = NULL;
    ap_stream *one = NULL;
    OK(ap_streams_create(probes, 2, 1, &streams));
    for (int64_t i = 0; i < requests; i++) OK(ap_streams_open(streams, 1000 - i, NULL));
    FAILS(ap_streams_open(streams, 1000, NULL), AP_DATA, "id 1000");
    for (int64_t t = 0; t < 3; t++) {
        for (int64_t i = 0; i < requests; i++) {
            ids[i] = 1000 - i;
            memcpy(states + (size_t)i * row, (const char *)data->states + (size_t)(data->offsets[i] + t) * row, row);
        }
        OK(ap_streams_step(streams, ids, requests, states, AP_BF16, d, 0, NULL, outs, probabilities));
        for (int64_t i = 0; i < requests; i++) {
            CHECK(is_near(logits[i], prefixes[data->offsets[i] + t]));
            CHECK(fabs(chances[i] - 1 / (1 + exp(-(double)logits[i]))) < 1e-6);
        }
    }
    OK(ap_streams_get(streams, 1000, 0, &one));
    float logit = 0;
    OK(ap_stream_scores(one, (ap_floats){&logit, 1}, (ap_floats){NULL, 0}));
    CHECK(logit == logits[0]);
    FAILS(ap_streams_get(streams, 1000, 2, &one), AP_USAGE, "probe: expected a number from 0 to 1, found 2");
    FAILS(ap_streams_get(streams, 5, 0, &one), AP_DATA, "id 5");

    /* A step with an id twice, or one that is not open, changes nothing. */
    int64_t twice[] = {1000, 1000}, closed[] = {1000, 3};
    FAILS(ap_streams_step(streams, twice, 2, states, AP_BF16, d, 0, NULL, outs, NULL), AP_DATA, "twice");
    FAILS(ap_streams_step(streams, closed, 2, states, AP_BF16, d, 0, NULL, outs, NULL), AP_DATA, "id 3");
    FAILS(ap_streams_step(streams, ids, -1, states, AP_BF16, d, 0, NULL, outs, NULL), AP_USAGE, "0 or more");
    FAILS(ap_streams_step(streams, ids, 2, states, AP_BF16, d + 1, 0, NULL, outs, NULL), AP_USAGE, "384");
    outs[1].count = 1;
    FAILS(ap_streams_step(streams, ids, 2, states, AP_BF16, d, 0, NULL, outs, NULL), AP_USAGE, "logits[1]: expected room");
    FAILS(ap_streams_step(streams, ids, 2, states, AP_BF16, d, 0, NULL, NULL, NULL), AP_USAGE, "logits: expected 2");
    OK(ap_streams_ids(streams, NULL, 0, &count));
    CHECK(count == requests);
    int64_t open[requests];
    FAILS(ap_streams_ids(streams, open, 3, &count), AP_USAGE, "ids: expected room for 20 elements, found 3");
    OK(ap_streams_close(streams, 1000));
    FAILS(ap_streams_close(streams, 1000), AP_DATA, "id 1000");
    OK(ap_streams_ids(streams, open, requests, &count));
    CHECK(count == requests - 1 && open[0] == 1000 - (requests - 1));

    /* A request that comes from elsewhere goes on from its streams. */
    const ap_stream *known[] = {one, one};
    FAILS(ap_streams_open(streams, 1, known), AP_DATA, "id 1");
    OK(ap_stream_free(one));
    OK(ap_streams_free(streams));
    free(states);
}

void test_streams(const char *folder) {
    char path[4096];
    size_t size;
    int64_t shape[2];
    ap_probe *probe = NULL, *mean = NULL;
    snprintf(path, sizeof path, "%s/probe.safetensors", folder);
    OK(ap_probe_load(path, &probe));
    snprintf(path, sizeof path, "%s/mean.safetensors", folder);
    OK(ap_probe_load(path, &mean));
    snprintf(path, sizeof path, "%s/test.safetensors", folder);
    activations data = read_activations(path);
    snprintf(path, sizeof path, "%s/tokens.safetensors", folder);
    char *file = read_file(path, &size);
    const char *stored = find_tensor(file, "prefix_logits", shape);
    float *prefixes = malloc(sizeof(float) * (size_t)shape[0]);
    memcpy(prefixes, stored, sizeof(float) * (size_t)shape[0]);
    test_one(probe, mean, &data, prefixes);
    test_many(probe, mean, &data, prefixes);
    OK(ap_probe_free(probe));
    OK(ap_probe_free(mean));
    free(file), free(prefixes);
    free_activations(&data);
}
