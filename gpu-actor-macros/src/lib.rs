//! Attribute macros of gpu-actor: actors, handlers, device functions and payload types.
//!
//! Programs use them through `gpu_actor_rt::prelude`. Each macro leaves the user's code as it is, which makes it the
//! *native twin* (unit tests call it), and writes a *device twin* beside it: a function that builds the same computation
//! with a builder, from which the device's code comes. rustc infers the types of both.
//!
//! # The handler language
//!
//! Handlers and device functions are ordinary Rust, of which there is on the device:
//!
//! - `let`, annotated or not, with or without a value, with patterns; `const` and `use` items;
//! - integers of 8 to 64 bits, `usize` and `isize` in locals, `f32`, `f64`, `bool`, arrays of fixed length, structs and enums
//!   with `#[derive(GpuData)]`, `Option`, `Result`, tuples in locals; their literals, constructors and constants;
//! - all operators of these types, compound assignment, short-circuit `&&` and `||`, `as`;
//! - fields, indices, `array.len()`, array literals;
//! - blocks, `if` and `else` and `loop` as statements and as values, `while`, `for` over ranges with two bounds and over
//!   arrays, with `rev`, `step_by` and `enumerate`, `break` and `continue`, labelled or not, labelled blocks, `return`;
//! - `match`, `if let` and its chains, `while let`, `let ... else`, `matches!`, with all patterns but references;
//! - calls of functions and methods marked `#[gpu_fn]`, generic ones too, of their own types and of actors; `is_some`,
//!   `is_none`, `is_ok`, `is_err`, `unwrap_or`, `unwrap` and `expect`;
//! - the methods of numbers that a device computes exactly as the standard library does:
//!   `abs`, `abs_diff`, `ceil`, `checked_abs`, `checked_add`, `checked_div`, `checked_ilog10`, `checked_ilog2`,
//!   `checked_mul`, `checked_neg`, `checked_next_power_of_two`, `checked_pow`, `checked_rem`, `checked_shl`,
//!   `checked_shr`, `checked_sub`, `clamp`, `copysign`, `count_ones`, `count_zeros`, `div_ceil`, `div_euclid`, `floor`,
//!   `fract`, `ilog10`, `ilog2`, `is_finite`, `is_infinite`, `is_multiple_of`, `is_nan`, `is_negative`, `is_positive`,
//!   `is_power_of_two`, `is_sign_negative`, `is_sign_positive`, `isqrt`, `leading_ones`, `leading_zeros`, `max`, `min`,
//!   `mul_add`, `next_multiple_of`, `next_power_of_two`, `overflowing_add`, `overflowing_mul`, `overflowing_neg`,
//!   `overflowing_pow`, `overflowing_sub`, `pow`, `recip`, `rem_euclid`, `reverse_bits`, `rotate_left`, `rotate_right`,
//!   `round`, `round_ties_even`, `saturating_abs`, `saturating_add`, `saturating_mul`, `saturating_neg`,
//!   `saturating_pow`, `saturating_sub`, `signum`, `sqrt`, `swap_bytes`, `then_some`, `to_bits`, `to_degrees`,
//!   `to_radians`, `trailing_ones`, `trailing_zeros`, `trunc`, `unsigned_abs`, `wrapping_abs`, `wrapping_add`,
//!   `wrapping_div`, `wrapping_mul`, `wrapping_neg`, `wrapping_pow`, `wrapping_rem`, `wrapping_shl`, `wrapping_shr`,
//!   `wrapping_sub`;
//! - `assert!`, `assert_eq!`, `assert_ne!`, `panic!` and `unreachable!` with plain text;
//! - in handlers `cx.tell(actor.method(arguments))`, `cx.now()`, `cx.worker()`, `cx.lane()`.
//!
//! Evaluation order, overflow and every other fault are Rust's; a fault has the line that rustc's panic message would
//! have. Everything else is a compile error at the token that says what to write instead.
//!
//! # How it is built
//!
//! Parse to a small model, check, then only generate: `body` reads function bodies into `body::model` and reports what the
//! language lacks, `emit` writes the builder's calls; `actor`, `gpu_fn` and `data` do the same for what stands around the
//! bodies. All errors of an item are reported at once.

#![forbid(unsafe_code)]

mod actor;
mod body;
mod data;
mod emit;
mod errors;
mod generics;
mod gpu_fn;
mod gpu_impl;
mod groups;
mod method;
mod recursion;
mod signature;
mod slices;
mod types;

use proc_macro::TokenStream;

/// Makes an actor: on a struct its state, on an impl block its handlers.
///
/// # On a struct
///
/// The struct becomes the state that lives in device memory: `#[repr(C)]`, `Clone` and `Copy` are added where they are missing
/// (put `#[gpu_actor]` above `#[derive(..)]`, so that it sees them). Its fields are numbers, `bool`, arrays, `Option`, `Result`,
/// ids of actors, and structs and enums with `#[derive(GpuData)]`. The state of a new actor is the type's [`Default`].
///
/// Options:
///
/// - `name = "..."`: the name that identifies the type across processes and builds. It is the struct's path unless given;
///   give one before you move or rename a type whose actors live on.
///
/// # On an impl block
///
/// Functions marked [`#[handler]`](macro@handler) become the actor's messages, one impl block per type. For each of them an
/// `ActorRef` gets a method of the same name, visibility and parameters, which asks or tells from the host; and an
/// `ActorId` gets one for `cx.tell(..)` in handlers. Other items of the block stay as they are, for native code and as
/// constants (`Self::LIMIT`).
///
/// The block also yields a `#[test]` that lowers and verifies every handler.
///
/// ```
/// use gpu_actor_rt::prelude::*;
///
/// #[gpu_actor(name = "bank::account")]
/// #[derive(Default, Debug, PartialEq)]
/// pub struct Account {
///     balance: u64,
/// }
///
/// #[gpu_actor]
/// impl Account {
///     const LIMIT: u64 = 1_000_000;
///
///     /// Adds `amount` and returns the new balance.
///     #[handler]
///     pub fn deposit(&mut self, amount: u64) -> u64 {
///         assert!(amount <= Self::LIMIT, "too much at once");
///         self.balance += amount;
///         self.balance
///     }
///
///     /// Moves `amount` to another account, if there is enough.
///     #[handler]
///     pub fn transfer(&mut self, cx: &mut Cx, to: ActorId<Account>, amount: u64) -> bool {
///         if self.balance < amount {
///             return false;
///         }
///         self.balance -= amount;
///         cx.tell(to.deposit(amount));
///         true
///     }
/// }
///
/// // The native twin is the function itself.
/// let mut account = Account::default();
/// assert_eq!(account.deposit(5), 5);
///
/// // From the host, `system.actor::<Account>("alice")` has the same methods.
/// fn from_the_host(alice: &ActorRef<Account>, bob: ActorId<Account>) {
///     let _call = alice.transfer(bob, 3);
/// }
/// ```
#[proc_macro_attribute]
pub fn gpu_actor(options: TokenStream, item: TokenStream) -> TokenStream {
    actor::expand(&options.into(), &item.into()).into()
}

/// Marks a function of a [`#[gpu_actor]`](macro@gpu_actor) impl block as a handler.
///
/// A handler takes `&mut self` or `&self`, then the context `&mut Cx` if it wants to send or to know the time, then what
/// travels in the message: up to 224 bytes of plain data. What it returns is the reply, up to 224 bytes. It runs alone on its
/// actor and to its end; its sends and its reply leave when it returns, and never if it faults.
///
/// What is longer than a message is a parameter of the type `GpuSlice<T>`, or `GpuSliceMut<T>` to be written to: up to four slices
/// of elements in buffers, which stay where they are. The type is told by its name, as that of the context is. The reply can be a
/// slice, too.
///
/// What a handler wrote to the state before it faults stays written. With the option `atomic` the state is then as it was before
/// the message: the device works on a copy of it, which may take 4096 bytes. (A native call of the function itself is an
/// ordinary call; what runs it as a handler, such as `gpu_actor_rt::testing`, does as the device does.)
///
/// ```
/// use gpu_actor_rt::prelude::*;
///
/// #[gpu_actor]
/// #[derive(Default)]
/// struct Mean {
///     sum: f64,
///     count: u32,
/// }
///
/// #[gpu_actor]
/// impl Mean {
///     #[handler]
///     fn add(&mut self, value: f64) {
///         self.sum += value;
///         self.count += 1;
///     }
///
///     #[handler]
///     fn get(&self) -> f64 {
///         if self.count == 0 { 0.0 } else { self.sum / self.count as f64 }
///     }
/// }
///
/// let mut mean = Mean::default();
/// mean.add(1.0);
/// mean.add(4.0);
/// assert_eq!(mean.get(), 2.5);
/// ```
#[proc_macro_attribute]
pub fn handler(_: TokenStream, item: TokenStream) -> TokenStream {
    actor::stray_handler(&item.into()).into()
}

/// Gives a function, or all functions of an impl block, a device twin, so that handlers and other device functions can call
/// them.
///
/// Parameters and result are plain data, by value; the context `cx: &mut Cx` may come first. The device inlines the call; a
/// function within itself is an error, which shows the circle. Beside the function `f` the attribute makes a type `f` that
/// holds the twin: one `use` imports both.
///
/// # On an impl block
///
/// On the impl block of a type with `#[derive(GpuData)]` every function gets a twin: methods that take `self`, `&self` or
/// `&mut self`, and associated functions. In a [`#[gpu_actor]`](macro@gpu_actor) impl block the attribute stands on single
/// functions: helpers that handlers call as `self.helper(..)`.
///
/// # Generic functions
///
/// A device function may be generic over number types, with the bounds of `gpu_actor_rt::num`, over plain data (`T: GpuData`),
/// and over lengths (`const N: usize`).
///
/// Calling a free function without this attribute is rustc's error that "function `f` is not a crate or module".
///
/// ```
/// use gpu_actor_rt::prelude::*;
///
/// /// The greatest common divisor.
/// #[gpu_fn]
/// fn gcd(mut a: u64, mut b: u64) -> u64 {
///     while b != 0 {
///         let rest = a % b;
///         a = b;
///         b = rest;
///     }
///     a
/// }
///
/// #[gpu_actor]
/// #[derive(Default)]
/// struct Ratio {
///     above: u64,
///     below: u64,
/// }
///
/// #[gpu_actor]
/// impl Ratio {
///     #[handler]
///     fn reduce(&mut self) -> u64 {
///         let by = gcd(self.above, self.below);
///         self.above /= by;
///         self.below /= by;
///         by
///     }
/// }
///
/// assert_eq!(gcd(12, 18), 6);
/// ```
///
/// ```
/// use gpu_actor_rt::num::Number;
/// use gpu_actor_rt::prelude::*;
///
/// #[derive(GpuData, Clone, Copy, Default)]
/// #[repr(C)]
/// struct Vec3 {
///     parts: [f32; 3],
/// }
///
/// #[gpu_fn]
/// fn dot<T: Number, const N: usize>(left: [T; N], right: [T; N]) -> T {
///     let mut sum = T::ZERO;
///     for (i, x) in left.into_iter().enumerate() {
///         sum += x * right[i];
///     }
///     sum
/// }
///
/// #[gpu_fn]
/// impl Vec3 {
///     fn length(&self) -> f32 {
///         dot(self.parts, self.parts).sqrt()
///     }
///
///     fn scale(&mut self, by: f32) {
///         for i in 0..3 {
///             self.parts[i] *= by;
///         }
///     }
/// }
///
/// #[gpu_actor]
/// #[derive(Default)]
/// struct Body {
///     position: Vec3,
/// }
///
/// #[gpu_actor]
/// impl Body {
///     #[handler]
///     fn shrink(&mut self, most: f32) -> bool {
///         self.within(most) || {
///             self.position.scale(0.5);
///             false
///         }
///     }
///
///     #[gpu_fn]
///     fn within(&self, most: f32) -> bool {
///         self.position.length() <= most
///     }
/// }
///
/// let mut body = Body { position: Vec3 { parts: [0.0, 3.0, 4.0] } };
/// assert!(!body.shrink(4.0) && body.shrink(4.0));
/// ```
#[proc_macro_attribute]
pub fn gpu_fn(options: TokenStream, item: TokenStream) -> TokenStream {
    gpu_fn::expand(&options.into(), &item.into()).into()
}

/// Makes a struct or an enum plain data that host and device share: for messages, replies, state and locals of handlers.
///
/// A struct is `Copy` and has `#[repr(C)]`; an enum is `Copy` and has `#[repr(u8)]`, or a wider integer. Fields are numbers,
/// `bool`, arrays, `Option`, `Result` and other such types. Values are written and read field by field: padding is zero, and
/// any bytes are a valid value (of a `bool` the lowest bit counts, an unknown tag reads as one of the variants).
///
/// ```
/// use gpu_actor_rt::prelude::*;
///
/// #[derive(GpuData, Clone, Copy, Debug, PartialEq)]
/// #[repr(C)]
/// struct Sample {
///     at: u64,
///     value: f32,
///     valid: bool,
/// }
///
/// let sample = Sample { at: 1, value: 2.0, valid: true };
/// let mut bytes = [0xff; 16];
/// sample.encode(&mut bytes);
/// assert_eq!(bytes[13..], [0, 0, 0]);
/// assert_eq!(Sample::decode(&bytes), sample);
///
/// /// What a sensor says: a tag, then what the variant holds.
/// #[derive(GpuData, Clone, Copy, Debug, PartialEq)]
/// #[repr(u8)]
/// enum Report {
///     Silent,
///     Measured(Sample),
///     Broken { code: u16 },
/// }
///
/// #[gpu_fn]
/// fn value(report: Report) -> Option<f32> {
///     match report {
///         Report::Measured(Sample { value, valid: true, .. }) => Some(value),
///         _ => None,
///     }
/// }
/// assert_eq!(value(Report::Measured(sample)), Some(2.0));
/// assert_eq!(value(Report::Broken { code: 1 }), None);
/// ```
#[proc_macro_derive(GpuData)]
pub fn gpu_data(item: TokenStream) -> TokenStream {
    data::derive(&item.into()).into()
}
