use gpu_actor_rt::prelude::*;

#[derive(GpuData, Clone, Copy, Default, PartialEq, PartialOrd)]
#[repr(u8)]
enum Shape {
    #[default]
    Empty,
    Circle(f32),
}

#[derive(Clone, Copy)]
struct Plain {
    x: u32,
}

#[gpu_actor]
#[derive(Default)]
struct Drawing {
    shape: Shape,
}

#[gpu_actor]
impl Drawing {
    #[handler]
    fn misspelled(&mut self) -> u32 {
        match self.shape {
            Shape::Emtpy => 0,
            Shape::Circle(_) => 1,
        }
    }

    #[handler]
    fn missing(&mut self) -> u32 {
        match self.shape {
            Shape::Circle(_) => 1,
        }
    }

    #[handler]
    fn compares(&mut self, other: Shape) -> bool {
        self.shape < other
    }

    #[handler]
    fn wrong_type(&mut self, amount: u64) {
        self.shape = Shape::Circle(amount);
    }

    #[handler]
    fn wrong_field(&mut self) -> Option<u32> {
        Some(self.shape)
    }

    #[handler]
    fn not_data(&mut self) -> u32 {
        let plain = Plain { x: 1 };
        plain.x
    }
}

fn main() {}
