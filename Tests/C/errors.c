/* Null, freed and foreign handles, and texts: errors, never crashes. */
#include <stdlib.h>

#include "check.h"

void test_errors(const char *folder) {
    char path[4096];
    ap_probe *probe = NULL;
    ap_stream *stream = NULL;
    ap_shape shape;
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", AP_VERSION_MAJOR, AP_VERSION_MINOR, AP_VERSION_PATCH);
    CHECK(strcmp(ap_version(), version) == 0);
    CHECK(strcmp(ap_last_error(), "") == 0);
    char *machine = NULL;
    OK(ap_machine(&machine));
    CHECK(machine && strstr(machine, "\"openblas_core\"") && strstr(machine, "\"instruction_set\""));
    OK(ap_text_free(machine));

    FAILS(ap_probe_load(NULL, &probe), AP_USAGE, "ap_probe_load: path: expected a text, found NULL");
    FAILS(ap_probe_load("x", NULL), AP_USAGE, "probe: expected a place for the result, found NULL");
    FAILS(ap_probe_load("no such file", &probe), AP_NO_INPUT, "no such file");
    FAILS(ap_probe_load("no\xff\xfe", &probe), AP_NO_INPUT, "cannot open no\\xFF\\xFE: ");
    FAILS(ap_probe_load(folder, &probe), AP_NO_INPUT, folder);
    snprintf(path, sizeof path, "%s/test.safetensors", folder);
    FAILS(ap_probe_load(path, &probe), AP_DATA, "metadata format");
    CHECK(probe == NULL);
    FAILS(ap_probe_load_bytes("short", 5, &probe), AP_DATA, "the bytes of the probe");
    FAILS(ap_probe_load_bytes(NULL, 5, &probe), AP_USAGE, "expected 5 bytes, found NULL");

    /* A message stays until the next failure. */
    snprintf(path, sizeof path, "%s/probe.safetensors", folder);
    OK(ap_probe_load(path, &probe));
    CHECK(strstr(ap_last_error(), "expected 5 bytes") != NULL);

    FAILS(ap_probe_shape(NULL, &shape), AP_USAGE, "probe: expected a probe, found NULL");
    FAILS(ap_probe_shape((ap_probe *)&shape, &shape), AP_USAGE, "found a handle that is not open");
    OK(ap_stream_open(probe, &stream));
    FAILS(ap_probe_shape((ap_probe *)stream, &shape), AP_USAGE, "expected a probe, found a stream");
    FAILS(ap_stream_clear((ap_stream *)probe), AP_USAGE, "expected a stream, found a probe");
    FAILS(ap_probe_free((ap_probe *)stream), AP_USAGE, "expected a probe, found a stream");
    OK(ap_probe_free(probe));
    FAILS(ap_probe_free(probe), AP_USAGE, "freed");
    FAILS(ap_probe_shape(probe, &shape), AP_USAGE, "freed");
    /* A stream does not need its probe's handle. */
    OK(ap_stream_clear(stream));
    OK(ap_stream_free(stream));
    FAILS(ap_stream_free(stream), AP_USAGE, "freed");
    OK(ap_probe_free(NULL));
    OK(ap_stream_free(NULL));
    OK(ap_streams_free(NULL));
    OK(ap_text_free(NULL));
    char *own = malloc(4);
    FAILS(ap_text_free(own), AP_USAGE, "another pointer");
    free(own);
}
