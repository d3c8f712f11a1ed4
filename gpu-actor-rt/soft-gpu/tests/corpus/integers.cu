/* Integers: 64 and 128 bits, division, the bit instructions that have names in C, and branches on many cases. */
#include "corpus.h"

#define N 128

HD u32 mixed_cases(u32 x) {
    switch (x % 13) {
        case 0: return x;
        case 1: return x * 3;
        case 2: x ^= 0x55; /* and on */
        case 3: return x + 17;
        case 4: return ~x;
        case 5: return x >> 3;
        case 6: return x << 7;
        case 7: return x / 11;
        case 9: return x % 1000;
        case 10: return x * x;
        case 11: return x & 0xff00ff;
        default: return 42;
    }
}

/* Loops that go on, leave early, and leave both. */
HD u32 steps(u32 x) {
    u32 n = 0;
    for (u32 i = 2; i < 60; i++) {
        for (u32 j = 0; j < i; j++) {
            if ((x + j) % 7 == 3) continue;
            if ((x ^ i * j) % 61 == 5) goto out;
            if ((i * j + x) % 29 == 1) break;
            n += i ^ j;
        }
        do { x = x * 5 + 1; } while (x & 4);
    }
out:
    return n + x;
}

#ifdef __CUDACC__

KERNEL wide(const u64 *in, u64 *out) {
    int i = threadIdx.x;
    u64 a = in[i], b = in[(i + 1) % N] >> (i % 60) | 1;
    i64 s = (i64)a, t = (i64)b * (i & 1 ? 1 : -1);
    u64 *r = out + i * 16;
    r[0] = a + b; r[1] = a - b; r[2] = a * b; r[3] = a / b; r[4] = a % b;
    r[5] = (u64)(s / t); r[6] = (u64)(s % t); r[7] = __umul64hi(a, b); r[8] = (u64)__mul64hi(s, t);
    r[9] = a << (b & 63); r[10] = a >> (b & 63); r[11] = (u64)(s >> (b & 63));
    r[12] = (u64)(double)a; r[13] = (u64)(i64)(float)s; r[14] = a / 10 + a % 1000003; r[15] = (u64)(s / 7);
}

KERNEL very_wide(const u64 *in, u64 *out) {
    int i = threadIdx.x;
    unsigned __int128 a = (unsigned __int128)in[i] << 64 | in[(i + 1) % N], b = (unsigned __int128)in[(i + 2) % N] << 64 | in[(i + 3) % N];
    unsigned __int128 values[5] = {a + b, a - b, a * b, a >> (in[i] & 127), (b << (i % 128)) ^ (unsigned __int128)((__int128)a >> 70)};
    for (int k = 0; k < 5; k++) {
        out[i * 11 + 2 * k] = (u64)values[k];
        out[i * 11 + 2 * k + 1] = (u64)(values[k] >> 64);
    }
    out[i * 11 + 10] = (a < b) | ((__int128)a < (__int128)b) << 1;
}

KERNEL bits(const u32 *in, u32 *out) {
    int i = threadIdx.x;
    u32 a = in[i], b = in[(i + 1) % N], c = in[(i + 2) % N];
    u64 w = (u64)a << 32 | b;
    u32 *r = out + i * 24;
    r[0] = __brev(a); r[1] = __clz(a >> (b & 31)); r[2] = __ffs(a & b & c); r[3] = __popc(a);
    r[4] = (u32)__brevll(w); r[5] = __clzll(w >> (c & 63)); r[6] = __ffsll(w << 7); r[7] = __popcll(w);
    r[8] = __byte_perm(a, b, c); r[9] = __funnelshift_l(a, b, c); r[10] = __funnelshift_rc(a, b, c & 63);
    r[11] = __sad(a, b, c); r[12] = __usad(a, b, c); r[13] = __mul24(a, b); r[14] = __umul24(a, b);
    r[15] = __umulhi(a, b); r[16] = __mulhi(a, b);
    /* Without optimisation the compiler has no code for its own intrinsics of these. */
    asm("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(r[17]) : "r"(a), "r"(b), "r"(c));
    asm("dp2a.lo.u32.u32 %0, %1, %2, %3;" : "=r"(r[18]) : "r"(a), "r"(b), "r"(c));
    r[19] = __hadd(a, b); r[20] = __urhadd(a, b); r[21] = min((int)a, (int)b) ^ max(a, c);
    r[22] = abs((int)a) + ((a >> (b & 15)) & 0x1ff); r[23] = (u32)((int)(short)a * (signed char)b);
}

KERNEL branches(const u32 *in, u32 *out) {
    out[threadIdx.x * 2] = mixed_cases(in[threadIdx.x]);
    out[threadIdx.x * 2 + 1] = steps(in[threadIdx.x] >> 8);
}

#else

static u32 count(u64 x) { u32 n = 0; for (; x; x &= x - 1) n++; return n; }
static u32 leading(u64 x, int width) { u32 n = 0; for (int i = width - 1; i >= 0 && !(x >> i & 1); i--) n++; return n; }
static u32 first(u64 x) { return x ? count((x & -x) - 1) + 1 : 0; }
static u64 reversed(u64 x, int width) { u64 r = 0; for (int i = 0; i < width; i++) r |= (x >> i & 1) << (width - 1 - i); return r; }

int main(void) {
    static u64 in[N], out[N * 16], very[N * 11];
    static u32 words[N], bits[N * 24], branched[N * 2];
    for (int i = 0; i < N; i++) { in[i] = next_u64(); words[i] = next_u32(); }
    in[5] = 1ull << 63; in[6] = ~0ull; words[9] = 0;

    LAUNCH("wide", 1, N);
    BUFFER(in);
    BUFFER(out);
    for (int i = 0; i < N; i++) {
        u64 a = in[i], b = in[(i + 1) % N] >> (i % 60) | 1;
        i64 s = (i64)a, t = (i64)b * (i & 1 ? 1 : -1);
        u64 *r = out + i * 16;
        unsigned __int128 product = (unsigned __int128)a * b;
        __int128 signed_product = (__int128)s * t;
        r[0] = a + b; r[1] = a - b; r[2] = a * b; r[3] = a / b; r[4] = a % b;
        int overflow = s == (i64)(1ull << 63) && t == -1;
        r[5] = overflow ? (u64)s : (u64)(s / t); r[6] = overflow ? 0 : (u64)(s % t);
        r[7] = (u64)(product >> 64); r[8] = (u64)(signed_product >> 64);
        r[9] = a << (b & 63); r[10] = a >> (b & 63); r[11] = (u64)(s >> (b & 63));
        /* Beyond the range the device clamps. */
        double d = (double)a;
        float f = (float)s;
        r[12] = d >= 18446744073709551616.0 ? ~0ull : (u64)d;
        r[13] = f >= 9223372036854775808.0f ? ~0ull >> 1 : (u64)(i64)f;
        r[14] = a / 10 + a % 1000003; r[15] = (u64)(s / 7);
    }
    END;

    LAUNCH("very_wide", 1, N);
    BUFFER(in);
    BUFFER(very);
    for (int i = 0; i < N; i++) {
        unsigned __int128 a = (unsigned __int128)in[i] << 64 | in[(i + 1) % N], b = (unsigned __int128)in[(i + 2) % N] << 64 | in[(i + 3) % N];
        unsigned __int128 values[5] = {a + b, a - b, a * b, a >> (in[i] & 127), (b << (i % 128)) ^ (unsigned __int128)((__int128)a >> 70)};
        for (int k = 0; k < 5; k++) {
            very[i * 11 + 2 * k] = (u64)values[k];
            very[i * 11 + 2 * k + 1] = (u64)(values[k] >> 64);
        }
        very[i * 11 + 10] = (u64)((a < b) | ((__int128)a < (__int128)b) << 1);
    }
    END;

    LAUNCH("bits", 1, N);
    BUFFER(words);
    BUFFER(bits);
    for (int i = 0; i < N; i++) {
        u32 a = words[i], b = words[(i + 1) % N], c = words[(i + 2) % N];
        u64 w = (u64)a << 32 | b, both = (u64)b << 32 | a;
        u32 *r = bits + i * 24;
        r[0] = (u32)reversed(a, 32); r[1] = leading(a >> (b & 31), 32); r[2] = first(a & b & c); r[3] = count(a);
        r[4] = (u32)reversed(w, 64); r[5] = leading(w >> (c & 63), 64); r[6] = first(w << 7); r[7] = count(w);
        for (int k = 0; k < 4; k++) r[8] |= (u32)(both >> ((c >> 4 * k & 7) * 8) & 0xff) << 8 * k;
        u32 n = c & 63 ? ((c & 63) > 32 ? 32 : c & 63) : 0;
        r[9] = (u32)(both << (c & 31) >> 32); r[10] = (u32)(both >> n);
        i64 x = (i32)a, y = (i32)b;
        r[11] = (u32)(x > y ? x - y : y - x) + c; r[12] = (a > b ? a - b : b - a) + c;
        i64 xl = (i32)(a << 8) >> 8, yl = (i32)(b << 8) >> 8;
        r[13] = (u32)(xl * yl); r[14] = (u32)((u64)(a & 0xffffff) * (b & 0xffffff));
        r[15] = (u32)((u64)a * b >> 32); r[16] = (u32)((u64)(x * y) >> 32);
        r[17] = r[18] = c;
        for (int k = 0; k < 4; k++) r[17] += (u32)((i8)(a >> 8 * k) * (i8)(b >> 8 * k));
        for (int k = 0; k < 2; k++) r[18] += (u32)(u16)(a >> 16 * k) * (u8)(b >> 8 * k);
        r[19] = (u32)((x + y) >> 1); r[20] = (u32)(((u64)a + b + 1) >> 1);
        r[21] = (u32)(x < y ? x : y) ^ (a > c ? a : c);
        r[22] = (u32)(x < 0 ? -x : x) + ((a >> (b & 15)) & 0x1ff); r[23] = (u32)((i16)a * (i8)b);
    }
    END;

    LAUNCH("branches", 1, N);
    BUFFER(words);
    BUFFER(branched);
    for (int i = 0; i < N; i++) {
        branched[i * 2] = mixed_cases(words[i]);
        branched[i * 2 + 1] = steps(words[i] >> 8);
    }
    END;
    return 0;
}

#endif
