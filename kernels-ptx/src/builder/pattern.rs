//! Patterns and the values that they take apart: tests of places, elements from either end, `Option` and `Result`.
//!
//! Rule kept here: a test reads and never faults, not even where an earlier part of the same pattern has failed already, so
//! that a pattern is one condition without a branch.

use super::{Builder, Faulting, constant, element, take};
use crate::{
    abi::fault::code,
    error::LowerError,
    ir::{ScalarType, Type},
    lang::{GpuType, Place, Val, data::Carrier},
};

const UNWRAP: Faulting = Faulting("`unwrap`", "use `match`");

impl Builder {
    /// What a `match` looks at: a scalar is read once, everything else stays where it is.
    pub fn scrutinee<T: GpuType>(&self, place: Place<T>) -> Place<T> {
        match T::TYPE {
            Type::Scalar(_) => self.temp(self.read(place)),
            Type::Bytes { .. } => place,
        }
    }

    /// A place for a value of the type that `value` would return; it is never called.
    pub fn slot_like<T: GpuType>(&self, value: impl FnOnce(std::convert::Infallible) -> T) -> Place<T> {
        drop(value);
        self.slot()
    }

    /// Gives a place the type that `value` would return; it is never called.
    pub fn like<T: GpuType>(&self, place: Place<T>, value: impl FnOnce(std::convert::Infallible) -> T) {
        let _ = (place, value);
    }

    /// A place, as one of a type that is known.
    pub fn typed<T: GpuType>(&self, place: Place<T>) -> Place<T> {
        place
    }

    /// Gives a place a constant value.
    pub fn set<T: GpuType>(&self, place: Place<T>, value: T) {
        value.store_const(self, place);
    }

    /// Has rustc check something about the type of a place; `check` is never called.
    pub fn always<T: GpuType>(&self, place: Place<T>, check: impl FnOnce(T)) {
        let _ = (place, check);
    }

    /// The value of a place that is not written any more.
    pub fn take<T: GpuType>(&self, place: Place<T>) -> Val<T> {
        take(place)
    }

    /// Whether the value at `place` is this constant.
    pub fn matches<T: GpuType>(&self, place: Place<T>, value: T) -> Val<bool> {
        value.matches(self, place)
    }

    /// Whether the values at two places are equal.
    pub fn same<T: GpuType>(&self, left: Place<T>, right: Place<T>) -> Val<bool> {
        T::equal(self, left, right)
    }

    /// Whether all of the tests hold; they have been made.
    pub fn all(&self, tests: &[Val<bool>]) -> Val<bool> {
        let mut tests = tests.iter().copied();
        let Some(first) = tests.next() else { return self.lit_scalar(true) };
        tests.fold(first, |all, test| self.bitand(all, test))
    }

    /// Whether one of the tests holds; they have been made.
    pub fn any(&self, tests: &[Val<bool>]) -> Val<bool> {
        let mut tests = tests.iter().copied();
        let Some(first) = tests.next() else { return self.lit_scalar(false) };
        tests.fold(first, |any, test| self.bitor(any, test))
    }

    /// For types whose values cannot be compared.
    pub(crate) fn incomparable(&self, ty: &'static str) -> Val<bool> {
        self.fail(LowerError::Incomparable { function: self.symbol.clone(), ty });
        Val::of(constant(ScalarType::Bool, 0))
    }

    /// The element at `i` of an array that is long enough, which rustc has seen to.
    pub fn front<T: GpuType, const N: usize>(&self, place: Place<[T; N]>, i: usize) -> Place<T> {
        element(place, i)
    }

    /// The `i`-th element from the end of an array that is long enough; the last one is the first.
    pub fn back<T: GpuType, const N: usize>(&self, place: Place<[T; N]>, i: usize) -> Place<T> {
        element(place, N.saturating_sub(i))
    }

    /// `is_some` and `is_ok`.
    pub fn is_some<C: Carrier>(&self, place: Place<C>) -> Val<bool> {
        C::present(self, place)
    }

    /// `is_none` and `is_err`.
    pub fn is_none<C: Carrier>(&self, place: Place<C>) -> Val<bool> {
        self.not(C::present(self, place))
    }

    /// `unwrap_or`.
    pub fn unwrap_or<C: Carrier>(&self, place: Place<C>, otherwise: Val<C::Value>) -> Val<C::Value> {
        let result = self.local(otherwise);
        self.if_begin(C::present(self, place));
        self.write(result, self.read(C::value(place)));
        self.if_end();
        take(result)
    }

    /// `unwrap`, and `expect` with its message.
    pub fn unwrap<C: Carrier>(
        &self,
        place: Place<C>,
        line: u32,
        message: Option<&'static str>,
    ) -> Val<C::Value> {
        let site = self.site(code::PANIC, line, Some(message.unwrap_or(C::ABSENT)), UNWRAP);
        self.fault_if(C::present(self, place).operand(), false, site);
        self.read(C::value(place))
    }
}
