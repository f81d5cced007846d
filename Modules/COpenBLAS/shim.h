// The BLAS of OpenBLAS and the C interface to LAPACK that liblapacke adds beside it
// (Debian's OpenBLAS is built without LAPACKE).
#ifndef COPENBLAS_SHIM_H
#define COPENBLAS_SHIM_H

#include <cblas.h>
#include <lapacke.h>

#endif
