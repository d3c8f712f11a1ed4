//! Patterns together with what surrounds them: loops and labels, actors' ids, nested values, generic data, odd tags.

// The code is odd on purpose.
#![allow(clippy::all, clippy::pedantic, clippy::unwrap_used, unused_assignments)]

mod common;

use gpu_actor_rt::prelude::*;

use common::check;

/// Tags at the ends of their type.
#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd)]
#[repr(u64)]
enum Wide {
    #[default]
    Zero,
    High = 1 << 63,
    Top = u64::MAX,
}

#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq)]
#[repr(i8)]
enum Signed<T, const N: usize> {
    Low(T) = -128,
    #[default]
    None,
    List([T; N]) = 127,
}

/// A tree of one level, with ids of actors in it.
#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq)]
#[repr(u8)]
enum Route {
    #[default]
    Nowhere,
    Direct(ActorId<Router>),
    Split {
        left: ActorId<Router>,
        right: Option<ActorId<Router>>,
        turn: bool,
    },
    r#Loop(Wide),
}

#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
struct Router {
    route: Route,
    next: Option<ActorId<Router>>,
    passed: u32,
}

#[gpu_actor]
impl Router {
    #[handler]
    fn pass(&mut self, cx: &mut Cx, hops: u8, value: Option<u32>) -> Result<(), Route> {
        self.passed = self.passed.wrapping_add(1);
        if let Some(next) = self.next {
            self.next = None;
            cx.tell(next.pass(hops, value));
        }
        let Some(value) = value else { return Err(self.route) };
        match self.route {
            Route::Nowhere => return Err(Route::Nowhere),
            Route::Direct(to) if hops > 0 => {
                cx.tell(to.pass(hops - 1, Some(value)));
            }
            Route::Direct(_) => {}
            Route::Split { left, right: None, .. } => cx.tell(left.pass(hops, None)),
            Route::Split { left, right: Some(right), turn } => {
                let to = if turn { right } else { left };
                self.route = Route::Split { left: right, right: Some(left), turn: !turn };
                cx.tell(to.pass(hops / 2, Some(value ^ 1)));
            }
            Route::Loop(Wide::Top) => panic!("a loop"),
            Route::r#Loop(wide) => {
                self.route = Route::Loop(if wide < Wide::High { Wide::Top } else { Wide::Zero });
            }
        }
        Ok(())
    }

    #[handler]
    fn compares(&mut self, me: ActorId<Router>, route: Route, next: Option<ActorId<Router>>) -> u32 {
        let mut same = (route == self.route) as u32;
        if self.next == next || Some(me) == self.next && next != None {
            same |= 2;
        }
        self.route = if route != Route::Direct(me) { route } else { Route::Loop(Wide::High) };
        same | (self.route == route) as u32 * 4 | ((me, same) == (me, 1)) as u32 * 8
    }

    #[handler]
    fn results(&mut self, a: Result<f32, Wide>, b: Result<f32, Wide>, c: [Option<bool>; 3]) -> u8 {
        let floats = a == b;
        let known = Ok(0.0) == a || b == Err(Wide::Top);
        let list = c == [Some(true), None, c[2]] || c != [None; 3];
        (floats as u8) | (known as u8) * 2 | (list as u8) * 4
    }

    #[handler]
    fn connect(&mut self, route: Route) -> Option<ActorId<Router>> {
        let before = match self.route {
            Route::Direct(id) | Route::Split { left: id, .. } => Some(id),
            _ => self.next,
        };
        self.route = route;
        before
    }
}

#[test]
fn ids_in_enums() {
    let report = check::<Router>();
    assert!(report.sent > 100, "{report:?}");
}

#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq)]
#[repr(u8)]
enum Token {
    #[default]
    End,
    Number(i32),
    Plus,
    Times,
    Open(u8),
}

#[gpu_fn]
fn at(tokens: [Token; 6], i: usize) -> Option<Token> {
    if i < tokens.len() { Some(tokens[i]) } else { None }
}

#[gpu_fn]
fn first_number(tokens: [Token; 6]) -> Result<(usize, i32), u8> {
    for (i, token) in tokens.into_iter().enumerate() {
        match token {
            Token::Number(n) => return Ok((i, n)),
            Token::Open(depth) if depth > 100 => return Err(depth),
            _ => continue,
        }
    }
    Err(0)
}

/// Loops, labels, shadows.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
struct Machine {
    tokens: [Token; 6],
    stack: [Option<i32>; 4],
    signed: Signed<u16, 3>,
    at: u32,
}

#[gpu_actor]
impl Machine {
    #[handler]
    fn run(&mut self, start: u8) -> Result<i32, Option<Token>> {
        let mut i = start as usize % 8;
        let mut sum: i32 = 0;
        let found = 'search: loop {
            let token = match at(self.tokens, i) {
                None => break 'search None,
                Some(token) => token,
            };
            i += 1;
            let by = 'value: {
                if let Token::Number(n) = token {
                    break 'value n;
                }
                if let Token::Open(depth @ 1..=3) = token {
                    for inner in 0..depth {
                        match inner {
                            2 => continue 'search,
                            1 if sum > 10 => break 'value 5,
                            _ => sum = sum.wrapping_add(1),
                        }
                    }
                    break 'search Some(token);
                }
                continue 'search;
            };
            sum = sum.wrapping_add(by);
        };
        self.at = i as u32;
        if let Some(token) = found {
            Err(Some(token))
        } else if sum == 0 {
            Err(None)
        } else {
            Ok(sum)
        }
    }

    #[handler]
    fn shadows(&mut self, x: Option<i32>, y: Option<i32>) -> i32 {
        let y = match y {
            Some(y) => y,
            None => match x {
                Some(x) if x > 0 => x,
                Some(x) => -(x / 2),
                None => return i32::MIN,
            },
        };
        let x = if let Some(x) = x {
            x
        } else if let 0..=9 = y {
            y
        } else {
            7
        };
        const K: i32 = 3;
        let kind = match x - y {
            K => 1,
            x if x > K && let_it(x) => 2,
            _ => 3,
        };
        let [x, y] = [y, x];
        let (x, y) = (y / 2, x / 2);
        x ^ y ^ kind
    }

    #[handler]
    fn order(&mut self, mut i: u32, value: i32) -> u32 {
        // What is matched is evaluated once, before all tests.
        match self.stack[{
            i = i.wrapping_add(1);
            (i % 4) as usize
        }] {
            Some(0) => i = 100,
            Some(x)
                if {
                    self.at = x as u32;
                    x < 0
                } =>
            {
                self.stack[(i % 4) as usize] = None;
                i = x as u32;
            }
            found => {
                self.stack = [found, Some(value), None, found];
                if let Some(x) = found {
                    i ^= x as u32;
                }
            }
        }
        let mut pair = (i, value);
        (pair.0, self.at, pair) = (self.at, pair.0, (pair.0 / 2, pair.1));
        [self.stack[0], .., _] = [Some(pair.1), None, None];
        pair.0
    }

    #[handler]
    fn generic(&mut self, signed: Signed<u16, 3>, n: u16) -> Signed<u16, 3> {
        let sum = match self.signed {
            Signed::Low(x) => x,
            Signed::None => 0,
            Signed::List([a, b, c]) => a ^ b ^ c,
        };
        self.signed = match signed {
            Signed::Low(x @ ..10) | Signed::List([x @ 50..=999, ..]) | Signed::List([_, x, 0]) => {
                Signed::List([x, sum, n])
            }
            Signed::List(all) => Signed::Low(all[(n % 4) as usize]),
            other => other,
        };
        if sum > 10 { Signed::None } else { signed }
    }

    #[handler]
    fn find(&mut self) -> Option<u64> {
        let (at, n) = match first_number(self.tokens) {
            Ok((at @ ..3, n)) => (at, n),
            Ok(late) => late,
            Err(depth) if depth > 0 => return None,
            Err(_) => {
                self.tokens = [Token::Number(4); 6];
                (6, -1)
            }
        };
        while let Some(Some(x)) = next(self.stack, self.at)
            && x < n
        {
            self.at += 1;
            match x {
                ..0 => continue,
                0 => break,
                _ => {}
            }
            self.stack[0] = Some(x - 1);
        }
        self.at %= 4;
        Some(at as u64 ^ n as u64)
    }
}

#[gpu_fn]
fn next(stack: [Option<i32>; 4], at: u32) -> Option<Option<i32>> {
    if at < 4 { Some(stack[at as usize]) } else { None }
}

#[gpu_fn]
fn let_it(x: i32) -> bool {
    matches!(x, 5.. | -3..=0)
}

#[test]
fn loops_and_shadows() {
    check::<Machine>();
}

/// What handlers of a type without data can do.
#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
struct Tuple(u32, Option<Wide>);

#[gpu_actor]
impl Tuple {
    #[handler]
    fn next(&mut self, n: u32) -> Option<()> {
        let Self(count, wide) = *self;
        self.0 = count.wrapping_add(n);
        match wide {
            None => {
                self.1 = Some(Wide::High);
                None
            }
            Some(Wide::Zero) => Some(()),
            Some(Wide::High | Wide::Top) => {
                *self = Tuple(n, None);
                let nothing: Option<()> = if n > 3 { Some(()) } else { None };
                nothing
            }
        }
    }
}

#[test]
fn a_tuple_as_state() {
    check::<Tuple>();
    assert_eq!(Wide::decode(&u64::MAX.to_le_bytes()), Wide::Top);
}

/// Functions of enums and structs, with patterns of their own type.
#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq)]
#[repr(u8)]
enum Light {
    #[default]
    Off,
    Dim(u8),
    Colored {
        hue: Hue,
        level: u16,
    },
}

#[derive(GpuData, Clone, Copy, Debug, Default, PartialEq)]
#[repr(u8)]
enum Hue {
    #[default]
    Warm,
    Cold = 200,
}

#[gpu_fn]
impl Hue {
    const NEXT: [Hue; 2] = [Hue::Cold, Hue::Warm];

    fn turned(self) -> Self {
        match self {
            Self::Warm => Self::NEXT[0],
            Hue::Cold => Self::NEXT[1],
        }
    }
}

#[gpu_fn]
impl Light {
    const BRIGHT: u16 = 500;

    fn white(level: u16) -> Self {
        if level == 0 { Self::Off } else { Self::Colored { level, hue: Hue::Warm } }
    }

    fn level(self) -> u16 {
        match self {
            Light::Off => 0,
            Self::Dim(level) => level as u16,
            Self::Colored { level: Self::BRIGHT.., .. } => Self::BRIGHT,
            Self::Colored { level, .. } => level,
        }
    }

    fn turn(&mut self) -> Option<Hue> {
        let Self::Colored { hue, level } = *self else { return None };
        *self = Self::Colored { hue: hue.turned(), level: level / 2 };
        Some(hue)
    }

    fn is_on(&self) -> bool {
        !matches!(*self, Light::Off | Light::Dim(0))
    }
}

#[gpu_actor]
#[derive(Default, Debug, PartialEq)]
struct House {
    lights: [Light; 3],
    spare: Option<Light>,
}

#[gpu_actor]
impl House {
    /// What a variant leaves behind where another one is built is nobody's business.
    #[handler]
    fn leftovers(&mut self, level: u16, n: u8) -> u32 {
        let mut same = 0;
        for i in 0..3u32 {
            let light = match i {
                0 => Light::Colored { hue: Hue::Cold, level },
                _ => Light::Dim(n),
            };
            let result = match i {
                0 => Ok(level as u32 | 1 << 20),
                _ => Err(n),
            };
            self.lights[i as usize] = light;
            same += (light == Light::Dim(n)) as u32 + (result == Err(n)) as u32 * 16;
            same += (self.lights[1] == self.lights[2]) as u32 * 256;
        }
        same
    }

    /// Nor is what was in an option that is empty now.
    #[handler]
    fn emptied(&mut self, a: u32, b: u32) -> u32 {
        let mut pair = [Some(a), Some(b | 1 << 31)];
        let before = pair[0] == pair[1];
        for i in 0..2usize {
            pair[i] = None;
        }
        before as u32 + (pair[0] == pair[1]) as u32 * 2 + (pair[0] == Some(b | 1 << 31)) as u32 * 4
    }

    #[handler]
    fn switch(&mut self, i: u8, level: u16) -> u8 {
        let at = (i % 3) as usize;
        let turned = self.lights[at].turn();
        if let Some(mut light) = self.spare {
            // A copy is turned, not the light itself.
            light.turn();
            self.lights[at] = light;
        }
        self.spare = match turned {
            Some(Hue::Cold) => Some(Light::white(level)),
            Some(hue) => Some(Light::Colored { hue, level: self.lights[at].level() }),
            None if level > 9 => self.spare,
            None => None,
        };
        let mut on = 0;
        for light in self.lights {
            on += light.is_on() as u8;
        }
        on + self.spare.unwrap_or(Light::Dim(1)).level() as u8 % 7
    }
}

#[test]
fn functions_of_enums() {
    check::<House>();
}
