/* Atomics of every kind and type, by many lanes of many blocks: what is left does not depend on who comes first. */
#include "corpus.h"

#define LANES 64
#define BLOCKS 4
#define ALL (LANES * BLOCKS)

#ifdef __CUDACC__
#include <cuda_bf16.h>
#include <cuda_fp16.h>

KERNEL integers(const u32 *in, u32 *w, u64 *d) {
    int i = threadIdx.x + blockIdx.x * LANES;
    u32 x = in[i];
    u64 y = (u64)x << 32 | in[ALL - 1 - i];
    atomicAdd(&w[0], x); atomicSub(&w[1], x); atomicMin(&w[2], x); atomicMax(&w[3], x);
    atomicMin((int *)&w[4], (int)x); atomicMax((int *)&w[5], (int)x);
    atomicAnd(&w[6], x | 0x11); atomicOr(&w[7], x & ~0x11u); atomicXor(&w[8], x);
    atomicInc(&w[9], 99); atomicDec(&w[10], 99);
    atomicAdd((int *)&w[11], -(int)(x >> 9));
    atomicAdd(&d[0], y); atomicMin(&d[1], y); atomicMax(&d[2], y); atomicMin((i64 *)&d[3], (i64)y); atomicMax((i64 *)&d[4], (i64)y);
    atomicAnd(&d[5], y | 0x1001); atomicOr(&d[6], y & ~0x1001ull); atomicXor(&d[7], y);
}

/* Every old value is seen once: tickets, and a ring of exchanges whose sum stays the same. */
KERNEL old_values(u32 *tickets, u32 *counter, u64 *sums) {
    u32 ticket = atomicAdd(counter, 1);
    tickets[ticket] = atomicCAS(&tickets[ticket], 0, ticket + 1) + ticket + 1;
    u64 old = atomicExch(&sums[0], (u64)ticket + 1);
    atomicAdd(&sums[1], old);
    /* Tickets are taken in one order and exchanged in another: who came last left its own here. */
    __syncthreads();
    if (threadIdx.x == 0) {
        sums[1] += sums[0];
        sums[0] = 0;
    }
}

KERNEL floats(const float *in, float *f, double *d) {
    int i = threadIdx.x + blockIdx.x * LANES;
    __shared__ float block;
    if (threadIdx.x == 0) block = 0;
    __syncthreads();
    atomicAdd(&block, in[i]);
    __syncthreads();
    if (threadIdx.x == 0) atomicAdd(&f[0], block);
    atomicAdd(d, (double)in[i] / 4);
    /* The largest, by a loop of compare and swap. */
    int *bits = (int *)&f[1];
    int old = *(volatile int *)bits;
    while (__int_as_float(old) < in[i]) {
        int seen = atomicCAS(bits, old, __float_as_int(in[i]));
        if (seen == old) break;
        old = seen;
    }
}

KERNEL scopes(u32 *w) {
    atomicAdd_block(&w[0], 1);
    atomicAdd_system(&w[1], 2);
    atomicMax_system(&w[2], threadIdx.x);
    unsigned short *half = (unsigned short *)&w[3];
    unsigned short old = *(volatile unsigned short *)half, seen;
    while ((seen = atomicCAS(half, old, (unsigned short)(old + 3))) != old) old = seen;
}

/* A lock: whoever has it changes two words that belong together. One lane of a warp at a time asks for it. */
KERNEL locked(u32 *lock, volatile u32 *pair) {
    for (int turn = 0; turn < 32; turn++) {
        if ((threadIdx.x & 31) == turn) {
            while (atomicCAS(lock, 0, 1) != 0) {}
            __threadfence();
            u32 a = pair[0], b = pair[1];
            pair[0] = a + 1;
            pair[1] = b + a;
            __threadfence();
            atomicExch(lock, 0);
        }
        __syncwarp();
    }
}

KERNEL halves(__half2 *h, __half *one) {
    atomicAdd(h, __floats2half2_rn(1.0f, 0.5f));
    atomicAdd(one, __float2half(2.0f));
}

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
KERNEL bf16_halves(__nv_bfloat162 *h) {
    if (threadIdx.x < 32 && blockIdx.x == 0) atomicAdd(h, __floats2bfloat162_rn(1.0f, -2.0f));
}
#endif

#else

int main(void) {
    static u32 in[ALL], w[12] = {1, 2, ~0u, 0, 5, 5, ~0u, 0, 7, 3, 3, 0}, tickets[ALL], counter[1], scoped[4], lock[1], pair[2];
    static u64 d[8] = {9, ~0ull, 0, 0, 0, ~0ull, 0, 1}, sums[2];
    static float fin[ALL], f[2] = {0, -1};
    static double df[1];
    static u32 h[1], one[1], b[1];
    for (int i = 0; i < ALL; i++) { in[i] = next_u32(); fin[i] = (float)(next_u32() % 1000); }

    LAUNCH("integers", BLOCKS, LANES);
    BUFFER(in);
    BUFFER(w);
    BUFFER(d);
    for (int i = 0; i < ALL; i++) {
        u32 x = in[i];
        u64 y = (u64)x << 32 | in[ALL - 1 - i];
        w[0] += x; w[1] -= x;
        if (x < w[2]) w[2] = x;
        if (x > w[3]) w[3] = x;
        if ((i32)x < (i32)w[4]) w[4] = x;
        if ((i32)x > (i32)w[5]) w[5] = x;
        w[6] &= x | 0x11; w[7] |= x & ~0x11u; w[8] ^= x;
        w[9] = w[9] >= 99 ? 0 : w[9] + 1;
        w[10] = w[10] == 0 || w[10] > 99 ? 99 : w[10] - 1;
        w[11] -= x >> 9;
        d[0] += y;
        if (y < d[1]) d[1] = y;
        if (y > d[2]) d[2] = y;
        if ((i64)y < (i64)d[3]) d[3] = y;
        if ((i64)y > (i64)d[4]) d[4] = y;
        d[5] &= y | 0x1001; d[6] |= y & ~0x1001ull; d[7] ^= y;
    }
    END;

    LAUNCH("old_values", 1, LANES);
    BUFFER(tickets);
    BUFFER(counter);
    /* Who comes last is not known; that all were there is. */
    BUFFER(sums);
    for (u32 i = 0; i < LANES; i++) { tickets[i] = i + 1; sums[1] += i + 1; }
    counter[0] = LANES;
    END;

    LAUNCH("floats", BLOCKS, LANES);
    BUFFER(fin);
    BUFFER(f);
    BUFFER(df);
    for (int i = 0; i < ALL; i++) {
        f[0] += fin[i];
        df[0] += fin[i] / 4;
        if (fin[i] > f[1]) f[1] = fin[i];
    }
    END;

    LAUNCH("scopes", BLOCKS, LANES);
    BUFFER(scoped);
    scoped[0] = ALL; scoped[1] = 2 * ALL; scoped[2] = LANES - 1; scoped[3] = 3 * ALL;
    END;

    LAUNCH("locked", BLOCKS, LANES);
    BUFFER(lock);
    BUFFER(pair);
    for (int i = 0; i < ALL; i++) { pair[1] += pair[0]; pair[0]++; }
    END;

    /* 256 and 128 as halves; 512. */
    LAUNCH("halves", BLOCKS, LANES);
    BUFFER(h);
    BUFFER(one);
    h[0] = 0x58005c00; one[0] = 0x6000;
    END;

    /* 32 and -64 in the other format. */
    LAUNCH("bf16_halves", BLOCKS, LANES);
    BUFFER(b);
    b[0] = 0xc2804200;
    END;
    return 0;
}

#endif
