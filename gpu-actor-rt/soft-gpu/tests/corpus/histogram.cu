/* Histograms: privatised in shared memory with atomics, then merged. */
#include "corpus.h"

#define BINS 64
#define LANES 96
#define BLOCKS 4
#define N 5000

#ifdef __CUDACC__

KERNEL histogram(const u8 *in, u32 *bins, int n) {
    __shared__ u32 mine[BINS];
    for (int i = threadIdx.x; i < BINS; i += blockDim.x) mine[i] = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&mine[in[i] % BINS], 1);
    __syncthreads();
    for (int i = threadIdx.x; i < BINS; i += blockDim.x) if (mine[i]) atomicAdd(&bins[i], mine[i]);
}

/* Several bins in a word: bytes that never overflow. */
KERNEL histogram_packed(const u8 *in, u32 *bins, int n) {
    __shared__ u32 packed[BINS / 4];
    if (threadIdx.x < BINS / 4) packed[threadIdx.x] = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        int bin = in[i] % BINS;
        atomicAdd(&packed[bin / 4], 1u << bin % 4 * 8);
    }
    __syncthreads();
    if (threadIdx.x < BINS) bins[threadIdx.x] = ((const u8 *)packed)[threadIdx.x];
}

#else

int main(void) {
    static u8 in[N];
    static u32 bins[BINS], packed[BINS];
    for (int i = 0; i < N; i++) in[i] = (u8)(next_u32() >> 13);

    LAUNCH("histogram", BLOCKS, LANES);
    BUFFER(in);
    BUFFER(bins);
    INT(N);
    for (int i = 0; i < N; i++) bins[in[i] % BINS]++;
    END;

    LAUNCH("histogram_packed", 1, LANES);
    BUFFER(in);
    BUFFER(packed);
    INT(N / 2);
    for (int i = 0; i < N / 2; i++) packed[in[i] % BINS]++;
    END;
    return 0;
}

#endif
