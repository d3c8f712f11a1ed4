/* Matrix multiplication in tiles: static and dynamic shared memory, float and double, with and without fma. */
#include "corpus.h"

#define TILE 8
#define N 40

#ifdef __CUDACC__

KERNEL matmul_static(const float *a, const float *b, float *c, int n) {
    __shared__ float left[TILE][TILE], right[TILE][TILE + 1];
    int x = blockIdx.x * TILE + threadIdx.x, y = blockIdx.y * TILE + threadIdx.y;
    float sum = 0;
    for (int k = 0; k < n; k += TILE) {
        left[threadIdx.y][threadIdx.x] = a[y * n + k + threadIdx.x];
        right[threadIdx.y][threadIdx.x] = b[(k + threadIdx.y) * n + x];
        __syncthreads();
        #pragma unroll
        for (int i = 0; i < TILE; i++) sum = fmaf(left[threadIdx.y][i], right[i][threadIdx.x], sum);
        __syncthreads();
    }
    c[y * n + x] = sum;
}

KERNEL matmul_dynamic(const double *a, const double *b, double *c, int n) {
    extern __shared__ double tiles[];
    double *left = tiles, *right = tiles + TILE * TILE;
    int x = blockIdx.x * TILE + threadIdx.x, y = blockIdx.y * TILE + threadIdx.y;
    int at = threadIdx.y * TILE + threadIdx.x;
    double sum = 0;
    for (int k = 0; k < n; k += TILE) {
        left[at] = a[y * n + k + threadIdx.x];
        right[at] = b[(k + threadIdx.y) * n + x];
        __syncthreads();
        for (int i = 0; i < TILE; i++) sum += left[threadIdx.y * TILE + i] * right[i * TILE + threadIdx.x];
        __syncthreads();
    }
    c[y * n + x] = sum;
}

/* Four results in a lane, through vector loads. */
KERNEL matmul_vector(const float4 *a, const float4 *b, float4 *c) {
    int row = threadIdx.x;
    float4 sum = make_float4(0, 0, 0, 0);
    float4 left = a[row];
    const float *k = &left.x;
    for (int i = 0; i < 4; i++) {
        float4 right = __ldg(&b[i]);
        sum.x += k[i] * right.x;
        sum.y += k[i] * right.y;
        sum.z += k[i] * right.z;
        sum.w += k[i] * right.w;
    }
    c[row] = sum;
}

#else

int main(void) {
    static float a[N * N], b[N * N], c[N * N], small[4 * 4], out[4 * 4];
    static double wa[N * N], wb[N * N], wc[N * N];
    for (int i = 0; i < N * N; i++) {
        a[i] = next_f32() - 0.5f;
        b[i] = next_f32();
        wa[i] = (double)next_f32() / 3;
        wb[i] = (double)next_f32() - 0.25;
    }
    for (int i = 0; i < 16; i++) small[i] = next_f32();

    LAUNCH2("matmul_static", N / TILE, N / TILE, TILE, TILE, 0);
    BUFFER(a);
    BUFFER(b);
    BUFFER(c);
    INT(N);
    for (int y = 0; y < N; y++) for (int x = 0; x < N; x++) {
        float sum = 0;
        for (int k = 0; k < N; k++) sum = fmaf(a[y * N + k], b[k * N + x], sum);
        c[y * N + x] = sum;
    }
    END;

    LAUNCH2("matmul_dynamic", N / TILE, N / TILE, TILE, TILE, 2 * TILE * TILE * 8);
    BUFFER(wa);
    BUFFER(wb);
    BUFFER(wc);
    INT(N);
    for (int y = 0; y < N; y++) for (int x = 0; x < N; x++) {
        double sum = 0;
        for (int k = 0; k < N; k++) sum += wa[y * N + k] * wb[k * N + x];
        wc[y * N + x] = sum;
    }
    END;

    LAUNCH("matmul_vector", 1, 4);
    BUFFER(a);
    BUFFER(small);
    BUFFER(out);
    for (int y = 0; y < 4; y++) for (int x = 0; x < 4; x++) {
        float sum = 0;
        for (int k = 0; k < 4; k++) sum += a[y * 4 + k] * small[k * 4 + x];
        out[y * 4 + x] = sum;
    }
    END;
    return 0;
}

#endif
