/* Arithmetic in every rounding mode, the rough functions of the hardware, and the precise ones of the compiler's library. */
#include "corpus.h"

#define N 256
#define ROUGH 8
#define PRECISE 10

#ifdef __CUDACC__

KERNEL rounded_f32(const float *in, float *out) {
    int i = threadIdx.x;
    float a = in[i], b = in[(i + 77) % N], c = in[(i + 31) % N], p = fabsf(a);
    float *r = out + i * 24;
    r[0] = __fadd_rn(a, b); r[1] = __fadd_rz(a, b); r[2] = __fadd_rd(a, b); r[3] = __fadd_ru(a, b);
    r[4] = __fmul_rn(a, b); r[5] = __fmul_rz(a, b); r[6] = __fmul_rd(a, b); r[7] = __fmul_ru(a, b);
    r[8] = __fdiv_rn(a, b); r[9] = __fdiv_rz(a, b); r[10] = __fdiv_rd(a, b); r[11] = __fdiv_ru(a, b);
    r[12] = __fmaf_rn(a, b, c); r[13] = __fmaf_rz(a, b, c); r[14] = __fmaf_rd(a, b, c); r[15] = __fmaf_ru(a, b, c);
    r[16] = __fsqrt_rn(p); r[17] = __fsqrt_rz(p); r[18] = __fsqrt_rd(p); r[19] = __fsqrt_ru(p);
    r[20] = __frcp_rn(b); r[21] = __frcp_rz(b); r[22] = __frcp_rd(b); r[23] = __frcp_ru(b);
}

KERNEL rounded_f64(const double *in, double *out) {
    int i = threadIdx.x;
    double a = in[i], b = in[(i + 77) % N], c = in[(i + 31) % N], p = fabs(a);
    double *r = out + i * 24;
    r[0] = __dadd_rn(a, b); r[1] = __dadd_rz(a, b); r[2] = __dadd_rd(a, b); r[3] = __dadd_ru(a, b);
    r[4] = __dmul_rn(a, b); r[5] = __dmul_rz(a, b); r[6] = __dmul_rd(a, b); r[7] = __dmul_ru(a, b);
    r[8] = __ddiv_rn(a, b); r[9] = __ddiv_rz(a, b); r[10] = __ddiv_rd(a, b); r[11] = __ddiv_ru(a, b);
    r[12] = __fma_rn(a, b, c); r[13] = __fma_rz(a, b, c); r[14] = __fma_rd(a, b, c); r[15] = __fma_ru(a, b, c);
    r[16] = __dsqrt_rn(p); r[17] = __dsqrt_rz(p); r[18] = __dsqrt_rd(p); r[19] = __dsqrt_ru(p);
    r[20] = __drcp_rn(b); r[21] = __drcp_rz(b); r[22] = __drcp_rd(b); r[23] = __drcp_ru(b);
}

KERNEL converted(const double *in, float *floats, i64 *ints) {
    int i = threadIdx.x;
    double a = in[i];
    floats[i * 8] = __double2float_rn(a); floats[i * 8 + 1] = __double2float_rz(a);
    floats[i * 8 + 2] = __double2float_rd(a); floats[i * 8 + 3] = __double2float_ru(a);
    i64 n = __double_as_longlong(a) >> (i & 31);
    floats[i * 8 + 4] = __ll2float_rn(n); floats[i * 8 + 5] = __ll2float_rz(n);
    floats[i * 8 + 6] = __ll2float_rd(n); floats[i * 8 + 7] = __ull2float_ru(n);
    a *= 1000;
    ints[i * 6] = __double2int_rn(a); ints[i * 6 + 1] = __double2ll_rd(a); ints[i * 6 + 2] = __double2ll_ru(a);
    ints[i * 6 + 3] = __float2int_rz((float)a); ints[i * 6 + 4] = (i64)a;
    ints[i * 6 + 5] = __float2uint_ru(fabsf((float)a));
}

KERNEL rough(const float *in, float *out) {
    float a = in[threadIdx.x], p = fabsf(a) + 0.01f;
    float *r = out + threadIdx.x * ROUGH;
    r[0] = __sinf(a); r[1] = __cosf(a); r[2] = exp2f(a); r[3] = __log2f(p);
    r[4] = rsqrtf(p); r[5] = __fdividef(a, p); r[6] = __saturatef(a); r[7] = __frsqrt_rn(p);
}

KERNEL precise_f32(const float *in, float *out) {
    float a = in[threadIdx.x], p = fabsf(a) + 0.01f;
    float *r = out + threadIdx.x * PRECISE;
    r[0] = expf(a); r[1] = logf(p); r[2] = sinf(a); r[3] = cosf(a * 100000.0f); r[4] = powf(p, a);
    r[5] = tanf(a / 4); r[6] = atan2f(a, p); r[7] = erff(a); r[8] = cbrtf(a); r[9] = fmodf(a * 50, p);
}

KERNEL precise_f64(const double *in, double *out) {
    double a = in[threadIdx.x], p = fabs(a) + 0.01;
    double *r = out + threadIdx.x * PRECISE;
    r[0] = exp(a); r[1] = log(p); r[2] = sin(a); r[3] = cos(a * 1e5); r[4] = pow(p, a);
    r[5] = tanh(a / 4); r[6] = atan2(a, p); r[7] = rsqrt(p); r[8] = hypot(a, p); r[9] = fmod(a * 50, p);
}

#else
#include <fenv.h>

static const int modes[4] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};

int main(void) {
    static float f[N], near[N], rf[N * 24], floats[N * 8], rough[N * ROUGH], pf[N * PRECISE];
    static double d[N], dnear[N], rd[N * 24], pd[N * PRECISE];
    static i64 ints[N * 6];
    for (int i = 0; i < N; i++) {
        near[i] = (next_f32() - 0.5f) * 12;
        f[i] = ldexpf(next_f32() - 0.5f, (int)(next_u32() % 60) - 30);
        d[i] = ldexp((double)next_u32() - 2147483648.0, (int)(next_u32() % 60) - 60) + next_f32() / 1e6;
        dnear[i] = near[i] / 1.1;
    }
    f[3] = 0; f[4] = INFINITY; f[80] = -0.0f; f[90] = 1e-42f; f[91] = 3e38f; f[14] = 3e38f; f[13] = 1e-40f;
    d[3] = 0; d[4] = -INFINITY; d[80] = 5e-324; d[90] = 1e308; d[167] = 1e308; d[7] = 1e-310;

    LAUNCH("rounded_f32", 1, N);
    BUFFER(f);
    BUFFER_WITHIN("f32 0", rf);
    for (int i = 0; i < N; i++) for (int m = 0; m < 4; m++) {
        /* Volatile: the compiler must not compute before the mode is set. */
        volatile float a = f[i], b = f[(i + 77) % N], c = f[(i + 31) % N], one = 1, r;
        fesetround(modes[m]);
        r = a + b; rf[i * 24 + m] = r;
        r = a * b; rf[i * 24 + 4 + m] = r;
        r = a / b; rf[i * 24 + 8 + m] = r;
        r = fmaf(a, b, c); rf[i * 24 + 12 + m] = r;
        r = sqrtf(fabsf(a)); rf[i * 24 + 16 + m] = r;
        r = one / b; rf[i * 24 + 20 + m] = r;
        fesetround(FE_TONEAREST);
    }
    END;

    LAUNCH("rounded_f64", 1, N);
    BUFFER(d);
    BUFFER_WITHIN("f64 0", rd);
    for (int i = 0; i < N; i++) for (int m = 0; m < 4; m++) {
        volatile double a = d[i], b = d[(i + 77) % N], c = d[(i + 31) % N], one = 1, r;
        fesetround(modes[m]);
        r = a + b; rd[i * 24 + m] = r;
        r = a * b; rd[i * 24 + 4 + m] = r;
        r = a / b; rd[i * 24 + 8 + m] = r;
        r = fma(a, b, c); rd[i * 24 + 12 + m] = r;
        r = sqrt(fabs(a)); rd[i * 24 + 16 + m] = r;
        r = one / b; rd[i * 24 + 20 + m] = r;
        fesetround(FE_TONEAREST);
    }
    END;

    for (int i = 0; i < N; i++) if (!isfinite(d[i]) || fabs(d[i]) > 1e15) d[i] = i;
    LAUNCH("converted", 1, N);
    BUFFER(d);
    BUFFER_WITHIN("f32 0", floats);
    BUFFER(ints);
    for (int i = 0; i < N; i++) {
        for (int m = 0; m < 4; m++) {
            volatile double a = d[i];
            i64 bits;
            memcpy(&bits, &d[i], 8);
            volatile i64 n = bits >> (i & 31);
            volatile u64 u = (u64)n;
            fesetround(modes[m]);
            volatile float r = (float)a;
            floats[i * 8 + m] = r;
            r = m == 3 ? (float)u : (float)n;
            floats[i * 8 + 4 + m] = r;
            fesetround(FE_TONEAREST);
        }
        double a = d[i] * 1000;
        double clamped = rint(a) > 2147483647.0 ? 2147483647.0 : rint(a) < -2147483648.0 ? -2147483648.0 : rint(a);
        float s = (float)a, cut = truncf(s), up = ceilf(fabsf(s));
        ints[i * 6] = (i32)clamped;
        ints[i * 6 + 1] = (i64)floor(a);
        ints[i * 6 + 2] = (i64)ceil(a);
        ints[i * 6 + 3] = cut >= 2147483648.0f ? 2147483647 : cut < -2147483648.0f ? -2147483647 - 1 : (i32)cut;
        ints[i * 6 + 4] = (i64)a;
        ints[i * 6 + 5] = up >= 4294967296.0f ? 4294967295u : (u32)up;
    }
    END;

    LAUNCH("rough", 1, N);
    BUFFER(near);
    BUFFER_WITHIN("f32 2", rough);
    for (int i = 0; i < N; i++) {
        double a = near[i], p = fabsf(near[i]) + 0.01f;
        float *r = rough + i * ROUGH;
        r[0] = (float)sin(a); r[1] = (float)cos(a); r[2] = (float)exp2(a); r[3] = (float)log2(p);
        r[4] = (float)(1 / sqrt(p)); r[5] = (float)(a / p); r[6] = (float)(a > 0 ? a < 1 ? a : 1 : 0);
        r[7] = (float)(1 / sqrt(p));
    }
    END;

    /* The library promises 1 to 4 units for these with fused arithmetic; without, a little more. */
    LAUNCH("precise_f32", 1, N);
    BUFFER(near);
    BUFFER_WITHIN("f32 8", pf);
    for (int i = 0; i < N; i++) {
        double a = near[i], p = fabsf(near[i]) + 0.01f;
        float *r = pf + i * PRECISE;
        r[0] = (float)exp(a); r[1] = (float)log(p); r[2] = (float)sin(a); r[3] = (float)cos(near[i] * 100000.0f);
        r[4] = (float)pow(p, a); r[5] = (float)tan(near[i] / 4); r[6] = (float)atan2(a, p); r[7] = (float)erf(a);
        r[8] = (float)cbrt(a); r[9] = fmodf(near[i] * 50, (float)p);
    }
    END;

    LAUNCH("precise_f64", 1, N);
    BUFFER(dnear);
    BUFFER_WITHIN("f64 8", pd);
    for (int i = 0; i < N; i++) {
        double a = dnear[i], p = fabs(a) + 0.01;
        double *r = pd + i * PRECISE;
        r[0] = exp(a); r[1] = log(p); r[2] = sin(a); r[3] = cos(a * 1e5); r[4] = pow(p, a);
        r[5] = tanh(a / 4); r[6] = atan2(a, p); r[7] = 1 / sqrt(p); r[8] = hypot(a, p); r[9] = fmod(a * 50, p);
    }
    END;
    return 0;
}

#endif
