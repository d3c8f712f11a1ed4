/* Structs by value: as kernel parameters, as arguments and results of functions that are not inlined, and in memory. */
#include "corpus.h"

#define N 48

struct vec3 { double x, y, z; };
struct mixed { u8 tag; u16 small; float real; u64 wide; i32 list[3]; };
struct big { u32 words[24]; };
struct tiny { u8 a, b, c; };

#ifdef __CUDACC__
#define NOT_INLINED static __device__ __noinline__
#else
#define NOT_INLINED static
#endif

NOT_INLINED struct vec3 cross(struct vec3 a, struct vec3 b) {
    struct vec3 r;
    r.x = a.y * b.z - a.z * b.y;
    r.y = a.z * b.x - a.x * b.z;
    r.z = a.x * b.y - a.y * b.x;
    return r;
}

NOT_INLINED struct mixed change(struct mixed m, int by) {
    m.tag += 1;
    m.small = (u16)(m.small * 3);
    m.real = m.real / 2 + by;
    m.wide ^= (u64)by << 33;
    for (int i = 0; i < 3; i++) m.list[i] -= by * i;
    return m;
}

NOT_INLINED u32 checksum(struct big b, struct tiny t) {
    u32 sum = t.a * 65536u + t.b * 256u + t.c;
    for (int i = 0; i < 24; i++) sum = sum * 31 + b.words[i];
    return sum;
}

#ifdef __CUDACC__

KERNEL crossed(const struct vec3 *in, struct vec3 *out, struct vec3 by) {
    out[threadIdx.x] = cross(in[threadIdx.x], by);
}

KERNEL changed(struct mixed *all, struct mixed one, u8 byte, u16 half) {
    struct mixed m = threadIdx.x % 2 ? all[threadIdx.x] : one;
    m.tag ^= byte;
    m.small += half;
    all[threadIdx.x] = change(change(m, threadIdx.x), 7);
}

KERNEL checksums(struct big big, u32 *out, struct tiny tiny, int index) {
    big.words[threadIdx.x % 24] ^= threadIdx.x;
    tiny.b += big.words[index + threadIdx.x % 4];
    out[threadIdx.x] = checksum(big, tiny);
}

#else

int main(void) {
    static struct vec3 in[N], out[N], by = {0.5, -1.25, 3.0};
    static struct mixed all[N], one = {250, 40000, 1.5f, 0x123456789abcdefull, {1, -2, 3}};
    static struct big big;
    static u32 sums[N];
    struct tiny tiny = {1, 2, 3};
    u8 byte = 0x5a;
    u16 half = 999;
    for (int i = 0; i < N; i++) {
        struct vec3 v = {next_f32(), next_f32() - 0.5, next_f32() * 9};
        in[i] = v;
        all[i].tag = (u8)next_u32();
        all[i].small = (u16)next_u32();
        all[i].real = next_f32();
        all[i].wide = next_u64();
        for (int j = 0; j < 3; j++) all[i].list[j] = (i32)next_u32() >> 3;
    }
    for (int i = 0; i < 24; i++) big.words[i] = next_u32();

    LAUNCH("crossed", 1, N);
    BUFFER(in);
    BUFFER(out);
    VALUE(by);
    for (int i = 0; i < N; i++) out[i] = cross(in[i], by);
    END;

    LAUNCH("changed", 1, N);

    BUFFER(all);
    VALUE(one);
    VALUE(byte);
    VALUE(half);
    for (int i = 0; i < N; i++) {
        struct mixed m = i % 2 ? all[i] : one;
        m.tag ^= byte;
        m.small += half;
        m = change(change(m, i), 7);
        all[i].tag = m.tag;
        all[i].small = m.small;
        all[i].real = m.real;
        all[i].wide = m.wide;
        memcpy(all[i].list, m.list, sizeof m.list);
    }
    END;

    int index = 5;
    LAUNCH("checksums", 1, N);
    VALUE(big);
    BUFFER(sums);
    VALUE(tiny);
    INT(index);
    for (int i = 0; i < N; i++) {
        struct big b = big;
        struct tiny t = tiny;
        b.words[i % 24] ^= (u32)i;
        t.b = (u8)(t.b + b.words[index + i % 4]);
        sums[i] = checksum(b, t);
    }
    END;
    return 0;
}

#endif
