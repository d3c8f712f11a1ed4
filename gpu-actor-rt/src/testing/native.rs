//! A handler run natively: what it left, what it sent, or how it panicked.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use super::batch::Input;
use crate::actor::MethodInfo;
use crate::buffer::NativeBuffers;
use crate::cx::{Cx, Message, TOO_MANY_SENDS};
use crate::fault::FaultKind;

/// What became of a native call.
#[derive(Clone, Debug)]
pub(super) struct Native {
    pub(super) state: Vec<u8>,
    /// What its buffers have then.
    pub(super) buffers: Vec<Vec<u8>>,
    pub(super) end: Result<(Vec<u8>, Vec<Message>), Panic>,
}

/// A panic, as the standard library describes it.
#[derive(Clone, Debug, Default)]
pub(super) struct Panic {
    pub(super) text: String,
    pub(super) file: String,
    pub(super) line: u32,
}

impl Panic {
    /// The kind of fault that the device reports for this.
    pub(super) fn kind(&self) -> FaultKind {
        let text = self.text.as_str();
        if text.starts_with("attempt to ") && text.ends_with(" overflow") {
            FaultKind::Overflow
        } else if matches!(
            text,
            "attempt to divide by zero" | "attempt to calculate the remainder with a divisor of zero"
        ) {
            FaultKind::DivisionByZero
        } else if text.starts_with("index out of bounds: ") {
            FaultKind::Bounds
        } else if text.starts_with("assertion ") {
            FaultKind::Assert
        } else if text.starts_with(TOO_MANY_SENDS) {
            FaultKind::TooManySends
        } else {
            FaultKind::Panic
        }
    }

    /// Whether the panic was raised in the standard library, for a caller's mistake: its line is not the user's.
    pub(super) fn in_library(&self) -> bool {
        self.file.starts_with("/rustc/")
            || self.file.contains("/library/core/")
            || self.file.contains("/library/std/")
    }
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Panic> = RefCell::new(Panic::default());
}

/// Installs a hook that, for calls made by [`run`], keeps the panic instead of printing it.
fn install_hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                return others(info);
            }
            LAST.with_borrow_mut(|last| {
                info.payload_as_str().unwrap_or_default().clone_into(&mut last.text);
                if let Some(location) = info.location() {
                    location.file().clone_into(&mut last.file);
                    last.line = location.line();
                }
            });
        }));
    });
}

/// Runs a handler natively.
pub(super) fn run(method: &MethodInfo, input: &Input, mut cx: Cx) -> Native {
    install_hook();
    let (mut state, message) = (input.state.clone(), &input.message);
    let mut buffers = NativeBuffers::default();
    for buffer in &input.buffers {
        buffers.add(buffer.clone());
    }
    cx = cx.with_buffers(buffers.clone());
    let mut reply = vec![0; method.reply_size as usize];
    QUIET.set(true);
    // After a panic only `state` is looked at, which the handler's glue leaves whole; the context is dropped.
    let end =
        panic::catch_unwind(AssertUnwindSafe(|| (method.native)(&mut state, message, &mut cx, &mut reply)));
    QUIET.set(false);
    let end = match end {
        Ok(()) => Ok((reply, cx.sent().to_vec())),
        Err(_) => Err(LAST.take()),
    };
    Native { state, buffers: buffers.bytes(), end }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panic_of(body: fn(u32)) -> Panic {
        static ZERO: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        install_hook();
        QUIET.set(true);
        let zero = ZERO.load(std::sync::atomic::Ordering::Relaxed);
        let end = panic::catch_unwind(|| body(zero));
        QUIET.set(false);
        assert!(end.is_err());
        LAST.take()
    }

    #[test]
    fn panics_have_the_kind_of_their_fault() {
        let kind = |body| panic_of(body).kind();
        fn keep<T>(_: T) {}
        assert_eq!(kind(|zero| keep(std::hint::black_box(u32::MAX - zero) + 1)), FaultKind::Overflow);
        assert_eq!(kind(|zero| keep(1 << (32 + zero))), FaultKind::Overflow);
        assert_eq!(kind(|zero| keep(i32::MIN / (zero as i32 - 1))), FaultKind::Overflow);
        assert_eq!(kind(|zero| keep(-(i32::MIN + zero as i32))), FaultKind::Overflow);
        assert_eq!(kind(|zero| keep(1 / zero)), FaultKind::DivisionByZero);
        assert_eq!(kind(|zero| keep(1 % zero)), FaultKind::DivisionByZero);
        assert_eq!(kind(|zero| keep([1, 2][zero as usize + 2])), FaultKind::Bounds);
        assert_eq!(kind(|zero| assert!(zero == 1)), FaultKind::Assert);
        assert_eq!(kind(|zero| assert_eq!(zero, 1)), FaultKind::Assert);
        assert_eq!(kind(|_| panic!("stop")), FaultKind::Panic);
        assert_eq!(kind(|_| Cx::native().max_sends(0).tell(Message::new(1, 1, ()))), FaultKind::TooManySends);
    }

    #[test]
    fn a_panic_has_its_text_and_line() {
        let line = line!() + 1;
        let panic = panic_of(|_| panic!("stop"));
        assert_eq!((panic.text.as_str(), panic.line), ("stop", line));
        assert!(panic.file.ends_with("native.rs") && !panic.in_library());
    }
}
