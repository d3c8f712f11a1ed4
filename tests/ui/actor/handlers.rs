use gpu_actor_rt::prelude::*;

#[gpu_actor]
#[derive(Default)]
struct Counter {
    value: u32,
}

#[gpu_actor]
impl Counter {
    #[handler]
    #[handler]
    fn twice(&mut self) {}

    #[handler]
    async fn waits(&mut self) {}

    #[handler]
    fn generic<T>(&mut self, value: T) {}

    #[handler]
    fn consumes(self) {}

    #[handler]
    fn stateless(amount: u32) {}

    #[handler(warp)]
    fn parallel(&mut self) {}

    #[handler]
    fn clone(&mut self) {}

    #[handler]
    fn late(&mut self, amount: u32, cx: &mut Cx) {}

    #[handler]
    fn shared(&mut self, cx: &Cx) {}

    #[handler]
    fn __hidden(&mut self) {}

    #[handler]
    const LIMIT: u32 = 1;

    #[gpu_fn]
    fn inside() {}
}

fn main() {}
