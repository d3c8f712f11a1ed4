use gpu_actor_rt::prelude::*;

#[gpu_actor]
#[derive(Default)]
struct Options {
    value: u32,
}

#[gpu_actor]
impl Options {
    #[handler(atomik)]
    fn unknown(&mut self) {}

    #[handler(atomic, atomic)]
    fn twice(&mut self) {}

    #[handler(atomic = true)]
    fn value(&mut self) {}

    #[handler(warp)]
    fn later(&mut self) {}

    #[handler = "atomic"]
    fn form(&mut self) {}

    #[handler(atomic(now))]
    fn list(&mut self) {}

    #[handler()]
    fn none(&mut self) {}
}

fn main() {}
