//! Reading PTX text: [`lexer`] makes tokens; [`parser`] with [`constant`] and [`body`] makes the tree of [`ast`].
//!
//! Rule: no text makes this module panic, and every error names the line and the token. The tree borrows from the
//! text. What an instruction means is not known here; an unknown one parses and is refused when it is compiled.

pub(crate) mod ast;
mod body;
mod constant;
mod lexer;
mod parser;

pub(crate) use parser::{Reader, parse};
