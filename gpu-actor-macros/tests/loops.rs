//! Loops, labels and what `for` runs over: the same natively and on the device, for random states and messages.

// The code is odd on purpose.
#![allow(clippy::all, clippy::pedantic, unused_labels)]

mod common;

use gpu_actor_rt::prelude::*;
use gpu_actor_rt::testing;

use common::check;

#[gpu_actor]
#[derive(Default)]
struct Labels {
    grid: [[u8; 5]; 4],
    sum: u32,
}

#[gpu_actor]
impl Labels {
    #[handler]
    fn outer(&mut self, needle: u8, skip: u8) -> u32 {
        let mut row = 0;
        'rows: while row < 4 {
            row += 1;
            for column in 0..5 {
                if self.grid[row - 1][column] % 16 == skip % 16 {
                    continue 'rows;
                }
                self.sum = self.sum.wrapping_add(1);
                if self.grid[row - 1][column] % 8 == needle % 8 {
                    self.sum = self.sum.wrapping_mul(3);
                    break 'rows;
                }
                'inner: loop {
                    loop {
                        if self.sum % 2 == 0 {
                            break 'inner;
                        }
                        self.sum = self.sum.wrapping_add(3);
                        continue 'inner;
                    }
                }
            }
            self.sum ^= 1;
        }
        row as u32
    }

    #[handler]
    fn values(&mut self, x: u32, y: u32) -> u64 {
        let found = 'found: {
            for (i, row) in self.grid.into_iter().enumerate() {
                for (j, cell) in row.into_iter().enumerate() {
                    if cell as u32 == x % 256 {
                        break 'found (i * 5 + j) as u64;
                    }
                }
            }
            if y % 3 == 0 {
                break 'found 100;
            }
            200
        };
        let turns = 'turns: loop {
            let mut left = x % 20;
            loop {
                if left == 7 {
                    break 'turns 1;
                }
                if left == 0 {
                    break;
                }
                left -= 1;
            }
            break y % 5;
        };
        let always = 'always: {
            'same: {
                if turns == 1 {
                    break 'always 3u8;
                }
                if x % 2 == 0 {
                    break 'same;
                }
                break 'always 4;
            }
            5
        };
        'unit: {
            if y > 1000 {
                break 'unit;
            }
            self.sum = y;
        }
        'again: loop {
            'once: {
                if self.sum % 3 == 1 {
                    break 'once;
                }
                self.sum = self.sum / 2;
            }
            if self.sum < 10 || self.sum % 3 == 1 {
                break 'again;
            }
        }
        found + turns as u64 + always as u64
    }

    #[handler]
    fn never(&mut self, x: u32) -> u32 {
        'block: {
            if x % 3 == 0 {
                break 'block;
            }
            return 1;
        }
        let y: u32 = 'out: {
            loop {
                self.sum = self.sum.wrapping_add(1);
                if self.sum % 4 == 0 {
                    break 'out self.sum;
                }
                if self.sum % 5 == 0 {
                    return 2;
                }
            }
        };
        100 / (y % 8)
    }

    #[handler]
    fn deep(&mut self, x: u8) -> u32 {
        let mut count = 0;
        'a: for a in 0..3 {
            'b: for b in (0..3).rev() {
                for c in 0..=2u8 {
                    count += 1;
                    if c == x % 5 {
                        continue 'b;
                    }
                    if b + c == x % 7 {
                        continue 'a;
                    }
                    if a * 9 + b * 3 + c == x % 31 {
                        break 'a;
                    }
                }
                count += 10;
            }
            count += 100;
        }
        count
    }
}

#[gpu_actor]
#[derive(Default)]
struct Ranges {
    trace: [i64; 8],
    at: u32,
    hash: u64,
}

#[gpu_fn]
fn mix(hash: u64, x: u64) -> u64 {
    (hash ^ x).wrapping_mul(0x0100_0000_01b3).rotate_left(9)
}

#[gpu_actor]
impl Ranges {
    #[handler]
    fn reversed(&mut self, a: u8, b: u8, c: i8) -> u64 {
        for i in (a..b).rev() {
            self.hash = mix(self.hash, i as u64);
        }
        for i in (a % 9..=b % 16).rev() {
            self.hash = mix(self.hash, i as u64 + 1);
        }
        for i in (i8::MIN..c).rev().rev() {
            self.hash = mix(self.hash, i as u64);
        }
        for i in (c..=i8::MAX).rev() {
            self.hash = mix(self.hash, i as u64);
            if i as u8 == b {
                break;
            }
        }
        for i in (0..=u8::MAX).rev() {
            if i % 16 == a % 16 {
                continue;
            }
            self.hash = mix(self.hash, i as u64);
        }
        self.hash
    }

    #[handler]
    fn strides(&mut self, a: u8, b: u8, n: u8, c: i8, d: i8, wide: u64) -> u64 {
        let n = n as usize % 300 + 1;
        for i in (a..b).step_by(n) {
            self.hash = mix(self.hash, i as u64);
        }
        for i in (a..=b).step_by(7) {
            self.hash = mix(self.hash, i as u64);
        }
        for i in (c..d).step_by(n % 130 + 1).rev() {
            self.hash = mix(self.hash, i as u64);
        }
        for i in (c..=d).rev().step_by(n) {
            self.hash = mix(self.hash, i as u64);
        }
        for i in (a..b).rev().step_by(3).step_by(n % 5 + 1).rev() {
            self.hash = mix(self.hash, i as u64);
        }
        for i in (wide..=u64::MAX).step_by(1 << 61) {
            self.hash = mix(self.hash, i);
        }
        for i in (0..wide).rev().step_by(usize::MAX / 3) {
            self.hash = mix(self.hash, i);
        }
        for i in (i64::MIN..=wide as i64).step_by(usize::MAX / 5) {
            self.hash = mix(self.hash, i as u64);
        }
        for i in (c as i32 * 1_000_000..i32::MAX).step_by(987_654_321).rev() {
            self.hash = mix(self.hash, i as u64);
        }
        self.hash
    }

    /// Bounds and steps are evaluated once, in order; a step of zero faults before the next one is evaluated.
    #[handler]
    fn order(&mut self, a: u8, b: u8, n: u8, m: u8) -> u32 {
        let mut turns = 0;
        for i in ({
            self.at = 1;
            a % 4
        }..{
            self.at = self.at * 3 + 1;
            b
        })
            .step_by({
                self.at += 10;
                n as usize % 4
            })
            .rev()
            .step_by({
                self.at += 100;
                m as usize % 3
            })
        {
            turns += 1;
            self.trace[(turns % 8) as usize] += i as i64;
        }
        turns
    }

    /// Changing the counter changes nothing; neither does changing the bounds.
    #[handler]
    fn own_counter(&mut self, mut to: u8) -> u32 {
        let mut turns = 0;
        let mut by = 2;
        for mut i in (0..to).step_by(by) {
            turns += 1;
            i = i.wrapping_mul(2);
            to = i;
            by = 1;
        }
        for i in 0..4u8 {
            let i = i * 2;
            turns += i as u32;
        }
        turns + by as u32 + to as u32
    }

    #[handler]
    fn faults_in_turns(&mut self, n: u8) -> u32 {
        let mut last = 0;
        for i in (0..20).step_by(3).rev() {
            self.at = i;
            last = 100 / (i - n as u32 % 32);
        }
        for i in (0..12usize).rev() {
            self.trace[i % 9] += i as i64;
        }
        last
    }
}

#[derive(GpuData, Clone, Copy, Default)]
#[repr(C)]
struct Item {
    weight: u32,
    tags: [u8; 3],
}

#[gpu_fn]
fn items(seed: u32) -> [Item; 3] {
    let mut made = EMPTY;
    for i in 0..3 {
        made[i].weight = seed % 1000 + i as u32;
        made[i].tags[i] = 1;
    }
    made
}

const EMPTY: [Item; 3] = [Item { weight: 1, tags: [0; 3] }; 3];
const PRIMES: [u16; 6] = [2, 3, 5, 7, 11, 13];

#[gpu_actor]
#[derive(Default)]
struct Arrays {
    items: [Item; 3],
    list: [u32; 4],
    empty: [u64; 0],
    at: u32,
}

#[gpu_actor]
impl Arrays {
    #[handler]
    fn over(&mut self, list: [u16; 5], seed: u32) -> u64 {
        let mut sum = 0u64;
        for x in list {
            sum += x as u64;
        }
        for item in self.items {
            sum += item.weight as u64;
            for tag in item.tags {
                sum += tag as u64;
            }
        }
        for x in [seed, 1, self.list[0]] {
            sum += x as u64;
        }
        for x in PRIMES {
            sum = sum.wrapping_mul(x as u64);
        }
        for item in items(seed) {
            sum = sum.wrapping_add(item.weight as u64);
        }
        for x in self.empty {
            sum += x;
        }
        for _ in [0u8; 7] {
            sum = sum.wrapping_add(1);
        }
        sum
    }

    /// The array is copied as Rust copies it: what the loop writes does not change what it runs over.
    #[handler]
    fn changed(&mut self, mut own: [u32; 4], by: u32) -> u32 {
        let mut turns = 0u32;
        for x in self.list {
            self.list[3] = self.list[3].wrapping_add(by);
            self.list[(x % 4) as usize] = x;
            turns = turns.wrapping_mul(5).wrapping_add(x);
        }
        for mut x in own {
            own = [turns; 4];
            x = x.wrapping_add(own[1]);
            turns = turns.wrapping_add(x);
        }
        for item in self.items {
            for tag in item.tags {
                self.items[(tag % 3) as usize].tags = [tag, 1, 2];
            }
        }
        for x in self.list.into_iter().step_by({
            self.list[2] = 7;
            2
        }) {
            turns ^= x;
        }
        turns
    }

    #[handler]
    fn adapted(&mut self, n: u8) -> u64 {
        let mut hash = 0u64;
        for x in self.list.into_iter().rev() {
            hash = hash.wrapping_mul(31).wrapping_add(x as u64);
        }
        for x in self.list.into_iter().step_by(n as usize % 6) {
            hash = hash.wrapping_mul(31).wrapping_add(x as u64);
        }
        for (i, x) in self.list.into_iter().rev().step_by(2).enumerate() {
            hash = hash.wrapping_mul(31).wrapping_add(x as u64 * i as u64);
        }
        for (i, _) in (5..n).rev().enumerate() {
            hash = hash.wrapping_add(i as u64);
        }
        for (_, x) in PRIMES.into_iter().enumerate() {
            if x as u8 == n {
                break;
            }
            hash ^= x as u64;
        }
        hash
    }

    #[handler]
    fn faults(&mut self, divisors: [u8; 4], i: u8) -> u32 {
        let mut sum = 0;
        for d in divisors {
            self.at += 1;
            sum += 100 / (d % 8) as u32;
        }
        for item in self.items {
            sum += item.weight;
            self.list[(i % 5) as usize] = sum;
        }
        sum
    }
}

#[gpu_actor]
#[derive(Default)]
struct Claims {
    at: u32,
    items: [Item; 3],
}

#[gpu_actor]
impl Claims {
    #[handler]
    fn equal(&mut self, x: u32, y: u32, list: [u8; 3]) -> u32 {
        self.at = 1;
        assert_eq!(x % 4, y % 4);
        self.at = 2;
        assert_ne!(
            x,
            {
                self.at += 1;
                y
            },
            "the same"
        );
        assert_eq!(list, self.items[(x % 3) as usize].tags);
        x
    }

    #[handler]
    fn reached(&mut self, x: u8) -> u8 {
        self.at = x as u32;
        if x % 4 == 0 {
            x
        } else if x % 4 == 1 {
            unreachable!("never there")
        } else if x % 4 == 2 {
            unreachable!()
        } else {
            panic!()
        }
    }
}

#[test]
fn claims() {
    check::<Claims>();
}

#[test]
fn labels() {
    check::<Labels>();
}

#[test]
fn ranges() {
    check::<Ranges>();
}

#[test]
fn arrays() {
    check::<Arrays>();
}

/// What is provably not written to is not copied.
#[test]
#[allow(unnameable_test_items)]
fn arrays_are_copied_only_where_they_might_change() {
    #[gpu_actor]
    #[derive(Default)]
    struct Whole {
        list: [u64; 32],
        sum: u64,
    }

    #[gpu_actor]
    impl Whole {
        #[handler]
        fn sum(&mut self) {
            for x in self.list {
                self.sum = self.sum.wrapping_add(x);
            }
        }
    }

    let ptx = testing::ptx::<Whole>().unwrap();
    assert!(!ptx.contains(".local"), "{ptx}");
}
