use gpu_actor_rt::prelude::*;

#[derive(GpuData, Clone, Copy, Default)]
#[repr(u8)]
enum Shape {
    #[default]
    Empty,
    Circle(f32),
}
use Shape::Circle;

#[allow(non_upper_case_globals)]
const limit: u32 = 7;

// What the names stand for is not guessed: what rustc reads otherwise than the device's twin does not compile.
#[gpu_fn]
fn imported(shape: Shape) -> bool {
    matches!(shape, Circle(_))
}

#[gpu_fn]
fn imported_deeper(pair: (Shape, u32)) -> u32 {
    if let (Circle(..), n @ 1..) = pair { n } else { 0 }
}

#[gpu_fn]
fn imported_value(radius: f32) -> Shape {
    Circle(radius)
}

#[gpu_fn]
fn imported_without_data() -> Shape {
    use Shape::Empty;
    Empty {}
}

#[gpu_fn]
fn small_constant(n: u32) -> bool {
    match n {
        limit => true,
        _ => false,
    }
}

fn main() {}
