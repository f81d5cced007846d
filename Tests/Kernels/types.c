// Stored numbers to floats and back, every pattern of bits against the definition of its type; and which are finite.
#include "check.h"

#include <math.h>

static _Bool same(float found, double expected) {
    const float wanted = (float)expected;
    return isnan(expected) ? isnan(found) : memcmp(&found, &wanted, 4) == 0;
}

static void test_every_pattern(ck_type type) {
    const int size = size_of(type), count = size == 2 ? 65536 : 256;
    // At an odd address.
    char *bytes = guarded((size_t)(count * size));
    char *odd = malloc((size_t)(count * size) + 1);
    float *floats = guarded(sizeof(float) * (size_t)count);
    for (int i = 0; i < count; i++) memcpy(bytes + i * size, &(uint32_t){(uint32_t)i}, (size_t)size);
    memcpy(odd + 1, bytes, (size_t)(count * size));
    const float scales[] = {1, 0.25f, 1.0f / 448, 3.1415927f, 1e-30f, 0x1p-149f, 0x1p-140f};
    for (int s = 0; s < (size == 1 ? 7 : 1); s++)
        for (int place = 0; place < 2; place++) {
            const ck_states x = {place ? odd + 1 : bytes, type, count * size, size == 1 ? scales + s : NULL};
            ck_widen(x, 1, count, floats, count);
            int wrong = 0;
            for (int i = 0; i < count; i++)
                wrong += !same(floats[i], size == 1 ? (double)((float)decoded(type, (uint32_t)i) * scales[s])
                                                    : decoded(type, (uint32_t)i));
            CHECK(wrong == 0, "%s, scale %g, %d of %d", name_of(type), (double)scales[s], wrong, count);
        }
    free(odd);
    release(bytes, (size_t)(count * size));
    release(floats, sizeof(float) * (size_t)count);
}

void test_widening(void) {
    for (ck_type type = CK_F16; type <= CK_F8_E5M2; type++) test_every_pattern(type);
    for (ck_type type = CK_F32; type <= CK_F8_E5M2; type++)
        for (int width = 1; width <= 70; width++) {
            const int tokens = 1 + below(9), stride = width + below(4);
            stored_tokens x = make_tokens(type, tokens, width, below(3));
            const size_t size = sizeof(float) * (size_t)((tokens - 1) * stride + width);
            float *floats = guarded(size);
            memset(floats, 0xff, size);
            ck_widen(x.states, tokens, width, floats, stride);
            int wrong = 0, touched = 0;
            for (int t = 0; t < tokens; t++) {
                wrong += memcmp(floats + t * stride, x.floats + t * width, sizeof(float) * (size_t)width) != 0;
                for (int d = width; d < stride && t + 1 < tokens; d++) touched += !isnan(floats[t * stride + d]);
            }
            CHECK(wrong + touched == 0, "%s, %d tokens of %d: %d, %d", name_of(type), tokens, width, wrong, touched);
            release(floats, size);
            free_tokens(x, tokens, width);
        }
}

static void narrow(ck_type type, const float *from, int count, uint16_t *to) {
    uint8_t bytes[512];
    switch (type) {
    case CK_F16: ck_narrow_f16(from, to, count); break;
    case CK_BF16: ck_narrow_bf16(from, to, count); break;
    default:
        ck_narrow_f8(from, 1, count, type, bytes, NULL);
        for (int i = 0; i < count; i++) to[i] = bytes[i];
    }
}

// Each number that there is, the middle between it and the next, and the floats beside that: to nearest, on a tie to even.
static void test_rounding(ck_type type) {
    const int count = size_of(type) == 2 ? 32768 : 128;
    const uint16_t sign = size_of(type) == 2 ? 0x8000 : 0x80;
    int wrong = 0;
    for (int code = 0; code + 1 < count; code++) {
        const double value = decoded(type, (uint32_t)code), next = decoded(type, (uint32_t)code + 1);
        if (!isfinite(value) || !isfinite(next)) continue;
        const float middle = (float)((value + next) / 2);
        float from[17] = {(float)value, middle, nextafterf(middle, 0), nextafterf(middle, INFINITY)};
        for (int i = 4; i < 17; i++) from[i] = -from[i % 4];
        uint16_t to[17];
        narrow(type, from, 17, to);
        const uint16_t even = (uint16_t)(code + code % 2);
        const uint16_t wanted[4] = {(uint16_t)code, even, (uint16_t)code, (uint16_t)(code + 1)};
        for (int i = 0; i < 17; i++) wrong += to[i] != (i < 4 ? wanted[i] : (uint16_t)(wanted[i % 4] | sign));
    }
    CHECK(wrong == 0, "%s, %d", name_of(type), wrong);
    const float special[4] = {NAN, INFINITY, -3e38f, 0x1p-149f};
    uint16_t found[4];
    narrow(type, special, 4, found);
    CHECK(isnan(decoded(type, found[0])), "%s", name_of(type));
    CHECK(!isfinite(decoded(type, found[1])), "%s", name_of(type));
    const double least = decoded(type, found[2]);
    CHECK(size_of(type) == 1 ? isfinite(least) : least < -3e38, "%s, %g", name_of(type), least);
    CHECK(found[3] == 0, "%s, %d", name_of(type), found[3]);
}

// scale = largest magnitude / largest number, and each byte is the nearest to number / scale.
static void test_scales(ck_type type) {
    const float largest = type == CK_F8_E4M3 ? 448 : 57344;
    for (int width = 1; width <= 70; width++) {
        float tokens[3 * 70], scales[3];
        uint8_t bytes[3 * 70];
        for (int i = 0; i < 3 * width; i++) tokens[i] = i < width ? next_float() : i < 2 * width ? next_float() * 1e30f : 0;
        ck_narrow_f8(tokens, 3, width, type, bytes, scales);
        for (int t = 0; t < 3; t++) {
            float most = 0;
            for (int d = 0; d < width; d++) most = fmaxf(most, fabsf(tokens[t * width + d]));
            CHECK(scales[t] == (most == 0 ? 1 : most / largest), "%s, %d: scale %g", name_of(type), width, (double)scales[t]);
            for (int d = 0; d < width; d++) {
                const double wanted = (double)(tokens[t * width + d] / scales[t]);
                const double found = fabs(decoded(type, bytes[t * width + d]) - wanted);
                double nearest = INFINITY;
                for (uint32_t code = 0; code < 256; code++) {
                    const double distance = fabs(decoded(type, code) - wanted);
                    if (distance < nearest) nearest = distance;
                }
                CHECK(found == nearest, "%s, %d: %g away, not %g", name_of(type), width, found, nearest);
            }
        }
    }
}

void test_narrowing(void) {
    for (ck_type type = CK_F16; type <= CK_F8_E5M2; type++) test_rounding(type);
    test_scales(CK_F8_E4M3);
    test_scales(CK_F8_E5M2);
}

// A number that is none at every place of tokens of any width.
void test_finite(void) {
    static const uint32_t ones[] = {0x7f800000, 0x7c00, 0x7f80, 0x7f, 0x7c};
    for (ck_type type = CK_F32; type <= CK_F8_E5M2; type++) {
        const int size = size_of(type);
        for (int width = 1; width <= 130; width++) {
            const int tokens = 1 + below(4), place = below(tokens * width);
            stored_tokens x = make_tokens(type, tokens, width, below(2));
            _Bool before = 0, after = 1;
            ck_all_finite(x.states, tokens, width, &before);
            memcpy((char *)x.states.numbers + place / width * x.states.stride + place % width * size, &ones[type],
                   (size_t)size);
            ck_all_finite(x.states, tokens, width, &after);
            CHECK(before && !after, "%s, %d tokens of %d, at %d", name_of(type), tokens, width, place);
            free_tokens(x, tokens, width);
        }
    }
}

// The same on every processor, since files keep it.
void test_hash(void) {
    uint8_t bytes[200];
    for (int i = 0; i < 200; i++) bytes[i] = (uint8_t)(i * 7);
    const uint64_t number = ck_hash_number(3, 5), some = ck_hash_bytes(1, bytes, 200), none = ck_hash_bytes(1, bytes, 0);
    CHECK(number == 0xb54cda584ef23226, "%#llx", (unsigned long long)number);
    CHECK(some == 0x7f85930442850f9f, "%#llx", (unsigned long long)some);
    CHECK(none == 0x141ab8d9602e6369, "%#llx", (unsigned long long)none);
}
