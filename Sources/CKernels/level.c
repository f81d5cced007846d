// Which instruction set the kernels use: the best the processor has, or a lesser one that the
// environment variable ATTENTION_PROBES_KERNELS names (avx2 or plain), as OPENBLAS_CORETYPE does
// for OpenBLAS. Asked once.
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "dispatch.h"
#include "kernels.h"

static int processor_level(void) {
#if defined(__x86_64__)
#define IS_THERE(name) &&__builtin_cpu_supports(#name)
    if (1 CK_AVX512_FEATURES(IS_THERE)) return 2;
    if (1 CK_AVX2_FEATURES(IS_THERE)) return 1;
#undef IS_THERE
#endif
    return 0;
}

int ck_level(void) {
    static _Atomic int known = -1;
    int level = atomic_load_explicit(&known, memory_order_relaxed);
    if (level >= 0) return level;
    level = processor_level();
    const char *wanted = getenv("ATTENTION_PROBES_KERNELS");
    if (wanted && strcmp(wanted, "plain") == 0) level = 0;
    if (wanted && strcmp(wanted, "avx2") == 0 && level > 1) level = 1;
    atomic_store_explicit(&known, level, memory_order_relaxed);
    return level;
}

_Bool ck_has_fast_kernels(void) { return ck_level() > 0; }
