// The inner loops that neither OpenBLAS nor the Swift compiler's default target runs at the
// speed of the machine. Plain C on vector types, compiled for each instruction set and chosen
// at run time. Only the Tensors target calls these.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

// Weight rows per panel of `ck_project_panels`, and of the last where that is enough.
#define CK_PANEL_COLUMNS 16
#define CK_HALF_PANEL_COLUMNS 8

// Instruction sets that the kernels are compiled for: the target's own and no blocks made for it; AVX2 with FMA and F16C,
// and AVX-512, of x86-64; NEON of AArch64.
enum { CK_PLAIN, CK_AVX2, CK_AVX512, CK_NEON };

// The one in use.
int ck_level(void);

// What ATTENTION_PROBES_KERNELS is, where that is the name of none of them; else NULL.
const char *ck_unknown_kernels(void);

// The best of these that the processor has, whatever the environment says.
int ck_processor_level(void);

// Whether the environment asks for OpenBLAS in place of the kernels for products.
_Bool ck_blas_is_wanted(void);

// Asks for it, or for the kernels, from now on.
void ck_want_blas(_Bool wanted);

// True where the kernels below are compiled for this machine's vector unit, and OpenBLAS is not asked for. Elsewhere they
// are correct, and OpenBLAS is faster.
_Bool ck_has_fast_kernels(void);

// How numbers are stored: as floats, IEEE half or bfloat16, or in eight bits, of which four or five are the exponent's
// (E4M3, which has no infinity, and E5M2, the upper byte of a half).
typedef enum { CK_F32, CK_F16, CK_BF16, CK_F8_E4M3, CK_F8_E5M2 } ck_type;

// Hidden states as they are stored: x[t, d] is the d-th number after byte t·stride. Products want addresses that are
// multiples of a number's size. Numbers of eight bits are multiplied with their token's scale, scales[t], or with 1 where
// `scales` is null, and rounded to a float; 448 (of E5M2 57344) times a scale is finite.
typedef struct {
    const void *numbers;
    ck_type type;
    ptrdiff_t stride;
    const float *scales;
} ck_states;

// z[c·z_stride + t] = Σ_d x[t, d] · panels[((c / 16)·width + d)·16 + c % 16], for t < tokens and
// c < columns. A panel is the weights of 16 columns, interleaved; unused columns hold zeros. Of the last panel,
// if it has 8 columns at most, there are 8: [(c / 16)·width·16 + d·8 + c % 16].
// The order of the sum over d is the same for every token and column, wherever it stands, however it is stored.
void ck_project_panels(ck_states x, ptrdiff_t tokens, ptrdiff_t width, const float *panels, ptrdiff_t columns,
                       float *z, ptrdiff_t z_stride);

// z[c·z_stride + t] = Σ_d x[t, d] · w[c·width + d], for t < tokens and c < columns ≤ 4.
// The same promise about the order of the sum.
void ck_project_rows(ck_states x, ptrdiff_t tokens, ptrdiff_t width, const float *w, ptrdiff_t columns, float *z,
                     ptrdiff_t z_stride);

// sums[r·sums_stride + d] += Σ_j a[r·a_stride + j] · x[j·x_stride + d], for r < rows, j < tokens and d < width.
void ck_add_weighted_sums(const float *a, ptrdiff_t a_stride, ptrdiff_t rows, const float *x, ptrdiff_t x_stride,
                          ptrdiff_t tokens, ptrdiff_t width, float *sums, ptrdiff_t sums_stride);

// sums[d] += Σ_j (x[j·width + d] - origin[d]) and squares[d] likewise of the squares, in double
// precision, for j < tokens.
void ck_add_moments(const float *x, ptrdiff_t tokens, ptrdiff_t width, const float *origin, double *sums,
                    double *squares);

// sums[d] += Σ_j x[j·width + d] in double precision, for j < tokens.
void ck_add_sums(const float *x, ptrdiff_t tokens, ptrdiff_t width, double *sums);

// largest[d] ← max(largest[d], max_j |x[j·width + d]|) for j < tokens; largest[d] ≥ 0. A NaN counts as larger than
// any number.
void ck_raise_magnitudes(const float *x, ptrdiff_t tokens, ptrdiff_t width, float *largest);

// z[r·columns + c] = Σ_d x[r·width + d]·w[c·width + d], for r < rows and c < columns.
void ck_project_wide(const float *x, ptrdiff_t rows, ptrdiff_t width, const double *w, ptrdiff_t columns, double *z);

// sums[c·width + d] += Σ_r a[r·columns + c]·x[r·width + d], for r < rows and c < columns.
void ck_add_wide(const double *a, const float *x, ptrdiff_t rows, ptrdiff_t width, ptrdiff_t columns, double *sums);

// weights[i] ← exp(l[i] - max l) / Σ_j exp(l[j] - max l) with l[i] = logits[i] + slope·(start + i), the sum
// in double precision; *entropy, unless null, ← -Σ_i weights[i]·ln weights[i] in nats. A NaN or +∞ makes
// all of them NaN. The maximum must not be -∞. `weights` may be `logits`.
void ck_softmax(const float *logits, ptrdiff_t count, float slope, float start, float *weights,
                double *entropy);

// gradient[i] ← weights[i]·(gradient[i] - mean) and *slope ← Σ_i of that times (positions[i] - first) in double precision:
// back through a softmax, where the mean is Σ_j weights[j]·gradient[j].
void ck_softmax_gradient(const float *weights, float *gradient, ptrdiff_t count, const float *positions,
                         float first, float mean, double *slope);

// Sums over the tokens i that one head has seen, with l_i = logit_i + slope·t_i, t_i = positions_i - first,
// e_i = exp(l_i - origin) and d_i = value_i - center:
//     total = Σ e_i    values = Σ e_i·d_i    squares = Σ e_i·d_i²    positions = Σ e_i·t_i    products = Σ e_i·d_i·t_i
// The origin is the largest l of the first tile, and again of a tile that has one more than CK_LOGIT_RANGE
// above it: floats have room for that much, and sums need no scaling for less. The center is the mean value by e
// after the first tile, and again when the mean has moved CK_CENTER_RANGE standard deviations away from it:
// else the differences of values from the mean, which the gradient is made of, would drown in that from the center.
// A new origin o' and center c' turn sums of x_i by e_i and by e_i·d_i, A and B, into scale·A and scale·(B - shift·A)
// with scale = exp(o - o') and shift = c' - c; both are left in `scale` and `shift`, 1 and 0 where nothing changed.
#define CK_LOGIT_RANGE 10
#define CK_CENTER_RANGE 2
typedef struct {
    double total, values, squares, positions, products;
    float origin, center, scale, shift;
} ck_running_softmax;

// Adds a tile of tokens; all zeros is the start. logits[i] ← e_i, values[i] ← e_i·(value_i - center). All
// must be finite.
void ck_run_softmax(float *logits, float *values, ptrdiff_t count, float slope, const float *positions,
                    float first, ck_running_softmax *run);

// The same without values: with e_i = exp(l_i - origin), total = Σ e_i and logits = Σ e_i·(l_i - origin) over the tiles seen.
// `scale` is what a new origin has made of earlier e_i, 1 where it is the old one.
typedef struct {
    double total, logits;
    float origin, scale;
} ck_tile_sums;

// Adds a tile with l_i = logits[i] + slope·(start + i); all zeros is the start. weights[i] ← e_i. All must be finite.
void ck_tile_softmax(const float *logits, ptrdiff_t count, float slope, float start, float *weights, ck_tile_sums *seen);

// weights[i] ← exp(x_i) with x_i = logits[i] + slope·(position + i) - origin, within 2e-7 of it, and *largest ← max x_i.
// Below -87.3 it is 0, above 80 it means nothing. All must be finite but for logits, of which some may be infinite.
void ck_prefix_weights(const float *logits, ptrdiff_t count, double slope, double position, double origin,
                       double *weights, double *largest);

// Whether no state is NaN or infinite.
void ck_all_finite(ck_states x, ptrdiff_t tokens, ptrdiff_t width, _Bool *result);

// Asks for the lines of memory that some bytes lie in, without waiting for them.
static inline void ck_prefetch(const void *bytes, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count; i += 64) __builtin_prefetch((const char *)bytes + i, 1, 3);
    __builtin_prefetch((const char *)bytes + count - 1, 1, 3);
}

// Σ_i a[i]·b[i], multiplied and added in double precision.
void ck_dot(const float *a, const float *b, ptrdiff_t count, double *result);

// to[t·to_stride + d] = x[t, d] for t < tokens and d < width: exact, subnormals, infinities and NaNs included, at
// any address; numbers with a scale are rounded once.
void ck_widen(ck_states x, ptrdiff_t tokens, ptrdiff_t width, float *to, ptrdiff_t to_stride);

// Float to IEEE half and bfloat16, to nearest and on a tie to even. A finite float beyond the largest
// becomes an infinity; a NaN stays one.
void ck_narrow_f16(const float *from, uint16_t *to, ptrdiff_t count);
void ck_narrow_bf16(const float *from, uint16_t *to, ptrdiff_t count);

// Tokens, width floats each, to one of the types of eight bits, to nearest and on a tie to even: to[t·width + d] stands for
// x[t, d] / scales[t]. The scale is the largest finite magnitude of the token over that of the type (448, 57344), and of
// zeros 1; where `scales` is null, 1 for all. A finite float beyond the largest becomes the largest; a NaN stays one, and
// so does an infinity with E5M2, which with E4M3 becomes a NaN.
void ck_narrow_f8(const float *from, ptrdiff_t tokens, ptrdiff_t width, ck_type type, uint8_t *to, float *scales);

// A hash of what `hash` stands for and a number, or bytes, after it. It tells data apart that nobody made alike on
// purpose.
uint64_t ck_hash_number(uint64_t hash, uint64_t number);
uint64_t ck_hash_bytes(uint64_t hash, const void *bytes, ptrdiff_t count);

// What a step of AdamW multiplies with: 1/(1 - β₁ᵗ), 1/(1 - β₂ᵗ), η and λ.
typedef struct {
    float first_scale, second_scale, rate, decay;
} ck_adamw_step;

// One step for each of some parameters, with their two moments and their gradient.
void ck_adamw(float *parameters, float *first, float *second, const float *gradient, ptrdiff_t count,
              ck_adamw_step step);

#endif
