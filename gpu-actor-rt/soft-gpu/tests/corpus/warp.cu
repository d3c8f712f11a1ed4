/* What the lanes of a warp do together: shuffles, votes, matches, masks, and branches in which only some take part. */
#include "corpus.h"

#define LANES 64

#ifdef __CUDACC__

KERNEL shuffles(const u32 *in, u32 *out, double *wide) {
    int lane = threadIdx.x & 31;
    u32 x = in[threadIdx.x];
    out[threadIdx.x * 4] = __shfl_sync(~0u, x, (lane * 7 + 3) & 31);
    out[threadIdx.x * 4 + 1] = __shfl_xor_sync(~0u, x, 5, 8);
    out[threadIdx.x * 4 + 2] = __shfl_down_sync(~0u, x, 3, 16);
    out[threadIdx.x * 4 + 3] = __shfl_up_sync(~0u, x, lane / 8);
    wide[threadIdx.x] = __shfl_sync(~0u, (double)x / 7, 31 - lane);
}

KERNEL votes(const i32 *in, u32 *out) {
    i32 x = in[threadIdx.x];
    u32 ballot = __ballot_sync(~0u, x > 0);
    u32 bits = __all_sync(~0u, x > -1000) | __any_sync(~0u, x == 17) << 1 | __uni_sync(~0u, x > -1000) << 2;
    /* Only the lanes whose bit is set take part. */
    u32 some = 0;
    if (x > 0) some = __ballot_sync(ballot, x & 1) ^ __shfl_sync(ballot, threadIdx.x, __ffs(ballot) - 1);
    out[threadIdx.x * 3] = ballot;
    out[threadIdx.x * 3 + 1] = bits;
    out[threadIdx.x * 3 + 2] = some;
}

KERNEL matches(const u32 *in, u32 *out, u64 *wide) {
    int all;
    u32 x = in[threadIdx.x];
    out[threadIdx.x * 2] = __match_any_sync(~0u, x % 5);
    u32 same = __match_all_sync(~0u, threadIdx.x / 32, &all);
    out[threadIdx.x * 2 + 1] = same ^ all;
    wide[threadIdx.x] = __match_any_sync(~0u, (u64)(x % 3) << 40);
}

/* Lanes of a warp add up their counts, and one adds it for all of them. Whoever finds whom, the sum is the same. */
KERNEL aggregated(const u32 *in, u32 *counter) {
    if (in[threadIdx.x] & 1) {
        u32 active = __activemask();
        int leader = __ffs(active) - 1;
        if ((threadIdx.x & 31) == leader) atomicAdd(counter, __popc(active));
        __syncwarp(active);
    }
}

KERNEL masks(u32 *out) {
    u32 lane, eq, lt, le, gt, ge, warp;
    asm("mov.u32 %0, %%laneid;" : "=r"(lane));
    asm("mov.u32 %0, %%lanemask_eq;" : "=r"(eq));
    asm("mov.u32 %0, %%lanemask_lt;" : "=r"(lt));
    asm("mov.u32 %0, %%lanemask_le;" : "=r"(le));
    asm("mov.u32 %0, %%lanemask_gt;" : "=r"(gt));
    asm("mov.u32 %0, %%lanemask_ge;" : "=r"(ge));
    asm volatile("mov.u32 %0, %%warpid;" : "=r"(warp));
    u32 *mine = out + threadIdx.x * 8;
    mine[0] = lane; mine[1] = eq; mine[2] = lt; mine[3] = le; mine[4] = gt; mine[5] = ge; mine[6] = warp; mine[7] = warpSize;
}

#else

int main(void) {
    static u32 in[LANES], out[LANES * 4], voted[LANES * 3], matched[LANES * 2], counter[1], masked[LANES * 8];
    static i32 ints[LANES];
    static double wide[LANES];
    static u64 wide_matched[LANES];
    for (int i = 0; i < LANES; i++) { in[i] = next_u32(); ints[i] = (i32)(next_u32() % 41) - 20; }
    ints[40] = 17;

    LAUNCH("shuffles", 1, LANES);
    BUFFER(in);
    BUFFER(out);
    BUFFER(wide);
    for (int i = 0; i < LANES; i++) {
        int warp = i & ~31, lane = i & 31;
        out[i * 4] = in[warp | ((lane * 7 + 3) & 31)];
        out[i * 4 + 1] = in[(i ^ 5) / 8 == i / 8 ? i ^ 5 : i];
        out[i * 4 + 2] = in[i % 16 + 3 < 16 ? i + 3 : i];
        out[i * 4 + 3] = in[lane >= lane / 8 ? i - lane / 8 : i];
        wide[i] = (double)in[warp | (31 - lane)] / 7;
    }
    END;

    LAUNCH("votes", 1, LANES);
    BUFFER(ints);
    BUFFER(voted);
    for (int i = 0; i < LANES; i++) {
        u32 ballot = 0, odd = 0, any = 0;
        for (int j = i & ~31; j < (i & ~31) + 32; j++) {
            if (ints[j] > 0) ballot |= 1u << j % 32;
            if (ints[j] > 0 && (ints[j] & 1)) odd |= 1u << j % 32;
            if (ints[j] == 17) any = 1;
        }
        int first = 0;
        while (!(ballot >> first & 1)) first++;
        voted[i * 3] = ballot;
        voted[i * 3 + 1] = 1 | any << 1 | 4;
        voted[i * 3 + 2] = ints[i] > 0 ? odd ^ (u32)((i & ~31) + first) : 0;
    }
    END;

    LAUNCH("matches", 1, LANES);
    BUFFER(in);
    BUFFER(matched);
    BUFFER(wide_matched);
    for (int i = 0; i < LANES; i++) {
        for (int j = i & ~31; j < (i & ~31) + 32; j++) {
            if (in[j] % 5 == in[i] % 5) matched[i * 2] |= 1u << j % 32;
            if (in[j] % 3 == in[i] % 3) wide_matched[i] |= 1u << j % 32;
        }
        matched[i * 2 + 1] = ~0u ^ 1;
    }
    END;

    LAUNCH("aggregated", 1, LANES);
    BUFFER(in);
    BUFFER(counter);
    for (int i = 0; i < LANES; i++) counter[0] += in[i] & 1;
    END;

    LAUNCH("masks", 1, LANES);
    BUFFER(masked);
    for (int i = 0; i < LANES; i++) {
        u32 eq = 1u << i % 32;
        u32 mine[8] = {i % 32, eq, eq - 1, eq | (eq - 1), ~(eq | (eq - 1)), ~(eq - 1), i / 32, 32};
        memcpy(masked + i * 8, mine, sizeof mine);
    }
    END;
    return 0;
}

#endif
