/* A probe read from a file and from bytes, what it says, and written again. */
#include <stdlib.h>

#include "check.h"

void test_probes(const char *folder) {
    char path[4096], copy[4096];
    ap_probe *probe = NULL, *again = NULL;
    size_t size = 0, stored_size, capacity;
    snprintf(path, sizeof path, "%s/probe.safetensors", folder);
    snprintf(copy, sizeof copy, "%s/copy.safetensors", folder);
    OK(ap_probe_load(path, &probe));

    ap_shape shape;
    OK(ap_probe_shape(probe, &shape));
    CHECK(shape.width == 384 && shape.outputs == 1 && shape.heads == 4 && shape.task == AP_BINARY);
    CHECK(shape.attends == 1 && shape.has_entropies == 1 && shape.threshold == 0.5);

    /* The same bytes in a file, in memory and from a probe that was read from memory. */
    char *stored = read_file(path, &stored_size);
    OK(ap_probe_bytes(probe, NULL, 0, &size));
    CHECK(size == stored_size);
    char *bytes = malloc(size);
    FAILS(ap_probe_bytes(probe, bytes, size - 1, &capacity), AP_USAGE, "bytes: expected room for");
    CHECK(capacity == size);
    OK(ap_probe_bytes(probe, bytes, size, &capacity));
    CHECK(memcmp(bytes, stored, size) == 0);
    OK(ap_probe_load_bytes(bytes, size, &again));
    OK(ap_probe_save(again, copy));
    char *saved = read_file(copy, &capacity);
    CHECK(capacity == size && memcmp(saved, stored, size) == 0);
    FAILS(ap_probe_save(again, "/no/such/folder/probe.safetensors"), AP_IO, "/no/such/folder");

    char *json = NULL;
    OK(ap_probe_describe(probe, &json));
    CHECK(strstr(json, "\"kind\" : \"attention\"") != NULL);
    CHECK(strstr(json, "\"positive\" : \"injection\"") != NULL);
    CHECK(strstr(json, "\"q.weight\" : [") != NULL);
    CHECK(strstr(json, "\"seed\" : \"1\"") != NULL);
    OK(ap_text_free(json));
    FAILS(ap_text_free(json), AP_USAGE, "expected a text that this library returned");

    int64_t count = 0;
    OK(ap_probe_tensor(probe, "q.weight", NULL, 0, &count));
    CHECK(count == 4 * 384);
    float *query = malloc(sizeof(float) * (size_t)count);
    FAILS(ap_probe_tensor(probe, "q.weight", query, 3, &count), AP_USAGE, "room for 1536 elements, found 3");
    OK(ap_probe_tensor(probe, "q.weight", query, count, &count));
    CHECK(query[0] != 0);
    FAILS(ap_probe_tensor(probe, "w", NULL, 0, &count), AP_USAGE, "q.weight");

    OK(ap_probe_free(probe));
    OK(ap_probe_free(again));
    free(stored);
    free(bytes);
    free(saved);
    free(query);
}
