//! What a user sees of the mistakes that everybody makes: rustc's error of the function itself, and its echo from the twin.

use gpu_actor_rt::prelude::*;

#[derive(GpuData, Clone, Copy, Default)]
#[repr(C)]
struct Point {
    x: f32,
    y: f32,
}

#[gpu_fn]
impl Point {
    fn plus(self, other: Point) -> Point {
        Point { x: self.x + other.x, y: self.y + other.y }
    }
}

#[gpu_fn]
fn half(x: u32) -> u32 {
    x / 2
}

#[gpu_actor]
#[derive(Default)]
struct Mistakes {
    at: Point,
    list: [u64; 4],
    count: u32,
}

#[gpu_actor]
impl Mistakes {
    #[handler]
    fn missing_cast(&mut self, i: u32) -> u64 {
        self.list[i]
    }

    #[handler]
    fn wrong_type(&mut self, by: u64) {
        self.count += by;
    }

    #[handler]
    fn wrong_argument(&mut self, by: f32) -> u32 {
        half(by)
    }

    #[handler]
    fn wrong_count(&mut self) -> u32 {
        half(self.count, 1)
    }

    #[handler]
    fn wrong_method_count(&mut self) {
        self.at = self.at.plus();
    }

    #[handler]
    fn unknown_field(&mut self) {
        self.at.z = 1.0;
    }

    #[handler]
    fn wrong_condition(&mut self) {
        if self.count {
            self.count = 0;
        }
    }

    #[handler]
    fn wrong_result(&self) -> u32 {
        self.at.x
    }

    #[handler]
    fn unknown_function(&self) -> u32 {
        third(self.count)
    }
}

fn main() {}
