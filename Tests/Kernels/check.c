#include "check.h"

#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

long passed, failed;

void complain(const char *file, int line, const char *condition, const char *format, ...) {
    if (failed > 20) return;
    fprintf(stderr, "%s:%d: not so: %s (", file, line, condition);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, ")\n");
}

static uint64_t state = 1;

// SplitMix64.
uint64_t next_bits(void) {
    uint64_t z = state += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

int below(int bound) { return (int)(next_bits() % (uint64_t)bound); }

float next_float(void) { return (float)((double)(next_bits() >> 11) * 0x1p-52 - 1); }

static size_t pages_for(size_t size) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (size + page - 1) / page * page;
}

void *guarded(size_t size) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = pages_for(size);
    char *memory = mmap(NULL, pages + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory + pages, page, PROT_NONE)) {
        perror("guarded memory");
        exit(70);
    }
    return memory + pages - size;
}

void release(void *memory, size_t size) {
    const size_t pages = pages_for(size);
    munmap((char *)memory + size - pages, pages + (size_t)sysconf(_SC_PAGESIZE));
}

void add_error(error_sum *sum, double found, double expected) {
    const double difference = isfinite(found) && isfinite(expected) ? fabs(found - expected) : INFINITY;
    if (difference > sum->difference) sum->difference = difference;
    if (fabs(expected) > sum->largest) sum->largest = fabs(expected);
}

double relative_error(error_sum sum) { return sum.largest == 0 ? sum.difference : sum.difference / sum.largest; }

int size_of(ck_type type) { return type == CK_F32 ? 4 : type == CK_F16 || type == CK_BF16 ? 2 : 1; }

const char *name_of(ck_type type) { return (const char *[]){"f32", "f16", "bf16", "E4M3", "E5M2"}[type]; }

double decoded(ck_type type, uint32_t bits) {
    // Bits of the exponent and of the mantissa.
    static const int shapes[][2] = {{8, 23}, {5, 10}, {8, 7}, {4, 3}, {5, 2}};
    const int exponent_bits = shapes[type][0], mantissa_bits = shapes[type][1];
    const int bias = (1 << (exponent_bits - 1)) - 1, most = (1 << exponent_bits) - 1;
    const int exponent = (int)(bits >> mantissa_bits) & most;
    const uint32_t mantissa = bits & ((1u << mantissa_bits) - 1);
    const double sign = bits >> (exponent_bits + mantissa_bits) & 1 ? -1 : 1;
    if (type == CK_F8_E4M3 && exponent == most && mantissa == 7) return NAN;
    if (type != CK_F8_E4M3 && exponent == most) return mantissa ? NAN : sign * INFINITY;
    if (exponent == 0) return sign * ldexp(mantissa, 1 - bias - mantissa_bits);
    return sign * ldexp(mantissa + (1u << mantissa_bits), exponent - bias - mantissa_bits);
}

// Random bits of a number that is finite and, but for f32, may be subnormal; of magnitude 1 at most.
static uint32_t random_number(ck_type type) {
    if (type == CK_F32) {
        const float value = next_float();
        uint32_t bits;
        memcpy(&bits, &value, 4);
        return bits;
    }
    for (;;) {
        const uint32_t bits = (uint32_t)next_bits() & (size_of(type) == 2 ? 0xffff : 0xff);
        if (fabs(decoded(type, bits)) <= 1) return bits;
    }
}

stored_tokens make_tokens(ck_type type, int tokens, int width, int gap) {
    stored_tokens made;
    const int size = size_of(type), stride = width * size + gap * size;
    made.bytes = (size_t)(tokens - 1) * (size_t)stride + (size_t)(width * size);
    char *numbers = guarded(made.bytes);
    float *scales = NULL;
    if (size == 1) {
        scales = guarded(sizeof(float) * (size_t)tokens);
        for (int t = 0; t < tokens; t++) scales[t] = fabsf(next_float()) + 0.01f;
    }
    made.floats = guarded(sizeof(float) * (size_t)(tokens * width));
    for (int t = 0; t < tokens; t++)
        for (int d = 0; d < width; d++) {
            const uint32_t bits = random_number(type);
            memcpy(numbers + t * stride + d * size, &bits, (size_t)size);
            made.floats[t * width + d] = (float)decoded(type, bits) * (scales ? scales[t] : 1);
        }
    made.states = (ck_states){numbers, type, stride, scales};
    return made;
}

void free_tokens(stored_tokens tokens, int count, int width) {
    release((void *)tokens.states.numbers, tokens.bytes);
    if (tokens.states.scales) release((void *)tokens.states.scales, sizeof(float) * (size_t)count);
    release(tokens.floats, sizeof(float) * (size_t)(count * width));
}

ck_states from_token(ck_states states, ptrdiff_t t) {
    states.numbers = (const char *)states.numbers + t * states.stride;
    if (states.scales) states.scales += t;
    return states;
}
