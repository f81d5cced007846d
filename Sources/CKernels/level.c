// Which instruction set the kernels use: the best the processor has, or a lesser one that the
// environment variable ATTENTION_PROBES_KERNELS names (avx2 or plain), as OPENBLAS_CORETYPE does
// for OpenBLAS; with blas products are OpenBLAS's. Asked once.
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch.h"
#include "kernels.h"

int ck_processor_level(void) {
#if defined(__x86_64__)
#define IS_THERE(name) &&__builtin_cpu_supports(#name)
    if (1 CK_AVX512_FEATURES(IS_THERE)) return CK_AVX512;
    if (1 CK_AVX2_FEATURES(IS_THERE)) return CK_AVX2;
#undef IS_THERE
#elif defined(__aarch64__)
    return CK_NEON;
#endif
    return CK_PLAIN;
}

int ck_level(void) {
    static _Atomic int known = -1;
    int level = atomic_load_explicit(&known, memory_order_relaxed);
    if (level >= 0) return level;
    level = ck_processor_level();
    const char *wanted = getenv("ATTENTION_PROBES_KERNELS");
    if (wanted && strcmp(wanted, "plain") == 0) level = CK_PLAIN;
    if (wanted && strcmp(wanted, "avx2") == 0 && level == CK_AVX512) level = CK_AVX2;
    atomic_store_explicit(&known, level, memory_order_relaxed);
    return level;
}

const char *ck_unknown_kernels(void) {
    static const char *const known[] = {"", "avx512", "avx2", "neon", "plain", "blas"};
    const char *wanted = getenv("ATTENTION_PROBES_KERNELS");
    for (size_t i = 0; wanted && i < sizeof known / sizeof *known; i++)
        if (strcmp(wanted, known[i]) == 0) return NULL;
    return wanted;
}

static _Atomic int blas_wanted = -1;

_Bool ck_blas_is_wanted(void) {
    int wanted = atomic_load_explicit(&blas_wanted, memory_order_relaxed);
    if (wanted < 0) {
        const char *kernels = getenv("ATTENTION_PROBES_KERNELS");
        wanted = kernels && strcmp(kernels, "blas") == 0;
        ck_want_blas(wanted);
    }
    return wanted;
}

void ck_want_blas(_Bool wanted) { atomic_store_explicit(&blas_wanted, wanted, memory_order_relaxed); }

_Bool ck_has_fast_kernels(void) { return ck_level() != CK_PLAIN && !ck_blas_is_wanted(); }
