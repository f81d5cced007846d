// A hash of bytes, in eight lanes that do not wait for each other. A step is one to one in what the lane held and one
// to one in the number it takes, so that of two runs of bytes that differ in one number the lanes never meet again.
#include <string.h>

#include "kernels.h"

#define LANES 8

static inline uint64_t step(uint64_t hash, uint64_t number) {
    hash = (hash ^ number) * 0x9E3779B97F4A7C15;
    return hash ^ hash >> 32;
}

uint64_t ck_hash_number(uint64_t hash, uint64_t number) { return step(hash, number); }

uint64_t ck_hash_bytes(uint64_t hash, const void *bytes, ptrdiff_t count) {
    const char *from = bytes;
    uint64_t lanes[LANES], numbers[LANES];
    for (int i = 0; i < LANES; i++) lanes[i] = step(hash, i);
    ptrdiff_t left = count;
    for (; left >= (ptrdiff_t)sizeof numbers; left -= sizeof numbers, from += sizeof numbers) {
        memcpy(numbers, from, sizeof numbers);
        for (int i = 0; i < LANES; i++) lanes[i] = step(lanes[i], numbers[i]);
    }
    // What is left, and zeros; the length tells them from zeros that are there.
    memset(numbers, 0, sizeof numbers);
    if (left > 0) memcpy(numbers, from, left);
    hash = step(hash, count);
    for (int i = 0; i < LANES; i++) hash = step(hash, step(lanes[i], numbers[i]));
    return hash;
}
