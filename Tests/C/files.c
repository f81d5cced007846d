#include <stdlib.h>

#include "check.h"

char *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(66);
    }
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*size + 1);
    if (fread(bytes, 1, *size, file) != *size) exit(74);
    bytes[*size] = 0;
    fclose(file);
    return bytes;
}


const char *find_tensor(const char *file, const char *name, int64_t shape[2]) {
    uint64_t length;
    memcpy(&length, file, 8);
    char key[64];
    snprintf(key, sizeof key, "\"%s\":{", name);
    const char *entry = strstr(file + 8, key);
    if (!entry || entry >= file + 8 + length) {
        fprintf(stderr, "no tensor %s\n", name);
        exit(65);
    }
    const char *sizes = strstr(entry, "\"shape\":[") + 9;
    char *end;
    shape[0] = strtoll(sizes, &end, 10);
    shape[1] = *end == ',' ? strtoll(end + 1, NULL, 10) : 1;
    return file + 8 + length + strtoll(strstr(entry, "\"data_offsets\":[") + 16, NULL, 10);
}

/* A copy, because int64_t has to be aligned. */
static int64_t *copy_integers(const char *file, const char *name) {
    int64_t shape[2];
    const char *bytes = find_tensor(file, name, shape);
    int64_t *copy = malloc(sizeof(int64_t) * (size_t)shape[0]);
    memcpy(copy, bytes, sizeof(int64_t) * (size_t)shape[0]);
    return copy;
}

activations read_activations(const char *path) {
    activations data;
    size_t size;
    int64_t shape[2];
    data.file = read_file(path, &size);
    data.offsets = copy_integers(data.file, "offsets");
    data.labels = copy_integers(data.file, "labels");
    data.groups = copy_integers(data.file, "groups");
    find_tensor(data.file, "labels", shape);
    data.sequences = shape[0];
    data.states = find_tensor(data.file, "hidden_states", shape);
    data.tokens = shape[0];
    data.width = shape[1];
    return data;
}

void free_activations(activations *data) {
    free(data->file);
    free(data->offsets);
    free(data->labels);
    free(data->groups);
}

ap_batch batch_of(const activations *data) {
    ap_batch batch = {
        .states = data->states,
        .type = AP_BF16,
        .tokens = data->tokens,
        .width = data->width,
        .sequences = data->sequences,
        .offsets = data->offsets,
    };
    return batch;
}

ap_data *open_data(const char *folder, const char *name) {
    char path[4096];
    ap_data *data = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    const char *paths[] = {path};
    OK(ap_data_open(paths, 1, NULL, &data));
    return data;
}
