//! Groups without delimiters, which `macro_rules!` puts around the expressions that it is given.
//!
//! Rule kept here: both twins group alike. rustc drops such groups from the output of a macro, so that `$a / $b` with `1 + 1`
//! for `$b` would come to be `$a / 1 + 1`; parentheses stay.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, ExprParen, ImplItem, ItemFn, ItemImpl, Macro, Token, token};

/// Puts parentheses for the groups of a function.
pub(crate) fn in_function(function: &mut ItemFn) {
    Parenthesise.visit_block_mut(&mut function.block);
}

/// Puts parentheses for the groups of the functions of an impl block.
pub(crate) fn in_impl(block: &mut ItemImpl) {
    for item in &mut block.items {
        if let ImplItem::Fn(function) = item {
            Parenthesise.visit_block_mut(&mut function.block);
        }
    }
}

struct Parenthesise;

impl VisitMut for Parenthesise {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        while let Expr::Group(group) = expr {
            let inner = std::mem::replace(&mut *group.expr, Expr::Verbatim(TokenStream::new()));
            *expr = if binds_tightly(&inner) {
                inner
            } else {
                Expr::Paren(ExprParen {
                    attrs: Vec::new(),
                    paren_token: token::Paren::default(),
                    expr: Box::new(inner),
                })
            };
        }
        visit_mut::visit_expr_mut(self, expr);
    }

    /// The arguments of the macros that the language has are expressions, too.
    fn visit_macro_mut(&mut self, mac: &mut Macro) {
        const KNOWN: [&str; 5] = ["assert", "assert_eq", "assert_ne", "panic", "unreachable"];
        if mac.path.segments.last().is_some_and(|last| KNOWN.iter().any(|known| last.ident == known))
            && let Ok(mut arguments) = mac.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated)
        {
            for argument in &mut arguments {
                self.visit_expr_mut(argument);
            }
            mac.tokens = arguments.to_token_stream();
        }
    }
}

/// Whether no operator can pull the expression apart.
fn binds_tightly(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Lit(_)
            | Expr::Path(_)
            | Expr::Paren(_)
            | Expr::Group(_)
            | Expr::Call(_)
            | Expr::MethodCall(_)
            | Expr::Field(_)
            | Expr::Index(_)
            | Expr::Array(_)
            | Expr::Repeat(_)
            | Expr::Tuple(_)
            | Expr::Macro(_)
            | Expr::Verbatim(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proc_macro2::{Delimiter, Group, TokenTree};
    use quote::quote;

    #[test]
    fn groups_become_parentheses_where_it_matters() {
        let group = |tokens| TokenTree::Group(Group::new(Delimiter::None, tokens));
        let (sum, one) = (group(quote!(1 + 1)), group(quote!(1)));
        let mut function: ItemFn = syn::parse_quote! {
            fn f(x: u32) -> u32 {
                assert!(x * #sum > 3);
                x / #sum - #one
            }
        };
        in_function(&mut function);
        let expected: ItemFn = syn::parse_quote! {
            fn f(x: u32) -> u32 {
                assert!(x * (1 + 1) > 3);
                x / (1 + 1) - 1
            }
        };
        assert_eq!(function.to_token_stream().to_string(), expected.to_token_stream().to_string());
    }
}
