/* Half precision: one and two in a register, both formats, conversions, comparisons, and sums in single precision. */
#include "corpus.h"

#define N 512

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>

KERNEL half_arithmetic(const __half *in, __half *out) {
    int i = threadIdx.x + blockIdx.x * blockDim.x;
    __half a = in[i], b = in[(i + 37) % N], c = in[(i + 101) % N];
    __half *r = out + i * 8;
    r[0] = a + b;
    r[1] = a - b;
    r[2] = a * b;
    r[3] = __hfma(a, b, c);
    r[4] = __hadd_sat(a, b);
    r[5] = __hneg(a);
    r[6] = __habs(b);
    r[7] = __float2half(__half2float(a) / 3.0f);
}

KERNEL half2_arithmetic(const __half2 *in, __half2 *out) {
    int i = threadIdx.x + blockIdx.x * blockDim.x;
    __half2 a = in[i], b = in[(i + 37) % (N / 2)], c = in[(i + 101) % (N / 2)];
    __half2 *r = out + i * 4;
    r[0] = __hadd2(a, b);
    r[1] = __hmul2(a, b);
    r[2] = __hfma2(a, b, c);
    r[3] = __hsub2(__lowhigh2highlow(a), b);
}

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
KERNEL bf16_arithmetic(const __nv_bfloat16 *in, __nv_bfloat16 *out) {
    int i = threadIdx.x + blockIdx.x * blockDim.x;
    __nv_bfloat16 a = in[i], b = in[(i + 37) % N], c = in[(i + 101) % N];
    __nv_bfloat16 *r = out + i * 4;
    r[0] = __hadd(a, b);
    r[1] = __hmul(a, b);
    r[2] = __hfma(a, b, c);
    r[3] = __float2bfloat16(__bfloat162float(a) * 0.7f);
}
#endif

KERNEL half_compared(const __half *in, u32 *out) {
    int i = threadIdx.x + blockIdx.x * blockDim.x;
    __half a = in[i], b = in[(i + 3) % N];
    out[i] = __hlt(a, b) | __hle(a, b) << 1 | __heq(a, b) << 2 | __hgt(a, b) << 3 | __hge(a, b) << 4 | __hne(a, b) << 5 |
        __hltu(a, b) << 6 | __hisnan(a) << 7;
}

KERNEL half_converted(const __half *in, i32 *ints, __half *back, double *wide, const double *doubles) {
    int i = threadIdx.x + blockIdx.x * blockDim.x;
    ints[i] = __half2int_rn(in[i]) + __half2int_rz(in[i]) * 100000;
    back[i * 4] = __int2half_rn(i * 37 - 9000);
    back[i * 4 + 1] = __double2half(doubles[i]);
    back[i * 4 + 2] = __float2half_rz((float)doubles[i]);
    back[i * 4 + 3] = __float2half_ru((float)doubles[i]);
    wide[i] = (double)__half2float(in[i]);
}

/* A dot product as one writes it: halves in memory, sums in single precision. */
KERNEL half_dot(const __half2 *a, const __half2 *b, float *out, int n) {
    float sum = 0;
    for (int i = threadIdx.x; i < n; i += 32) {
        float2 x = __half22float2(a[i]), y = __half22float2(b[i]);
        sum += x.x * y.x;
        sum += x.y * y.y;
    }
    for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(~0u, sum, step);
    if (threadIdx.x == 0) *out = sum;
}

#else

/* The value of a half with `fraction` bits of fraction. */
static double widen(u16 bits, int fraction) {
    int exponent_bits = 15 - fraction, bias = (1 << (exponent_bits - 1)) - 1;
    int exponent = bits >> fraction & ((1 << exponent_bits) - 1), rest = bits & ((1 << fraction) - 1);
    double size = exponent == 0 ? ldexp(rest, 1 - bias - fraction)
        : exponent == (1 << exponent_bits) - 1 ? (rest ? NAN : INFINITY)
        : ldexp(rest + (1 << fraction), exponent - bias - fraction);
    return bits >> 15 ? -size : size;
}

/* The half with `fraction` bits of fraction that is nearest, or with direction -1 the one below in size, +1 above in value. */
static u16 narrow(double x, int fraction, int direction) {
    int exponent_bits = 15 - fraction, bias = (1 << (exponent_bits - 1)) - 1;
    u16 sign = signbit(x) ? 0x8000 : 0, infinity = (u16)(((1 << exponent_bits) - 1) << fraction);
    if (isnan(x)) return 0x7fff;
    if (x == 0) return sign;
    if (isinf(x)) return sign | infinity;
    int exponent;
    frexp(x, &exponent);
    if (exponent < 2 - bias) exponent = 2 - bias;
    double units = fabs(ldexp(x, fraction + 1 - exponent)), whole = floor(units), rest = units - whole;
    u32 n = (u32)whole;
    if (direction == 0 ? rest > 0.5 || (rest == 0.5 && (n & 1)) : direction > 0 && rest > 0 && !sign) n++;
    u32 bits = ((u32)(exponent + bias - 2) << fraction) + n;
    if (bits >= infinity) bits = direction < 0 || (direction > 0 && sign) ? infinity - 1u : infinity;
    return sign | (u16)bits;
}

#define H(x) widen(x, 10)
#define B(x) widen(x, 7)
#define TO_H(x) narrow(x, 10, 0)
#define TO_B(x) narrow(x, 7, 0)

int main(void) {
    static u16 in[N], out[N * 8], bf[N], bf_out[N * 4], pairs[N * 4], back[N * 4];
    static u32 compared[N];
    static i32 ints[N];
    static double wide[N], doubles[N];
    static float dot[1];
    /* Exponents near 0, so that products and sums are exact in double and rounded once. */
    for (int i = 0; i < N; i++) {
        in[i] = TO_H(((double)next_f32() - 0.5) * 20);
        bf[i] = TO_B(((double)next_f32() - 0.5) * 20);
        doubles[i] = ldexp((double)next_f32() - 0.5, (int)(next_u32() % 40) - 20);
    }

    LAUNCH("half_arithmetic", N / 64, 64);
    BUFFER(in);
    BUFFER(out);
    for (int i = 0; i < N; i++) {
        double a = H(in[i]), b = H(in[(i + 37) % N]), c = H(in[(i + 101) % N]);
        u16 *r = out + i * 8;
        double sum = H(TO_H(a + b));
        r[0] = TO_H(a + b);
        r[1] = TO_H(a - b);
        r[2] = TO_H(a * b);
        r[3] = TO_H(a * b + c);
        r[4] = TO_H(sum < 0 ? 0 : sum > 1 ? 1 : sum);
        r[5] = in[i] ^ 0x8000;
        r[6] = in[(i + 37) % N] & 0x7fff;
        r[7] = TO_H((float)a / 3.0f);
    }
    END;

    LAUNCH("half2_arithmetic", N / 128, 64);
    BUFFER(in);
    BUFFER(pairs);
    for (int i = 0; i < N / 2; i++) for (int j = 0; j < 2; j++) {
        int ib = (i + 37) % (N / 2), ic = (i + 101) % (N / 2);
        double a = H(in[2 * i + j]), b = H(in[2 * ib + j]), c = H(in[2 * ic + j]), swapped = H(in[2 * i + 1 - j]);
        u16 *r = pairs + i * 8 + j;
        r[0] = TO_H(a + b);
        r[2] = TO_H(a * b);
        r[4] = TO_H(a * b + c);
        r[6] = TO_H(swapped - b);
    }
    END;

    LAUNCH("bf16_arithmetic", N / 64, 64);
    BUFFER(bf);
    BUFFER(bf_out);
    for (int i = 0; i < N; i++) {
        double a = B(bf[i]), b = B(bf[(i + 37) % N]), c = B(bf[(i + 101) % N]);
        u16 *r = bf_out + i * 4;
        r[0] = TO_B(a + b);
        r[1] = TO_B(a * b);
        r[2] = TO_B(a * b + c);
        r[3] = TO_B((float)a * 0.7f);
    }
    END;

    in[5] = in[8];
    in[9] = 0x7e00;
    in[20] = 0x8000;
    in[23] = 0;
    LAUNCH("half_compared", N / 64, 64);
    BUFFER(in);
    BUFFER(compared);
    for (int i = 0; i < N; i++) {
        double a = H(in[i]), b = H(in[(i + 3) % N]);
        /* Like the others, __hne is false with a NaN. */
        int ne = a < b || a > b;
        compared[i] = (u32)((a < b) | (a <= b) << 1 | (a == b) << 2 | (a > b) << 3 | (a >= b) << 4 | ne << 5 | !(a >= b) << 6 | !!isnan(a) << 7);
    }
    END;

    in[9] = 0;
    LAUNCH("half_converted", N / 64, 64);
    BUFFER(in);
    BUFFER(ints);
    BUFFER(back);
    BUFFER(wide);
    BUFFER(doubles);
    for (int i = 0; i < N; i++) {
        double a = H(in[i]);
        ints[i] = (i32)rint(a) + (i32)a * 100000;
        back[i * 4] = TO_H(i * 37 - 9000);
        back[i * 4 + 1] = TO_H(doubles[i]);
        back[i * 4 + 2] = narrow((float)doubles[i], 10, -1);
        back[i * 4 + 3] = narrow((float)doubles[i], 10, 1);
        wide[i] = a;
    }
    END;

    int n = N / 2;
    LAUNCH("half_dot", 1, 32);
    BUFFER(in);
    BUFFER(in);
    BUFFER(dot);
    INT(n);
    float sums[32] = {0};
    for (int i = 0; i < n; i++) {
        float x = (float)H(in[2 * i]), y = (float)H(in[2 * i + 1]);
        sums[i % 32] += x * x;
        sums[i % 32] += y * y;
    }
    for (int step = 16; step > 0; step /= 2) {
        float next[32];
        for (int i = 0; i < 32; i++) next[i] = sums[i] + sums[i ^ step];
        memcpy(sums, next, sizeof sums);
    }
    dot[0] = sums[0];
    END;
    return 0;
}

#endif
