// Every kernel against its formula in double precision, with the instruction set that the environment variable
// ATTENTION_PROBES_KERNELS and the processor make it take.
//
//     kernels NAME [choice]
//
// NAME is the set that has to be in use: plain, avx2, avx512 or neon. With `choice` nothing else is looked at.
#include "check.h"

static const char *const names[] = {[CK_PLAIN] = "plain", [CK_AVX2] = "avx2", [CK_AVX512] = "avx512", [CK_NEON] = "neon"};

int main(int count, char **arguments) {
    if (count < 2 || count > 3) {
        fprintf(stderr, "usage: kernels plain|avx2|avx512|neon [choice]\n");
        return 64;
    }
    CHECK(strcmp(names[ck_level()], arguments[1]) == 0, "expected %s, found %s", arguments[1], names[ck_level()]);
    CHECK(ck_has_fast_kernels() == (ck_level() != CK_PLAIN), "%s", names[ck_level()]);
    if (count == 3) return failed > 0;
    test_widening();
    test_narrowing();
    test_finite();
    test_panels();
    test_rows();
    test_weighted_sums();
    test_wide_products();
    test_softmax();
    test_softmax_gradient();
    test_running_softmax();
    test_tile_softmax();
    test_prefix_weights();
    test_sums();
    test_adamw();
    test_hash();
    printf("%s kernels: %ld checks, %ld failed\n", names[ck_level()], passed + failed, failed);
    return failed > 0;
}
