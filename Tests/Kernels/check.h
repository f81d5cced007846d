// What the tests of kernels share: checks that count, numbers, memory whose end is guarded, and stored states with the floats
// that they stand for.
#ifndef CHECK_H
#define CHECK_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"

extern long passed, failed;

// Counts a condition; where it does not hold, says which and with which numbers.
#define CHECK(condition, ...) \
    ((condition) ? (void)passed++ : (void)(failed++, complain(__FILE__, __LINE__, #condition, __VA_ARGS__)))
void complain(const char *file, int line, const char *condition, const char *format, ...);

// The next of numbers that look random, the same in every run: of 64 bits, below a bound, and a float between -1 and 1.
uint64_t next_bits(void);
int below(int bound);
float next_float(void);

// Memory whose last byte is followed by a page that nobody may touch; it lives until the process ends but for `release`.
void *guarded(size_t size);
void release(void *memory, size_t size);

// The largest |found - expected| over the largest |expected|, and infinity where one is not finite.
typedef struct {
    double difference, largest;
} error_sum;
void add_error(error_sum *sum, double found, double expected);
double relative_error(error_sum sum);

// What number of which type bits stand for, by the definition of the type.
double decoded(ck_type type, uint32_t bits);
int size_of(ck_type type);
const char *name_of(ck_type type);

// Tokens as they are stored, and the same as floats: rows one behind the other, of `width` numbers.
typedef struct {
    ck_states states;
    float *floats;
    size_t bytes;
} stored_tokens;
// Random tokens of a type; numbers lie `gap` apart from one token to the next.
stored_tokens make_tokens(ck_type type, int tokens, int width, int gap);
void free_tokens(stored_tokens tokens, int count, int width);
// From token t on.
ck_states from_token(ck_states states, ptrdiff_t t);

void test_panels(void);
void test_rows(void);
void test_weighted_sums(void);
void test_wide_products(void);
void test_widening(void);
void test_narrowing(void);
void test_finite(void);
void test_softmax(void);
void test_softmax_gradient(void);
void test_running_softmax(void);
void test_tile_softmax(void);
void test_prefix_weights(void);
void test_sums(void);
void test_adamw(void);
void test_hash(void);

#endif
