//! Patterns in handlers: `match` and its relatives, enums, `Option` and `Result` do the same natively and on the device, for
//! random states and messages.

// The code is odd on purpose.
#![allow(clippy::all, clippy::pedantic, clippy::unwrap_used)]

mod common;

use gpu_actor_rt::prelude::*;

use common::check;

#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd)]
#[repr(u8)]
enum Color {
    #[default]
    Red,
    Green = 7,
    Blue,
}

impl Color {
    const BEST: Self = Self::Green;
}

/// Negative discriminants, wider than a byte.
#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd)]
#[repr(i16)]
enum Step {
    Back = -300,
    #[default]
    Stay = 0,
    Forth = 300,
}

#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq)]
#[repr(u8)]
enum Shape {
    #[default]
    Empty,
    Circle(f32),
    Rect {
        w: u16,
        h: u16,
    },
    Line([Point; 2], Color) = 9,
    Nested(Option<Step>),
}

#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
struct Point {
    x: i32,
    y: i32,
}

const ORIGIN: Point = Point { x: 0, y: 0 };
const NOWHERE: Option<Point> = None;
const LOW: u32 = 3;
const HIGH: u32 = 17;

mod far {
    pub(super) mod shapes {
        use gpu_actor_rt::prelude::*;

        #[derive(GpuData, Clone, Copy, Debug, Default, PartialEq)]
        #[repr(u32)]
        pub(crate) enum Sign {
            #[default]
            Stop,
            Limit(u8),
        }

        #[derive(GpuData, Clone, Copy, Debug, Default, PartialEq)]
        #[repr(C)]
        pub(crate) struct Post {
            pub(crate) sign: Sign,
            pub(crate) height: u16,
        }
    }
}
use far::shapes;

/// Numbers, bools and enums without data.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
struct Scalars {
    color: Color,
    step: Step,
    colors: [Color; 3],
    hits: [u32; 4],
    seen: u64,
}

#[gpu_actor]
impl Scalars {
    const SPECIAL: u32 = 99;

    #[handler]
    fn numbers(&mut self, n: u32, small: i8, flag: bool, real: f32) -> i32 {
        let kind = match n {
            0 => 1,
            1 | 2 => 2,
            LOW..HIGH => 3,
            HIGH..=40 => 4,
            Self::SPECIAL => 5,
            u32::MAX => 6,
            _ if n % 2 == 0 => 7,
            1_000.. => 8,
            _ => 9,
        };
        let signed = match small {
            i8::MIN..=-100 => -3,
            ..-1 => -2,
            -1 => -1,
            0 => 0,
            other @ (1..=9 | 11..=19) => other as i32,
            10 => return 1000,
            big => big as i32 * 2,
        };
        let both = match (flag, n % 3) {
            (true, 0) => 100,
            (false, 0) => 200,
            (_, rest) if rest == 1 => 300 + rest as i32,
            (true, _) | (_, 2) => 400,
            _ => 500,
        };
        let float = match real {
            0.0 => 1,
            -1.5..=1.5 => 2,
            f32::INFINITY => 3,
            _ => 4,
        };
        match flag {
            true => self.seen = self.seen.wrapping_add(1),
            false => {}
        }
        kind + signed + both + float
    }

    #[handler]
    fn enums(&mut self, color: Color, step: Step, n: u8) -> Color {
        if color == Color::BEST || self.color < color {
            self.hits[0] = color as u32 + self.step as u32;
        }
        self.step = match step {
            Step::Back => Step::Forth,
            Step::Stay if n > 100 => Step::Back,
            Step::Stay | Step::Forth => self.step,
        };
        match self.color {
            Color::Red => self.color = Color::Blue,
            Color::BEST => {
                self.color = color;
                self.hits[1] = n as u32;
            }
            Color::Blue => {}
        }
        self.colors[(n % 4) as usize] = if let Color::Red = color { Color::Green } else { color };
        assert!(matches!(self.color, Color::Red | Color::Blue) || !matches!(n, 200.. if color != Color::Red));
        let same = step as i64 - self.step as i64;
        self.seen = same as u64;
        self.colors[0]
    }

    #[handler]
    fn guards(&mut self, n: u32, m: u32) -> u32 {
        // The guard is asked once for each alternative that holds.
        let mut asked = 0;
        let found = match (n % 4, m % 4) {
            (x, 1) | (1, x)
                if {
                    asked += 1;
                    x > 1
                } =>
            {
                x
            }
            (0, 0) => 10,
            (a, b) if a == b => 20 + a,
            (a @ 2.., b) | (b, a @ 3) => a * 4 + b,
            (a, b) => a + b,
        };
        self.hits[2] = asked;
        found
    }

    #[handler]
    fn diverging(&mut self, n: u32) -> u32 {
        let x = match n % 5 {
            0 => panic!("nothing"),
            1 => return 7,
            2 => 2,
            other => other * 2,
        };
        let mut turns = 0;
        let y = loop {
            match turns {
                0..=3 => {
                    turns += 1;
                    continue;
                }
                4 if x > 5 => break 11,
                4 => break 12,
                _ => return 3,
            }
        };
        match x {
            2 => return y,
            _ => {
                self.seen = 1;
                return x + y;
            }
        }
    }

    #[handler]
    fn never(&mut self, n: u32) -> u32 {
        let unit = match n {
            0 => (),
            _ => self.seen = 2,
        };
        let () = unit;
        match n % 2 {
            0 => panic!("even"),
            _ => match self.color {
                Color::Red => return 1,
                _ => panic!("not red"),
            },
        }
    }

    #[handler]
    fn faults(&mut self, n: u32, i: u32) -> u32 {
        match self.hits[i as usize % 5] {
            0 => n / (i % 2),
            found if found > n => found - n - 1,
            found => found + n,
        }
    }
}

#[test]
fn scalars() {
    let report = check::<Scalars>();
    assert!(report.faulted > 100, "{report:?}");
}

#[gpu_fn]
fn area(shape: Shape) -> Option<u32> {
    match shape {
        Shape::Empty => Some(0),
        Shape::Rect { w, h: 0 } | Shape::Rect { w: 0, h: w } => Some(w as u32),
        Shape::Rect { w, h } => {
            let area = w as u32 * h as u32;
            Some(area)
        }
        _ => None,
    }
}

#[gpu_fn]
fn divide(a: i32, b: i32) -> Result<i32, Color> {
    if b == 0 {
        return Err(Color::Red);
    }
    if a == i32::MIN && b == -1 { Err(Color::Blue) } else { Ok(a / b) }
}

/// Enums with data, `Option`, `Result`.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
struct Shapes {
    shape: Shape,
    last: Option<Shape>,
    slots: [Option<u32>; 4],
    result: Option<Result<Point, Color>>,
    post: shapes::Post,
    count: u32,
}

#[gpu_actor]
impl Shapes {
    #[handler]
    fn make(&mut self, which: u8, real: f32, p: Point, color: Color) -> Shape {
        let made = match which % 6 {
            0 => Shape::Empty,
            1 => Shape::Circle(real * 2.0),
            2 => Shape::Rect { h: p.x as u16, w: p.y as u16 },
            3 => Shape::Line([p, ORIGIN], color),
            4 => Shape::Nested(Some(Step::Back)),
            _ => Shape::Nested(None),
        };
        self.last = Some(self.shape);
        self.shape = made;
        self.count = self.count.wrapping_add(1);
        made
    }

    #[handler]
    fn take_apart(&mut self, other: Shape) -> i64 {
        let before = match self.shape {
            Shape::Circle(r) => {
                // What is bound is a copy.
                self.shape = Shape::Circle(0.0);
                r as i64
            }
            Shape::Rect { w, .. } if w > 300 => w as i64,
            Shape::Rect { h, w: _ } => h as i64 * 2,
            Shape::Line([Point { x, .. }, Point { y: end, .. }], Color::Red | Color::Blue) => {
                x as i64 + end as i64
            }
            Shape::Line([.., last], color) => last.x as i64 + color as i64,
            Shape::Nested(Some(step @ (Step::Back | Step::Forth))) => step as i64,
            Shape::Nested(None) => 55,
            Shape::Empty | Shape::Nested(..) => 0,
        };
        let both = match (self.shape, other) {
            (Shape::Circle(a), Shape::Circle(b)) => (a + b) as i64,
            (Shape::Circle(a), _) | (_, Shape::Circle(a)) if a > 1.0 => a as i64,
            (Shape::Empty, whole) | (whole, Shape::Empty) => area(whole).is_some() as i64,
            (Shape::Rect { w, h }, Shape::Rect { w: u, h: v }) => w as i64 * u as i64 - h as i64 * v as i64,
            _ => -1,
        };
        before / 3 + both
    }

    #[handler]
    fn options(&mut self, i: u8, value: Option<u32>) -> Option<u32> {
        let slot = self.slots[(i % 4) as usize];
        self.slots[(i % 4) as usize] = value;
        if let Some(x @ 1..=100) = slot {
            self.count = x;
        } else if let (Some(a), Some(b)) = (slot, value)
            && a > b
            && let Some(c) = self.slots[((i + 1) % 4) as usize]
            && c != 0
        {
            return Some(a / c);
        } else if slot.is_none() {
            self.slots = [None, Some(1), value, Some(slot.unwrap_or(3))];
        }
        let Some(known) = value else {
            self.last = None;
            return None;
        };
        let first = self.slots[0].unwrap_or({
            self.slots[0] = Some(9);
            known ^ 1
        });
        Some(first ^ known)
    }

    #[handler]
    fn results(&mut self, a: i32, b: i32) -> Result<i32, Color> {
        self.result = match divide(a, b) {
            Ok(x) if x < 0 => None,
            Ok(x) => Some(Ok(Point { x, y: b })),
            Err(color) => Some(Err(color)),
        };
        if let Some(Ok(Point { x: 5.., .. })) = self.result {
            return Err(Color::Green);
        }
        let before = divide(b, a);
        if before.is_err() || matches!(self.result, NOTHING) { before } else { Ok(before.unwrap_or(1)) }
    }

    #[handler]
    fn unwraps(&mut self, value: Option<u8>, result: Result<u16, Step>) -> u32 {
        self.count = 0;
        let value = value.unwrap() as u32;
        self.count = 1;
        let result = result.expect("a number") as u32;
        self.count = 2;
        let whole = self.last.expect("a shape");
        value + result + area(whole).unwrap_or(2)
    }

    #[handler]
    fn loops(&mut self, mut budget: Option<u8>) -> u32 {
        let mut sum = 0;
        while let Some(left @ 1..) = budget
            && sum < 1000
        {
            sum += left as u32;
            budget = match left {
                ..10 => None,
                50 => break,
                other => Some(other - 7),
            };
        }
        let mut i = 0;
        while let Some(Some(x)) = next(self.slots, i) {
            sum = sum.wrapping_add(x);
            i += 1;
        }
        sum
    }

    #[handler]
    fn signs(&mut self, sign: shapes::Sign) -> shapes::Post {
        let shapes::Post { sign: before, height } = self.post;
        self.post = shapes::Post { height: height / 2, sign };
        self.post.sign = match before {
            shapes::Sign::Limit(n) => shapes::Sign::Limit(n / 2),
            shapes::Sign::Stop => shapes::Sign::Stop,
        };
        shapes::Post { sign: before, ..self.post }
    }

    #[handler]
    fn constants(&mut self, p: Point, maybe: Option<Point>) -> u32 {
        let at = match p {
            ORIGIN => 1,
            Point { x: 0, .. } => 2,
            _ => 3,
        };
        let nowhere = match maybe {
            NOWHERE => 10,
            Some(ORIGIN) => 20,
            Some(_) => 30,
        };
        at + nowhere
    }
}

const NOTHING: Option<Result<Point, Color>> = None;

#[gpu_fn]
fn next(slots: [Option<u32>; 4], i: usize) -> Option<Option<u32>> {
    if i < 4 { Some(slots[i]) } else { None }
}

#[test]
fn shapes_options_results() {
    let report = check::<Shapes>();
    assert!(report.faulted > 100, "{report:?}");
}

/// Bytes are written canonically, and whatever they are they can be read.
#[test]
fn any_bytes_are_a_value() {
    let read = |bytes: &[u8]| {
        let shape = Shape::decode(bytes);
        let mut out = vec![0xff; <Shape as gpu_actor_rt::__private::GpuType>::TYPE.size() as usize];
        shape.encode(&mut out);
        (shape, out)
    };
    let (shape, bytes) = read(&[1; 20]);
    assert_eq!(shape, Shape::Circle(f32::from_bits(0x0101_0101)));
    assert_eq!(bytes[..8], [1, 0, 0, 0, 1, 1, 1, 1]);
    assert!(bytes[8..].iter().all(|&byte| byte == 0));
    // The third variant of five has the tag 2, and so reads 7.
    assert!(matches!(read(&[7; 20]).0, Shape::Rect { w: 0x707, h: 0x707 }));
    assert_eq!(Color::decode(&[8]), Color::Blue);
    assert_eq!(Color::decode(&[2]), Color::Blue, "the third one");
    assert_eq!(<Option<bool>>::decode(&[1, 0]), Some(false));
    assert_eq!(<Result<u16, Step>>::decode(&[1, 0, 0xd4, 0xfe]), Err(Step::Back));
    let mut nan = [1, 9, 9, 9, 1, 0, 0xc0, 0x7f, 7, 7, 7, 7];
    <Option<f32>>::canonical_nan(&mut nan[..8]);
    assert_eq!(f32::decode(&nan[4..8]).to_bits(), f32::NAN.to_bits());
    nan[0] = 0;
    let before = nan;
    <Option<f32>>::canonical_nan(&mut nan[..8]);
    assert_eq!(nan, before, "there is no float in `None`");
}
