//! What an expression says of the parameters of a generic function.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::Expr;

/// Whether one of `names` stands anywhere in `expr`.
pub(super) fn mentions(expr: &Expr, names: &[Ident]) -> bool {
    fn within(tokens: TokenStream, names: &[Ident]) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => names.contains(&ident),
            TokenTree::Group(group) => within(group.stream(), names),
            _ => false,
        })
    }
    !names.is_empty() && within(expr.to_token_stream(), names)
}
