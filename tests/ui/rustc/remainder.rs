use gpu_actor_rt::prelude::*;

#[gpu_actor]
#[derive(Default)]
struct Phase {
    angle: f32,
}

#[gpu_actor]
impl Phase {
    #[handler]
    fn turn(&mut self, by: f32) {
        self.angle = (self.angle + by) % 360.0;
    }

    #[handler]
    fn wrap(&mut self) {
        self.angle %= 360.0;
    }
}

fn main() {}
