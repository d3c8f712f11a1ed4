//! Rule 11: symbols and calls across the functions of a module.

use std::collections::{HashMap, HashSet};

use super::{Checker, Result, Stage, rule};
use crate::ir::{Function, Kind, Operand, Stmt, uses};

/// Checks all rules for all functions.
pub(crate) fn verify(functions: &[Function], stage: Stage) -> Result {
    let mut symbols = HashMap::new();
    for function in functions {
        let checker = Checker { function, stage };
        checker
            .ensure(is_identifier(&function.symbol), rule::SYMBOLS, || "not an identifier of PTX".into())?;
        let fresh = symbols.insert(&*function.symbol, function).is_none();
        checker.ensure(fresh, rule::SYMBOLS, || "the symbol exists twice".into())?;
        checker.check()?;
    }
    let mut done = HashSet::new();
    for function in functions {
        calls(function, &symbols, &mut vec![], &mut done)?;
    }
    Ok(())
}

/// `[a-zA-Z][a-zA-Z0-9_$]*`, or a leading `_` or `$` with something behind it.
fn is_identifier(symbol: &str) -> bool {
    let follows = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    let mut chars = symbol.chars();
    match chars.next() {
        Some(first) if first.is_ascii_alphabetic() => chars.all(follows),
        Some('_' | '$') => symbol.len() > 1 && chars.all(follows),
        _ => false,
    }
}

fn calls<'a>(
    function: &'a Function,
    symbols: &HashMap<&str, &'a Function>,
    path: &mut Vec<&'a str>,
    done: &mut HashSet<&'a str>,
) -> Result {
    let checker = Checker { function, stage: Stage::Built };
    let first = !path.contains(&&*function.symbol);
    checker.ensure(first, rule::SYMBOLS, || format!("recursion: {}", path.join(" -> ")))?;
    if !done.insert(&function.symbol) {
        return Ok(());
    }
    path.push(&function.symbol);
    let mut lists = vec![&function.body[..]];
    while let Some(list) = lists.pop() {
        for stmt in list {
            lists.extend(uses::children(stmt));
            let Stmt::Call { dst, symbol, args } = stmt else { continue };
            let Some(&callee) = symbols.get(&**symbol) else {
                return checker.fail(rule::SYMBOLS, format!("{symbol} is called and not in the module"));
            };
            let fits = args.iter().map(|&arg| checker.ty(arg)).eq(callee.params.iter().copied())
                && dst.map(|dst| checker.ty(Operand::Reg(dst))) == callee.result;
            checker.ensure(fits && callee.kind != Kind::Entry, rule::SYMBOLS, || {
                format!("the call of {symbol} does not fit its signature")
            })?;
            calls(callee, symbols, path, done)?;
        }
    }
    path.pop();
    Ok(())
}
