//! What can go wrong between a builder call and loadable PTX: three kinds, for three different readers.

/// The handler cannot be lowered: its author has to change it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LowerError {
    /// A function calls itself.
    #[error(
        "{function}: recursion is not possible on the GPU ({}); write it as a loop",
        cycle.join(" -> ")
    )]
    Recursion {
        /// The function that is lowered.
        function: String,
        /// The functions on the way from the first call to the second.
        cycle: Vec<String>,
    },
    /// The function has more statements or stack than a device should be asked to take.
    #[error("{function}: {what} is {actual}, the limit is {limit}; split the handler or shrink its arrays")]
    TooLarge {
        /// The function that is lowered.
        function: String,
        /// What is too large.
        what: &'static str,
        /// How large it is.
        actual: u64,
        /// How large it may be.
        limit: u64,
    },
    /// An operation that can fault in a function that has nobody to tell.
    #[error("{function}, line {line}: {what} can fault, and only handlers can; {hint}")]
    FaultInKernel {
        /// The function that is lowered.
        function: String,
        /// Source line.
        line: u32,
        /// The operation.
        what: &'static str,
        /// What to write instead.
        hint: &'static str,
    },
    /// Something that only a handler has was used elsewhere.
    #[error("{function}: {what} exists in handlers only")]
    HandlerOnly {
        /// The function that is lowered.
        function: String,
        /// What was used.
        what: &'static str,
    },
    /// A message or reply does not fit a slot.
    #[error("{function}: {what} ends at byte {end}, a payload has {limit}")]
    PayloadTooLarge {
        /// The function that is lowered.
        function: String,
        /// What does not fit.
        what: &'static str,
        /// Where it would end.
        end: u64,
        /// Bytes that there are.
        limit: u64,
    },
    /// A value of a type that cannot be compared stands in `==` or as a pattern.
    #[error("{function}: values of type {ty} cannot be compared on the GPU; compare their fields")]
    Incomparable {
        /// The function that is lowered.
        function: String,
        /// The value's type.
        ty: &'static str,
    },
    /// Two handlers have the same method id.
    #[error("method id {method:#010x} belongs to both {first} and {second}; rename one of the two handlers")]
    DuplicateMethod {
        /// The id.
        method: u32,
        /// One handler's symbol.
        first: String,
        /// The other handler's symbol.
        second: String,
    },
    /// The builder was driven in a way that generated code never should: a bug in this project.
    #[error("{function}: builder misuse: {what}; this is a bug in gpu-actor, please report it")]
    Misuse {
        /// The function that is lowered.
        function: String,
        /// What went wrong.
        what: &'static str,
    },
}

/// The intermediate representation breaks an invariant of [`ir`](crate::ir): a bug in this project, never the user's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{function}: rule {rule} of the IR is broken: {message}; this is a bug in gpu-actor, please report it"
)]
pub struct VerifyError {
    /// The function's symbol.
    pub function: String,
    /// The number of the invariant, see [`ir`](crate::ir).
    pub rule: u32,
    /// What exactly.
    pub message: String,
}
