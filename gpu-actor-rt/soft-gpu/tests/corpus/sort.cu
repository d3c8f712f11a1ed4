/* Sorting: bitonic in shared memory, and radix by ballots. */
#include "corpus.h"

#define N 256

#ifdef __CUDACC__

KERNEL bitonic(u32 *keys, u16 *places) {
    __shared__ u32 key[N];
    __shared__ u16 place[N];
    int i = threadIdx.x;
    key[i] = keys[i];
    place[i] = i;
    for (int size = 2; size <= N; size *= 2) {
        for (int step = size / 2; step > 0; step /= 2) {
            __syncthreads();
            int other = i ^ step;
            if (other > i) {
                bool up = (i & size) == 0;
                if ((key[i] > key[other]) == up) {
                    u32 k = key[i]; key[i] = key[other]; key[other] = k;
                    u16 p = place[i]; place[i] = place[other]; place[other] = p;
                }
            }
        }
    }
    __syncthreads();
    keys[i] = key[i];
    places[i] = place[i];
}

/* One warp sorts 32 signed keys, a bit at a time, keeping equal ones in order. */
KERNEL radix_warp(i32 *keys) {
    __shared__ i32 shared[32];
    i32 key = keys[threadIdx.x];
    for (int bit = 0; bit < 32; bit++) {
        bool one = ((u32)key ^ 0x80000000u) >> bit & 1;
        u32 ones = __ballot_sync(~0u, one);
        u32 below = (1u << threadIdx.x) - 1;
        int to = one ? __popc(~ones) + __popc(ones & below) : __popc(~ones & below);
        shared[to] = key;
        __syncwarp();
        key = shared[threadIdx.x];
        __syncwarp();
    }
    keys[threadIdx.x] = key;
}

/* Each lane sorts a piece of its own, in local memory, with the C loop of an insertion sort. */
KERNEL insertion(double *keys) {
    double mine[16];
    for (int i = 0; i < 16; i++) mine[i] = keys[threadIdx.x * 16 + i];
    for (int i = 1; i < 16; i++) {
        double key = mine[i];
        int at = i;
        while (at > 0 && mine[at - 1] > key) { mine[at] = mine[at - 1]; at--; }
        mine[at] = key;
    }
    for (int i = 0; i < 16; i++) keys[threadIdx.x * 16 + i] = mine[i];
}

#else

static u32 unsorted[N];
static int by_key(const void *a, const void *b) {
    u32 x = unsorted[*(const u16 *)a], y = unsorted[*(const u16 *)b];
    return x < y ? -1 : x > y;
}
static int by_int(const void *a, const void *b) {
    i32 x = *(const i32 *)a, y = *(const i32 *)b;
    return x < y ? -1 : x > y;
}
static int by_double(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int main(void) {
    static u32 keys[N];
    static u16 places[N], sorted[N];
    static i32 few[32];
    static double pieces[8 * 16];
    /* All different: a bitonic sort does not keep equal keys in order. */
    for (u32 i = 0; i < N; i++) { keys[i] = unsorted[i] = (next_u32() & ~0xffu) | i; sorted[i] = (u16)i; }
    for (int i = 0; i < 32; i++) few[i] = (i32)next_u32() >> 20;
    for (int i = 0; i < 8 * 16; i++) pieces[i] = (double)next_f32() - 0.5;

    LAUNCH("bitonic", 1, N);
    BUFFER(keys);
    BUFFER(places);
    qsort(sorted, N, sizeof *sorted, by_key);
    for (int i = 0; i < N; i++) { keys[i] = unsorted[sorted[i]]; places[i] = sorted[i]; }
    END;

    LAUNCH("radix_warp", 1, 32);
    BUFFER(few);
    qsort(few, 32, sizeof *few, by_int);
    END;

    LAUNCH("insertion", 1, 8);
    BUFFER(pieces);
    for (int i = 0; i < 8; i++) qsort(pieces + 16 * i, 16, sizeof *pieces, by_double);
    END;
    return 0;
}

#endif
