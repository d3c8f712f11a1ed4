use gpu_actor_rt::prelude::*;

#[gpu_actor]
#[derive(Default)]
struct Counter {
    value: u32,
}

#[gpu_actor]
impl Counter {
    #[handler]
    fn add(&mut self, amount: u32) {
        self.value += amuont;
    }

    #[handler]
    fn field(&mut self) {
        self.valeu += 1;
    }

    #[handler]
    fn ask(&mut self, cx: &mut Cx, to: ActorId<Counter>) {
        cx.tell(to.ad(1));
    }
}

fn main() {}
