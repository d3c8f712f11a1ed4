/* What every program of the corpus includes.
 *
 * A program is one file with two readings. nvcc reads the kernels, which stand under __CUDACC__, and its PTX is checked
 * in beside the file. The host's C compiler reads the rest: a main() that computes the same results in plain C and
 * prints, for each launch, its shape, its arguments and what memory must hold afterwards. The test in ../corpus.rs
 * runs the PTX with these arguments and compares. Functions marked HD are read by both.
 */
#ifndef CORPUS_H
#define CORPUS_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char i8;
typedef short i16;
typedef int i32;
typedef long long i64;

#ifdef __CUDACC__
#define KERNEL extern "C" __global__ void
#define HD static __device__
#else

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HD static
/* Not every program uses every helper. */
#define HELPER static __attribute__((unused))
#define MAX_BUFFERS 8

struct corpus_buffer {
    const char *compare;
    const void *memory;
    size_t size, bytes;
};
static struct corpus_buffer corpus_buffers[MAX_BUFFERS];
static int corpus_count;

HELPER void corpus_hex(const void *memory, size_t bytes) {
    const u8 *at = (const u8 *)memory;
    for (size_t i = 0; i < bytes; i++) printf("%02x", at[i]);
    printf("\n");
}

/* Begins a launch of `kernel` with `shared` bytes of dynamic shared memory. */
HELPER void corpus_launch3(const char *kernel, int gx, int gy, int gz, int bx, int by, int bz, int shared) {
    printf("launch %s %d %d %d %d %d %d %d\n", kernel, gx, gy, gz, bx, by, bz, shared);
    corpus_count = 0;
}
#define LAUNCH(kernel, grid, block) corpus_launch3(kernel, grid, 1, 1, block, 1, 1, 0)
#define LAUNCH_SHARED(kernel, grid, block, shared) corpus_launch3(kernel, grid, 1, 1, block, 1, 1, shared)
#define LAUNCH2(kernel, gx, gy, bx, by, shared) corpus_launch3(kernel, gx, gy, 1, bx, by, 1, shared)

/* An argument passed by value. */
HELPER void corpus_value(const void *memory, size_t bytes) {
    printf("value ");
    corpus_hex(memory, bytes);
}
#define VALUE(variable) corpus_value(&(variable), sizeof(variable))
#define INT(expression) do { i32 corpus_int = (expression); VALUE(corpus_int); } while (0)

/* An argument that is the address of device memory. As it is now is how the kernel gets it; as it is at END is how the
 * kernel must leave it. `compare` is "bits", or "f32 N" or "f64 N" or "f16 N": equal within N units in the last place. */
HELPER void corpus_buffer(const char *compare, const void *memory, size_t size, size_t bytes) {
    struct corpus_buffer *buffer = &corpus_buffers[corpus_count++];
    buffer->compare = compare;
    buffer->memory = memory;
    buffer->size = size;
    buffer->bytes = bytes;
    printf("buffer %s\n", compare);
    corpus_hex(memory, bytes);
}
#define BUFFER(array) corpus_buffer("bits", array, sizeof((array)[0]), sizeof(array))
#define BUFFER_WITHIN(compare, array) corpus_buffer(compare, array, sizeof((array)[0]), sizeof(array))

/* Ends a launch: what the buffers hold now is what is expected. */
HELPER void corpus_end(void) {
    for (int i = 0; i < corpus_count; i++) {
        printf("after ");
        corpus_hex(corpus_buffers[i].memory, corpus_buffers[i].bytes);
    }
    printf("end\n");
}
#define END corpus_end()

/* Numbers that look random, the same in every run. */
static u64 corpus_state = 0x9e3779b97f4a7c15ull;
HELPER u32 next_u32(void) {
    corpus_state = corpus_state * 6364136223846793005ull + 1442695040888963407ull;
    return (u32)(corpus_state >> 32);
}
HELPER u64 next_u64(void) { u64 high = next_u32(); return high << 32 | next_u32(); }
/* From 0 to 1. */
HELPER float next_f32(void) { return (float)(next_u32() >> 8) / 16777216.0f; }

#endif
#endif
