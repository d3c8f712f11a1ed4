/* Reductions: a tree in shared memory, shuffles of a warp, redux, and one result by atomics over blocks. */
#include "corpus.h"

#define LANES 128
#define BLOCKS 5
#define N 3001

#ifdef __CUDACC__

KERNEL sum_tree(const float *in, float *out, int n) {
    __shared__ float part[LANES];
    float sum = 0;
    for (int i = threadIdx.x; i < n; i += LANES) sum += in[i];
    part[threadIdx.x] = sum;
    __syncthreads();
    for (int half = LANES / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0) *out = part[0];
}

static __device__ __forceinline__ i64 warp_sum(i64 value) {
    for (int step = 16; step > 0; step /= 2) value += __shfl_down_sync(~0u, value, step);
    return value;
}

KERNEL sum_shuffle(const i32 *in, u64 *out, int n) {
    __shared__ i64 warps[LANES / 32];
    i64 sum = 0;
    for (int i = blockIdx.x * LANES + threadIdx.x; i < n; i += gridDim.x * LANES) sum += in[i];
    sum = warp_sum(sum);
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x < 32) {
        sum = threadIdx.x < LANES / 32 ? warps[threadIdx.x] : 0;
        sum = warp_sum(sum);
        if (threadIdx.x == 0) atomicAdd(out, (u64)sum);
    }
}

KERNEL extremes(const i32 *in, i32 *out, int n) {
    __shared__ int low, high;
    if (threadIdx.x == 0) { low = 0x7fffffff; high = -0x7fffffff - 1; }
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += LANES) {
        atomicMin(&low, in[i]);
        atomicMax(&high, in[i]);
    }
    __syncthreads();
    if (threadIdx.x == 0) { out[0] = low; out[1] = high; }
}

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
KERNEL warp_redux(const u32 *in, u32 *out) {
    u32 x = in[threadIdx.x];
    u32 r[8] = {
        __reduce_add_sync(~0u, x), __reduce_min_sync(~0u, x), __reduce_max_sync(~0u, x),
        (u32)__reduce_min_sync(~0u, (int)x), (u32)__reduce_max_sync(~0u, (int)x),
        __reduce_and_sync(~0u, x), __reduce_or_sync(~0u, x), __reduce_xor_sync(~0u, x),
    };
    if (threadIdx.x == 7) for (int i = 0; i < 8; i++) out[i] = r[i];
}
#endif

#else

int main(void) {
    static float xs[N], total[1];
    static i32 ints[N], ends[2];
    static u64 sum[1];
    static u32 words[32], redux[8];
    for (int i = 0; i < N; i++) { xs[i] = next_f32(); ints[i] = (i32)next_u32(); }

    LAUNCH("sum_tree", 1, LANES);
    BUFFER(xs);
    BUFFER(total);
    INT(N);
    float part[LANES] = {0};
    for (int i = 0; i < N; i++) part[i % LANES] += xs[i];
    for (int half = LANES / 2; half > 0; half /= 2) for (int i = 0; i < half; i++) part[i] += part[i + half];
    total[0] = part[0];
    END;

    LAUNCH("sum_shuffle", BLOCKS, LANES);
    BUFFER(ints);
    BUFFER(sum);
    INT(N);
    for (int i = 0; i < N; i++) sum[0] += (u64)(i64)ints[i];
    END;

    LAUNCH("extremes", 1, LANES);
    BUFFER(ints);
    BUFFER(ends);
    INT(N);
    ends[0] = ends[1] = ints[0];
    for (int i = 0; i < N; i++) {
        if (ints[i] < ends[0]) ends[0] = ints[i];
        if (ints[i] > ends[1]) ends[1] = ints[i];
    }
    END;

    for (int i = 0; i < 32; i++) words[i] = next_u32() | 0x100;
    LAUNCH("warp_redux", 1, 32);
    BUFFER(words);
    BUFFER(redux);
    redux[1] = redux[3] = redux[4] = redux[5] = words[0];
    redux[2] = 0;
    for (int i = 0; i < 32; i++) {
        u32 x = words[i];
        redux[0] += x;
        if (x < redux[1]) redux[1] = x;
        if (x > redux[2]) redux[2] = x;
        if ((i32)x < (i32)redux[3]) redux[3] = x;
        if ((i32)x > (i32)redux[4]) redux[4] = x;
        redux[5] &= x;
        redux[6] |= x;
        redux[7] ^= x;
    }
    END;
    return 0;
}

#endif
