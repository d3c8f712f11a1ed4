/* Memory of every kind: constants and globals with initial values, addresses among them, local arrays, unions, volatile
 * words, and structs in shared memory. */
#include "corpus.h"

#define N 64

struct entry { u8 kind; i16 value; float factor; };
struct list { const i32 *items; u32 count; };

#ifdef __CUDACC__
#define CONSTANT static __constant__
#define GLOBAL static __device__
#else
#define CONSTANT static
#define GLOBAL static
#endif

CONSTANT struct entry entries[4] = {{1, -2, 0.5f}, {2, 300, -1.25f}, {3, -32768, 8.0f}, {255, 7, 1e-3f}};
CONSTANT double coefficients[5] = {1.0, -0.5, 1.0 / 3, 0.25, -0.2};
CONSTANT i32 primes[6] = {2, 3, 5, 7, 11, 13};
GLOBAL i32 squares[5] = {1, 4, 9, 16, 25};
GLOBAL u64 seeds[3] = {0x9e3779b97f4a7c15ull, 1, 0xffffffffffffffffull};
GLOBAL i8 bytes[7] = {-1, 2, -3, 4, -5, 6, -7};
GLOBAL struct list lists[2] = {{squares, 5}, {squares + 2, 3}};

HD i32 sum_of(const struct list *list) {
    i32 sum = 0;
    for (u32 i = 0; i < list->count; i++) sum += list->items[i];
    return sum;
}

/* Newton's form of a polynomial, from constants. */
HD double polynomial(double x) {
    double value = 0;
    for (int i = 4; i >= 0; i--) value = value * x + coefficients[i];
    return value;
}

union word { float f; u32 u; u8 b[4]; };

HD u32 punned(float x) {
    union word w;
    w.f = x;
    w.b[2] ^= 0x80;
    return w.u + w.b[3];
}

/* A stack and a table in local memory, indexed by what is computed. */
HD u32 local_work(u32 seed) {
    u32 stack[16], counts[10] = {0}, top = 0;
    for (int i = 0; i < 40; i++) {
        seed = seed * 1664525u + 1013904223u;
        if ((seed >> 28) % 3 != 0 && top < 16) stack[top++] = seed >> 16;
        else if (top > 0) counts[stack[--top] % 10]++;
    }
    u32 sum = top;
    for (int i = 0; i < 10; i++) sum = sum * 3 + counts[i];
    return sum;
}

#ifdef __CUDACC__

KERNEL tables(const double *in, double *out, i32 *ints) {
    int i = threadIdx.x;
    const struct entry *e = &entries[i % 4];
    out[i] = polynomial(in[i]) + e->factor;
    ints[i * 4] = e->kind * 1000 + e->value + primes[i % 6];
    ints[i * 4 + 1] = sum_of(&lists[i & 1]) + bytes[i % 7];
    ints[i * 4 + 2] = (i32)(seeds[i % 3] >> (i % 40));
    ints[i * 4 + 3] = squares[(i * 7) % 5];
}

KERNEL locals(const u32 *in, const float *floats, u32 *out) {
    out[threadIdx.x] = local_work(in[threadIdx.x]) ^ punned(floats[threadIdx.x]);
}

/* Globals keep what one launch leaves for the next. */
static __device__ u32 kept[2] = {10, 20};
KERNEL leaves(u32 by) { kept[1] += by; if (by > 1000) kept[0] = by; }
KERNEL finds(u32 *out) { out[0] = kept[0]; out[1] = kept[1]; }

struct cell { float value; i32 owner; u8 mark; };
KERNEL cells(float *out, volatile i32 *flags) {
    __shared__ struct cell grid[8][8];
    int x = threadIdx.x % 8, y = threadIdx.x / 8;
    struct cell mine = {x * 0.5f + y, x - y, (u8)(x * y)};
    grid[y][x] = mine;
    __syncthreads();
    struct cell other = grid[x][(y + 3) % 8];
    out[threadIdx.x] = other.value * other.mark + other.owner;
    flags[threadIdx.x] = flags[threadIdx.x] + 1;
    __threadfence_system();
    flags[threadIdx.x] = flags[threadIdx.x] * 3;
}

#else

int main(void) {
    static double in[N], out[N];
    static i32 ints[N * 4], flags[N];
    static u32 seeds_in[N], worked[N], found[2];
    static float floats[N], cells[N];
    for (int i = 0; i < N; i++) { in[i] = next_f32(); seeds_in[i] = next_u32(); floats[i] = next_f32() * 100 - 50; flags[i] = i; }

    LAUNCH("tables", 1, N);
    BUFFER(in);
    BUFFER(out);
    BUFFER(ints);
    for (int i = 0; i < N; i++) {
        const struct entry *e = &entries[i % 4];
        out[i] = polynomial(in[i]) + e->factor;
        ints[i * 4] = e->kind * 1000 + e->value + primes[i % 6];
        ints[i * 4 + 1] = sum_of(&lists[i & 1]) + bytes[i % 7];
        ints[i * 4 + 2] = (i32)(seeds[i % 3] >> (i % 40));
        ints[i * 4 + 3] = squares[(i * 7) % 5];
    }
    END;

    LAUNCH("locals", 1, N);
    BUFFER(seeds_in);
    BUFFER(floats);
    BUFFER(worked);
    for (int i = 0; i < N; i++) worked[i] = local_work(seeds_in[i]) ^ punned(floats[i]);
    END;

    u32 by = 1234;
    LAUNCH("leaves", 1, 1);
    VALUE(by);
    END;
    LAUNCH("finds", 1, 1);
    BUFFER(found);
    found[0] = 1234;
    found[1] = 1254;
    END;

    LAUNCH("cells", 1, N);
    BUFFER(cells);
    BUFFER(flags);
    for (int i = 0; i < N; i++) {
        int x = (i / 8 + 3) % 8, y = i % 8;
        cells[i] = (x * 0.5f + y) * (u8)(x * y) + (x - y);
        flags[i] = (flags[i] + 1) * 3;
    }
    END;
    return 0;
}

#endif
