/* The Mandelbrot set: loops that leave at different times, in float and double, and colours in bytes. */
#include "corpus.h"

#define WIDTH 48
#define HEIGHT 32
#define LIMIT 100

HD u32 escape_f32(float cx, float cy) {
    float x = 0, y = 0;
    u32 n = 0;
    while (n < LIMIT) {
        float xx = x * x, yy = y * y;
        if (xx + yy > 4.0f) break;
        y = 2.0f * x * y + cy;
        x = xx - yy + cx;
        n++;
    }
    return n;
}

HD u32 escape_f64(double cx, double cy) {
    double x = 0, y = 0;
    for (u32 n = 0; n < LIMIT; n++) {
        if (x * x + y * y > 4.0) return n;
        double next = x * x - y * y + cx;
        y = 2.0 * x * y + cy;
        x = next;
    }
    return LIMIT;
}

/* The result in red, green, blue. */
HD void colour(u32 n, u8 *rgb) {
    float t = (float)n / LIMIT;
    rgb[0] = (u8)(9.0f * (1.0f - t) * t * t * t * 255.0f);
    rgb[1] = (u8)(15.0f * (1.0f - t) * (1.0f - t) * t * t * 255.0f);
    rgb[2] = (u8)(n == LIMIT ? 0 : 255 - (int)(t * 200.0f));
}

#ifdef __CUDACC__

KERNEL mandelbrot(u32 *fine, u32 *coarse, u8 *image, float zoom) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    int at = y * WIDTH + x;
    coarse[at] = escape_f32(-2.0f + 3.0f * x / WIDTH * zoom, -1.0f + 2.0f * y / HEIGHT);
    fine[at] = escape_f64(-2.0 + 3.0 * x / WIDTH * zoom, -1.0 + 2.0 * y / HEIGHT);
    colour(fine[at], image + 3 * at);
}

#else

int main(void) {
    static u32 fine[WIDTH * HEIGHT], coarse[WIDTH * HEIGHT];
    static u8 image[3 * WIDTH * HEIGHT];
    float zoom = 0.875f;
    LAUNCH2("mandelbrot", WIDTH / 16, HEIGHT / 4, 16, 4, 0);
    BUFFER(fine);
    BUFFER(coarse);
    BUFFER(image);
    VALUE(zoom);
    for (int y = 0; y < HEIGHT; y++) for (int x = 0; x < WIDTH; x++) {
        int at = y * WIDTH + x;
        coarse[at] = escape_f32(-2.0f + 3.0f * x / WIDTH * zoom, -1.0f + 2.0f * y / HEIGHT);
        fine[at] = escape_f64(-2.0 + 3.0 * x / WIDTH * zoom, -1.0 + 2.0 * y / HEIGHT);
        colour(fine[at], image + 3 * at);
    }
    END;
    return 0;
}

#endif
