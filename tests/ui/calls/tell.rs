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
        self.value += amount;
    }

    #[handler]
    fn forms(&mut self, cx: &mut Cx, to: ActorId<Counter>) {
        let message = to.add(1);
        cx.tell(message);
        cx.tell();
        cx.tell(self.add(1));
        cx.sent();
        helper(cx);
    }
}

fn main() {}
