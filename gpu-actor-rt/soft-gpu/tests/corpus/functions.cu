/* Functions that stay functions: called directly, through tables in constant and global memory, and through pointers
 * that are chosen at run time. */
#include "corpus.h"

#define N 64
#define OPS 5

#ifdef __CUDACC__
#define NOT_INLINED static __device__ __noinline__
#else
#define NOT_INLINED static
#endif

typedef i32 (*op)(i32, i32);
typedef double (*map)(double);

NOT_INLINED i32 op_add(i32 a, i32 b) { return (i32)((u32)a + (u32)b); }
NOT_INLINED i32 op_sub(i32 a, i32 b) { return (i32)((u32)a - (u32)b); }
NOT_INLINED i32 op_mul(i32 a, i32 b) { return (i32)((u32)a * (u32)b); }
NOT_INLINED i32 op_min(i32 a, i32 b) { return a < b ? a : b; }
NOT_INLINED i32 op_gcd(i32 a, i32 b) {
    u32 x = (u32)a & 0xffff, y = (u32)b & 0xffff;
    while (y) { u32 r = x % y; x = y; y = r; }
    return (i32)x;
}
NOT_INLINED double twice(double x) { return x + x; }
NOT_INLINED double inverse(double x) { return 1 / x; }

/* Several results, through pointers to the caller's locals. */
NOT_INLINED void divide(i32 a, i32 b, i32 *quotient, i32 *rest) {
    *quotient = a / b;
    *rest = a % b;
}

/* Types narrower than a register, and many of them. */
NOT_INLINED u8 narrow(u8 a, i8 b, u16 c, i16 d, i8 e, u64 f, float g) {
    return (u8)(a + b * 3 + (c >> 3) - d + e + (u8)(f >> 40) + (int)g);
}

#ifdef __CUDACC__
static __constant__ op table[OPS] = {op_add, op_sub, op_mul, op_min, op_gcd};
static __device__ map maps[2] = {twice, inverse};

/* Something to choose from at run time that the compiler cannot see through. */
static __device__ __noinline__ i32 fold(op f, const i32 *in, int n, i32 start) {
    for (int i = 0; i < n; i++) start = f(start, in[i]);
    return start;
}

KERNEL through_table(const i32 *in, const u8 *which, i32 *out) {
    out[threadIdx.x] = table[which[threadIdx.x]](in[threadIdx.x], in[(threadIdx.x + 1) % N]);
}

KERNEL through_global(double *xs) {
    xs[threadIdx.x] = maps[threadIdx.x & 1](xs[threadIdx.x]);
}

KERNEL folded(const i32 *in, i32 *out) {
    op f = threadIdx.x % 3 == 0 ? op_add : threadIdx.x % 3 == 1 ? op_min : op_mul;
    out[threadIdx.x] = fold(f, in, threadIdx.x, 1);
}

KERNEL divided(const i32 *in, i32 *out) {
    divide(in[threadIdx.x], 1 + (threadIdx.x & 7), &out[2 * threadIdx.x], &out[2 * threadIdx.x + 1]);
    i32 q, r;
    divide(in[threadIdx.x], -7, &q, &r);
    out[2 * threadIdx.x] ^= q;
    out[2 * threadIdx.x + 1] ^= r;
}

KERNEL narrowed(const i32 *in, u8 *out) {
    i32 x = in[threadIdx.x];
    out[threadIdx.x] = narrow((u8)x, (i8)(x >> 5), (u16)(x >> 3), (i16)x, (i8)(x >> 7), (u64)x << 13, (float)(x & 63));
}

#else

static op table[OPS] = {op_add, op_sub, op_mul, op_min, op_gcd};

int main(void) {
    static i32 in[N], out[N], folds[N], parts[2 * N];
    static u8 which[N], bytes[N];
    static double xs[N];
    for (int i = 0; i < N; i++) { in[i] = (i32)next_u32(); which[i] = (u8)(next_u32() % OPS); xs[i] = next_f32() + 0.1; }

    LAUNCH("through_table", 1, N);
    BUFFER(in);
    BUFFER(which);
    BUFFER(out);
    for (int i = 0; i < N; i++) out[i] = table[which[i]](in[i], in[(i + 1) % N]);
    END;

    LAUNCH("through_global", 1, N);
    BUFFER(xs);
    for (int i = 0; i < N; i++) xs[i] = i & 1 ? inverse(xs[i]) : twice(xs[i]);
    END;

    LAUNCH("folded", 1, N);
    BUFFER(in);
    BUFFER(folds);
    for (int i = 0; i < N; i++) {
        op f = i % 3 == 0 ? op_add : i % 3 == 1 ? op_min : op_mul;
        folds[i] = 1;
        for (int j = 0; j < i; j++) folds[i] = f(folds[i], in[j]);
    }
    END;

    LAUNCH("divided", 1, N);
    BUFFER(in);
    BUFFER(parts);
    for (int i = 0; i < N; i++) {
        i32 q, r;
        divide(in[i], 1 + (i & 7), &parts[2 * i], &parts[2 * i + 1]);
        divide(in[i], -7, &q, &r);
        parts[2 * i] ^= q;
        parts[2 * i + 1] ^= r;
    }
    END;

    LAUNCH("narrowed", 1, N);
    BUFFER(in);
    BUFFER(bytes);
    for (int i = 0; i < N; i++) {
        i32 x = in[i];
        bytes[i] = narrow((u8)x, (i8)(x >> 5), (u16)(x >> 3), (i16)x, (i8)(x >> 7), (u64)x << 13, (float)(x & 63));
    }
    END;
    return 0;
}

#endif
