//! Where actors and device functions may stand, and what they may know of each other: inside of functions, behind `#[cfg]`, written by
//! macros, calling each other, naming each other's types.

// The code is odd on purpose.
#![allow(clippy::all, clippy::pedantic)]

mod common;

use gpu_actor_rt::prelude::*;

use common::check;

/// `#[gpu_actor]` and `#[gpu_fn]` work inside of functions, too; only the generated test cannot run there.
#[test]
#[allow(unnameable_test_items)]
fn inside_of_a_function() {
    #[gpu_fn]
    fn half(x: u32) -> u32 {
        x / 2
    }

    #[gpu_actor]
    #[derive(Default)]
    struct Local {
        value: u32,
    }

    #[gpu_actor]
    impl Local {
        #[handler]
        fn halve(&mut self) -> u32 {
            self.value = half(self.value);
            self.value
        }
    }

    check::<Local>();
}

/// What `#[cfg]` takes away takes its message, its stubs and its record away.
#[gpu_actor]
#[derive(Default)]
struct Conditional {
    value: u32,
}

#[gpu_actor]
impl Conditional {
    #[cfg(any())]
    #[handler]
    fn absent(&mut self, x: Missing) -> Missing {
        x
    }

    #[cfg(all())]
    #[handler]
    fn present(&mut self) -> u32 {
        self.value
    }
}

#[test]
fn conditional_handlers() {
    check::<Conditional>();
    let names: Vec<_> = Conditional::info().methods.iter().map(|method| method.name).collect();
    assert_eq!(names, ["present"]);
}

/// Macros can write device functions, with names of their own.
macro_rules! halves {
    ($name:ident, $ty:ty, $by:expr) => {
        #[gpu_fn]
        fn $name(x: $ty) -> $ty {
            let half = x / $by;
            assert!(half * $by <= x);
            let by = $by;
            if half > by { half } else { x - $by * 0 }
        }
    };
}
halves!(halve_wide, u64, 1 + 1);
halves!(halve_narrow, u8, 2);

/// A state that macros wrote.
#[gpu_actor]
#[derive(Default)]
struct Written {
    wide: u64,
    narrow: u8,
}

#[gpu_actor]
impl Written {
    #[handler]
    fn halve(&mut self) -> u64 {
        self.wide = halve_wide(self.wide);
        self.narrow = halve_narrow(self.narrow);
        self.wide
    }
}

#[test]
fn written_by_macros() {
    check::<Written>();
}

#[gpu_fn]
fn ping(x: u32) -> u32 {
    pong(x)
}

#[gpu_fn]
fn pong(x: u32) -> u32 {
    if x > 0 { ping(x - 1) } else { 0 }
}

#[test]
fn recursion_is_refused_with_the_cycle() {
    assert_eq!(ping(3), 0);
    let b = gpu_actor_rt::__private::Builder::handler("recursive");
    let _ = ping::__gpu(&b, b.lit(3));
    let error = b.finish().unwrap_err().to_string();
    assert!(error.contains("surroundings::ping") && error.contains("surroundings::pong"), "{error}");
}

/// An actor that knows others of its own type.
#[gpu_actor]
#[derive(Default)]
struct Node {
    next: ActorId<Node>,
    others: [ActorId<Self>; 2],
    link: Link,
}

/// Data that names an actor.
#[derive(GpuData, Clone, Copy, Default)]
#[repr(C)]
struct Link {
    weight: u32,
    to: ActorId<Leaf>,
}

#[gpu_actor]
impl Node {
    const FAN: u32 = 2;

    #[handler]
    fn pass(&mut self, cx: &mut Cx, left: u32) {
        if left > 0 {
            cx.tell(self.next.pass(left - 1));
            for i in 0..Self::FAN {
                cx.tell(self.others[i as usize].pass(i));
            }
            cx.tell(self.link.to.grow(self.link, self.next));
        }
    }

    #[handler]
    fn connect(&mut self, next: ActorId<Self>, links: [Link; Self::FAN as usize]) -> ActorId<Self> {
        let before = self.next;
        self.next = next;
        self.link = links[1];
        before
    }
}

#[gpu_actor]
#[derive(Default)]
struct Leaf {
    root: ActorId<Node>,
}

#[gpu_actor]
impl Leaf {
    #[handler]
    fn grow(&mut self, cx: &mut Cx, link: Link, root: ActorId<Node>) {
        self.root = root;
        cx.tell(self.root.pass(link.weight));
        let again = link.to;
        cx.tell(again.grow(link, root));
    }
}

#[test]
fn actors_that_know_each_other() {
    check::<Node>();
    check::<Leaf>();
}
