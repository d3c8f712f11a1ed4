use gpu_actor_rt::prelude::*;

#[gpu_actor]
#[derive(Default)]
struct Counter {
    value: u32,
}

#[gpu_actor]
impl Counter {
    #[handler]
    fn list(&mut self, amounts: Vec<u32>) {}

    #[handler]
    fn text(&mut self, name: String) -> &str {
        ""
    }

    #[handler]
    fn borrowed(&mut self, amount: &u32) {}

    #[handler]
    fn size(&mut self, index: usize) -> isize {
        0
    }

    #[handler]
    fn taken_apart(&mut self, [a, b]: [u32; 2]) {}

    #[handler]
    fn options(&mut self, list: Option<Vec<u8>>, at: Result<usize, (u8, u8)>) -> Option<&u32> {
        None
    }

    #[handler]
    fn nested(&mut self, lists: [[char; 2]; 2]) {}
}

fn main() {}
