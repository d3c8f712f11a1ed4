/* Prefix sums: over a warp with shuffles, over a block in dynamic shared memory, and over blocks that hand their sum on. */
#include "corpus.h"

#define LANES 64
#define BLOCKS 6
#define N (LANES * BLOCKS)

#ifdef __CUDACC__

KERNEL scan_warp(const u32 *in, u32 *out) {
    u32 x = in[threadIdx.x];
    int lane = threadIdx.x & 31;
    for (int step = 1; step < 32; step *= 2) {
        u32 y = __shfl_up_sync(~0u, x, step);
        if (lane >= step) x += y;
    }
    out[threadIdx.x] = x;
}

KERNEL scan_segments(const u32 *in, u32 *out) {
    u32 x = in[threadIdx.x];
    for (int step = 1; step < 8; step *= 2) {
        u32 y = __shfl_up_sync(~0u, x, step, 8);
        if ((threadIdx.x & 7) >= step) x += y;
    }
    out[threadIdx.x] = x;
}

KERNEL scan_block(const i64 *in, i64 *out) {
    extern __shared__ i64 buffer[];
    i64 *from = buffer, *to = buffer + LANES;
    from[threadIdx.x] = in[threadIdx.x];
    __syncthreads();
    for (int step = 1; step < LANES; step *= 2) {
        i64 x = from[threadIdx.x];
        if (threadIdx.x >= step) x += from[threadIdx.x - step];
        to[threadIdx.x] = x;
        __syncthreads();
        i64 *swap = from; from = to; to = swap;
    }
    out[threadIdx.x] = from[threadIdx.x];
}

/* Each block waits for the one before: blocks take their number from a counter, so that those before them run. */
KERNEL scan_chain(const u32 *in, u32 *out, volatile u32 *chain, u32 *ticket) {
    __shared__ u32 shared[LANES];
    __shared__ u32 block, before;
    if (threadIdx.x == 0) block = atomicAdd(ticket, 1);
    __syncthreads();
    u32 at = block * LANES + threadIdx.x;
    shared[threadIdx.x] = in[at];
    __syncthreads();
    if (threadIdx.x == 0) {
        u32 sum = 0;
        for (int i = 0; i < LANES; i++) { u32 x = shared[i]; shared[i] = sum; sum += x; }
        u32 base = 0;
        if (block > 0) {
            while (chain[2 * (block - 1)] == 0) {}
            __threadfence();
            base = chain[2 * (block - 1) + 1];
        }
        chain[2 * block + 1] = base + sum;
        __threadfence();
        chain[2 * block] = 1;
        before = base;
    }
    __syncthreads();
    out[at] = before + shared[threadIdx.x];
}

#else

int main(void) {
    static u32 in[LANES], out[LANES], all[N], sums[N], chain[2 * BLOCKS], ticket[1];
    static i64 wide[LANES], wide_sums[LANES];
    for (int i = 0; i < LANES; i++) { in[i] = next_u32(); wide[i] = (i64)next_u64(); }
    for (int i = 0; i < N; i++) all[i] = next_u32();

    LAUNCH("scan_warp", 1, LANES);
    BUFFER(in);
    BUFFER(out);
    for (int i = 0; i < LANES; i++) out[i] = in[i] + (i % 32 ? out[i - 1] : 0);
    END;

    LAUNCH("scan_segments", 1, LANES);
    BUFFER(in);
    BUFFER(out);
    for (int i = 0; i < LANES; i++) out[i] = in[i] + (i % 8 ? out[i - 1] : 0);
    END;

    LAUNCH_SHARED("scan_block", 1, LANES, 2 * LANES * 8);
    BUFFER(wide);
    BUFFER(wide_sums);
    u64 sum = 0;
    for (int i = 0; i < LANES; i++) wide_sums[i] = (i64)(sum += (u64)wide[i]);
    END;

    LAUNCH("scan_chain", BLOCKS, LANES);
    BUFFER(all);
    BUFFER(sums);
    BUFFER(chain);
    BUFFER(ticket);
    u32 running = 0;
    for (int i = 0; i < N; i++) {
        sums[i] = running;
        running += all[i];
        if (i % LANES == LANES - 1) { chain[i / LANES * 2] = 1; chain[i / LANES * 2 + 1] = running; }
    }
    ticket[0] = BLOCKS;
    END;
    return 0;
}

#endif
