/* Several threads that use the same probe, stream and streams at once, each with messages of its own. */
#include <pthread.h>
#include <stdlib.h>

#include "check.h"

enum { threads = 4, rounds = 20 };

static ap_probe *probe;
static ap_stream *stream;
static ap_streams *streams;
static activations data;
static float *logits[threads];
static int faults[threads];

static void *work(void *number) {
    int own = (int)(intptr_t)number;
    ap_batch batch = batch_of(&data);
    const ap_probe *probes[] = {probe};
    ap_scores scores = {.logits = {logits[own], data.sequences}};
    float value;
    ap_floats out = {&value, 1};
    char message[64];
    for (int i = 0; i < rounds; i++) {
        int64_t id = own * rounds + i;
        faults[own] += ap_score(probes, 1, &batch, &scores, 2) != AP_OK;
        faults[own] += ap_stream_append(stream, data.states, AP_BF16, 1, data.width, 0, NULL, out) != AP_OK;
        faults[own] += ap_streams_open(streams, id, NULL) != AP_OK;
        faults[own] += ap_streams_step(streams, &id, 1, data.states, AP_BF16, data.width, 0, NULL, &out, NULL) != AP_OK;
        faults[own] += ap_streams_close(streams, -1 - id) != AP_DATA;
        snprintf(message, sizeof message, "id %lld", (long long)(-1 - id));
        faults[own] += strstr(ap_last_error(), message) == NULL;
    }
    return NULL;
}

void test_threads(const char *folder) {
    char path[4096];
    pthread_t workers[threads];
    int64_t tokens = 0, count = 0;
    snprintf(path, sizeof path, "%s/probe.safetensors", folder);
    OK(ap_probe_load(path, &probe));
    snprintf(path, sizeof path, "%s/test.safetensors", folder);
    data = read_activations(path);
    const ap_probe *probes[] = {probe};
    OK(ap_stream_open(probe, &stream));
    OK(ap_streams_create(probes, 1, 1, &streams));
    for (intptr_t i = 0; i < threads; i++) {
        logits[i] = malloc(sizeof(float) * (size_t)data.sequences);
        pthread_create(&workers[i], NULL, work, (void *)i);
    }
    for (int i = 0; i < threads; i++) pthread_join(workers[i], NULL);
    for (int i = 0; i < threads; i++) {
        CHECK(faults[i] == 0);
        CHECK(memcmp(logits[i], logits[0], sizeof(float) * (size_t)data.sequences) == 0);
    }
    OK(ap_stream_counts(stream, &tokens, NULL));
    CHECK(tokens == threads * rounds);
    OK(ap_streams_ids(streams, NULL, 0, &count));
    CHECK(count == threads * rounds);
    OK(ap_stream_free(stream));
    OK(ap_streams_free(streams));
    OK(ap_probe_free(probe));
    for (int i = 0; i < threads; i++) free(logits[i]);
    free_activations(&data);
}
