// A step of AdamW: every number is read and written once.
#include "dispatch.h"
#include "kernels.h"

static ALWAYS_INLINE void step_lanes(float *parameters, float *first, float *second, const float *gradient,
                                     ck_adamw_step step) {
    // The same operations, and so the same bits, with every instruction set.
#pragma clang fp contract(off)
    const float beta1 = 0.9f, beta2 = 0.999f;
    v16 g = *(const v16 *)gradient, p = *(v16 *)parameters;
    v16 m = beta1 * *(v16 *)first + (1 - beta1) * g;
    v16 v = beta2 * *(v16 *)second + (1 - beta2) * g * g;
    v16 change = m * step.first_scale / (__builtin_elementwise_sqrt(v * step.second_scale) + 1e-8f);
    *(v16 *)first = m;
    *(v16 *)second = v;
    *(v16 *)parameters = p - step.rate * (change + step.decay * p);
}

static ALWAYS_INLINE void ck_adamw_body(const ck_set set, float *parameters, float *first, float *second,
                                        const float *gradient, ptrdiff_t count, ck_adamw_step step) {
    (void)set;
    ptrdiff_t i = 0;
    for (; i + 16 <= count; i += 16) step_lanes(parameters + i, first + i, second + i, gradient + i, step);
    size_t rest = (size_t)(count - i) * sizeof(float);
    float lanes[4][16] = {{0}};
    memcpy(lanes[0], parameters + i, rest);
    memcpy(lanes[1], first + i, rest);
    memcpy(lanes[2], second + i, rest);
    memcpy(lanes[3], gradient + i, rest);
    step_lanes(lanes[0], lanes[1], lanes[2], lanes[3], step);
    memcpy(parameters + i, lanes[0], rest);
    memcpy(first + i, lanes[1], rest);
    memcpy(second + i, lanes[2], rest);
}

DISPATCH(ck_adamw,
         (float *parameters, float *first, float *second, const float *gradient, ptrdiff_t count,
          ck_adamw_step step),
         parameters, first, second, gradient, count, step)
