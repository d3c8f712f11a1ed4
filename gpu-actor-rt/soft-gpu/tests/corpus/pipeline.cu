/* Asynchronous copies to shared memory: a pipeline of two stages, sizes of 4, 8 and 16 bytes, and sources that end early;
 * and barriers that are objects, by which one warp hands words to another. */
// flags: sm_75 -arch=sm_75 -O3 --fmad=false
// flags: sm_80 -arch=sm_80 -O3 --fmad=false
// flags: sm_90 -arch=sm_90 -O3 --fmad=false
// flags: sm_103 -arch=sm_103 -O3 --fmad=false
#include "corpus.h"

#define LANES 32
#define TILES 6

#ifdef __CUDACC__
#include <cuda_pipeline.h>

KERNEL pipelined(const float4 *in, float *out, int tiles) {
    __shared__ float4 stage[2][LANES];
    __pipeline_memcpy_async(&stage[0][threadIdx.x], &in[threadIdx.x], 16);
    __pipeline_commit();
    float sum = 0;
    for (int tile = 0; tile < tiles; tile++) {
        if (tile + 1 < tiles) {
            __pipeline_memcpy_async(&stage[(tile + 1) % 2][threadIdx.x], &in[(tile + 1) * LANES + threadIdx.x], 16);
        }
        __pipeline_commit();
        __pipeline_wait_prior(1);
        __syncthreads();
        float4 other = stage[tile % 2][LANES - 1 - threadIdx.x];
        sum += other.x * 2 + other.y - other.z + other.w / 4;
        __syncthreads();
    }
    out[threadIdx.x] = sum;
}

KERNEL sizes(const u32 *in, u32 *out) {
    __shared__ __align__(16) u32 shared[LANES * 4];
    u32 *mine = shared + threadIdx.x * 4;
    switch (threadIdx.x % 4) {
        case 0: __pipeline_memcpy_async(mine, in + threadIdx.x * 4, 4); mine[1] = mine[2] = mine[3] = 1; break;
        case 1: __pipeline_memcpy_async(mine, in + threadIdx.x * 4, 8); mine[2] = mine[3] = 2; break;
        case 2: __pipeline_memcpy_async(mine, in + threadIdx.x * 4, 16, 4); break;
        default: __pipeline_memcpy_async(mine, in + threadIdx.x * 4, 16, 16); break;
    }
    __pipeline_commit();
    __pipeline_wait_prior(0);
    for (int i = 0; i < 4; i++) out[threadIdx.x * 4 + i] = mine[i];
}

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
#include <cuda_awbarrier_primitives.h>

/* The first warp fills two boxes in turn, the second empties them. */
KERNEL handed_over(const u32 *in, u32 *out, int rounds) {
    __shared__ __mbarrier_t full[2], empty[2];
    __shared__ u32 box[2][LANES];
    int lane = threadIdx.x % LANES;
    if (threadIdx.x == 0) {
        for (int i = 0; i < 2; i++) { __mbarrier_init(&full[i], LANES); __mbarrier_init(&empty[i], LANES); }
    }
    __syncthreads();
    for (int round = 0; round < rounds; round++) {
        int at = round % 2;
        bool phase = round / 2 % 2;
        if (threadIdx.x < LANES) {
            while (round >= 2 && !__mbarrier_test_wait_parity(&empty[at], !phase)) {}
            box[at][lane] = in[round * LANES + lane] * 3;
            __mbarrier_arrive(&full[at]);
        } else {
            while (!__mbarrier_test_wait_parity(&full[at], phase)) {}
            out[round * LANES + lane] = box[at][LANES - 1 - lane] + round;
            __mbarrier_arrive(&empty[at]);
        }
    }
}
#endif

#else

int main(void) {
    static float in[TILES * LANES * 4], out[LANES];
    static u32 words[LANES * 4], copied[LANES * 4];
    for (int i = 0; i < TILES * LANES * 4; i++) in[i] = next_f32();
    for (int i = 0; i < LANES * 4; i++) words[i] = next_u32();
    int tiles = TILES;

    LAUNCH("pipelined", 1, LANES);
    BUFFER(in);
    BUFFER(out);
    INT(tiles);
    for (int lane = 0; lane < LANES; lane++) for (int tile = 0; tile < TILES; tile++) {
        const float *other = in + (tile * LANES + LANES - 1 - lane) * 4;
        out[lane] += other[0] * 2 + other[1] - other[2] + other[3] / 4;
    }
    END;

    LAUNCH("sizes", 1, LANES);
    BUFFER(words);
    BUFFER(copied);
    for (u32 lane = 0; lane < LANES; lane++) for (u32 i = 0; i < 4; i++) {
        u32 word = words[lane * 4 + i];
        u32 kinds[4] = {i < 1 ? word : 1, i < 2 ? word : 2, i < 3 ? word : 0, 0};
        copied[lane * 4 + i] = lane % 4 == 3 ? 0 : kinds[lane % 4];
    }
    END;

    static u32 given[TILES * LANES], taken[TILES * LANES];
    for (int i = 0; i < TILES * LANES; i++) given[i] = next_u32();
    LAUNCH("handed_over", 1, 2 * LANES);
    BUFFER(given);
    BUFFER(taken);
    INT(tiles);
    for (int round = 0; round < TILES; round++) for (int lane = 0; lane < LANES; lane++) {
        taken[round * LANES + lane] = given[round * LANES + LANES - 1 - lane] * 3 + (u32)round;
    }
    END;
    return 0;
}

#endif
