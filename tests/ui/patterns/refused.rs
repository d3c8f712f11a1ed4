use gpu_actor_rt::prelude::*;

macro_rules! one {
    () => {
        1
    };
}

#[gpu_actor]
#[derive(Default)]
struct Refused {
    list: [u32; 4],
    pair: Pair,
}

#[derive(GpuData, Clone, Copy, Default)]
#[repr(C)]
struct Pair(u32, u32);

#[gpu_actor]
impl Refused {
    #[handler]
    fn patterns(&mut self, n: u32, maybe: Option<u32>) -> u32 {
        match n {
            ref zero if *zero == 0 => {}
            one!() => {}
            _ => {}
        }
        if let &2 = &n {}
        let [first, rest @ ..] = self.list;
        let Pair(.., last) = self.pair;
        while let Some(ref mut inner) = maybe {}
        let Refused { list, .. } = self;
        match self {
            Self { list: [0, ..], .. } => 1,
            _ => 2,
        }
    }

    #[handler]
    fn too_many(&mut self, a: u32, b: u32) -> bool {
        matches!((a, b), (1 | 2 | 3 | 4 | 5 | 6, 1 | 2 | 3 | 4 | 5 | 6) if a > b)
    }

    #[handler]
    fn text(&mut self, letter: u8) -> u32 {
        match letter {
            'a' => 1,
            "b" => 2,
            _ => 3,
        }
    }

    #[handler]
    fn inside(&mut self, n: u32) -> u32 {
        let double = |x| x * 2;
        match n {
            0 => double(n),
            other if other.checked_add(1).is_some() => {
                let text = "found";
                1
            }
            _ => format!("none"),
        }
    }
}

fn main() {}
