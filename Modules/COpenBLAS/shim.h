// The BLAS of OpenBLAS and the C interface to LAPACK that liblapacke adds beside it
// (Debian's OpenBLAS is built without LAPACKE).
#ifndef COPENBLAS_SHIM_H
#define COPENBLAS_SHIM_H

#include <cblas.h>
#include <lapacke.h>

// Ends OpenBLAS's own threads; a later product on several would start them again. OpenBLAS exports it
// for its fork handler and declares it nowhere; a build without threads has none.
extern int blas_thread_shutdown_(void) __attribute__((weak));

static inline void openblas_end_threads(void) {
    if (blas_thread_shutdown_) blas_thread_shutdown_();
}

#endif
