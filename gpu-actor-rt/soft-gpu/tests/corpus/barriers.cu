/* Barriers that count and vote, barriers for some of a block's warps, and a producer that does not wait. */
#include "corpus.h"

#define LANES 96

#ifdef __CUDACC__

KERNEL counted(const u32 *in, u32 *out) {
    u32 x = in[threadIdx.x];
    u32 count = __syncthreads_count(x & 1);
    u32 all = __syncthreads_and(x > 5), any = __syncthreads_or(x == 1000);
    out[threadIdx.x] = count | (all != 0) << 16 | (any != 0) << 17;
}

/* Two of three warps meet at a barrier of their own, twice. */
KERNEL named(u32 *out) {
    __shared__ u32 box[64];
    if (threadIdx.x < 64) {
        box[threadIdx.x] = threadIdx.x * threadIdx.x;
        asm volatile("bar.sync 3, 64;" ::: "memory");
        u32 other = box[63 - threadIdx.x];
        asm volatile("barrier.sync 3, 64;" ::: "memory");
        box[threadIdx.x] = other + 1;
    }
    __syncthreads();
    out[threadIdx.x] = box[threadIdx.x % 64];
}

/* The first warp makes, the others take; makers arrive and go on. */
KERNEL produced(u32 *out) {
    __shared__ u32 box[32];
    if (threadIdx.x < 32) {
        box[threadIdx.x] = threadIdx.x * 3 + 1;
        __threadfence_block();
        asm volatile("bar.arrive 5, 96;" ::: "memory");
        out[threadIdx.x] = 7;
    } else {
        asm volatile("bar.sync 5, 96;" ::: "memory");
        out[threadIdx.x] = box[threadIdx.x % 32] * (threadIdx.x / 32);
    }
}

/* A warp that ends early is not waited for. */
KERNEL leaving(u32 *out) {
    __shared__ u32 sum;
    if (threadIdx.x == 0) sum = 0;
    __syncthreads();
    if (threadIdx.x / 32 == 1) { out[threadIdx.x] = 1; return; }
    atomicAdd(&sum, threadIdx.x);
    __syncthreads();
    out[threadIdx.x] = sum;
}

#else

int main(void) {
    static u32 in[LANES], out[LANES], boxes[LANES], made[LANES], left[LANES];
    u32 odd = 0, sum = 0;
    for (u32 i = 0; i < LANES; i++) { in[i] = next_u32() % 990 + 6; odd += in[i] & 1; if (i / 32 != 1) sum += i; }

    LAUNCH("counted", 1, LANES);
    BUFFER(in);
    BUFFER(out);
    for (int i = 0; i < LANES; i++) out[i] = odd | 1 << 16;
    END;

    LAUNCH("named", 1, LANES);
    BUFFER(boxes);
    for (u32 i = 0; i < LANES; i++) boxes[i] = (63 - i % 64) * (63 - i % 64) + 1;
    END;

    LAUNCH("produced", 1, LANES);
    BUFFER(made);
    for (u32 i = 0; i < LANES; i++) made[i] = i < 32 ? 7 : (i % 32 * 3 + 1) * (i / 32);
    END;

    LAUNCH("leaving", 1, LANES);
    BUFFER(left);
    for (u32 i = 0; i < LANES; i++) left[i] = i / 32 == 1 ? 1 : sum;
    END;
    return 0;
}

#endif
