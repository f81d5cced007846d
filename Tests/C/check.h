/* Checks that count, and help to read what tests need. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <string.h>

#include "attention_probes.h"

extern int passed, failed;

/* Counts a condition, and names it where it does not hold. */
#define CHECK(condition) \
    ((condition) ? (void)passed++ \
                 : (void)(failed++, fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition)))

/* A call that has to succeed. */
#define OK(call) \
    do { \
        ap_status status_ = (call); \
        if (status_ != AP_OK) fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, ap_last_error()); \
        CHECK(status_ == AP_OK); \
    } while (0)

/* A call that has to fail with a status and a message that has a part. */
#define FAILS(call, wanted, part) \
    do { \
        ap_status status_ = (call); \
        CHECK(status_ == (wanted)); \
        if (!strstr(ap_last_error(), (part))) \
            fprintf(stderr, "%s:%d: \"%s\" lacks \"%s\"\n", __FILE__, __LINE__, ap_last_error(), (part)); \
        CHECK(strstr(ap_last_error(), (part)) != NULL); \
    } while (0)

/* The data of a file in a folder. */
ap_data *open_data(const char *folder, const char *name);

/* The bytes of a file, or the process ends. */
char *read_file(const char *path, size_t *size);

/* Where the bytes of a tensor begin in the bytes of a safetensors file, and its first two sizes. */
const char *find_tensor(const char *file, const char *name, int64_t shape[2]);

/* An activation file in memory: its states (bf16) and offsets. */
typedef struct activations {
    char *file;
    const void *states;
    int64_t tokens, width, sequences;
    int64_t *offsets;
    int64_t *labels, *groups;
} activations;

activations read_activations(const char *path);
void free_activations(activations *data);
ap_batch batch_of(const activations *data);

/* The tests of each part; `folder` has what scripts/test_c made with the command line. */
void test_errors(const char *folder);
void test_probes(const char *folder);
void test_scores(const char *folder);
void test_streams(const char *folder);
void test_threads(const char *folder);
void test_learning(const char *folder);
void test_shares(const char *folder);

#endif
