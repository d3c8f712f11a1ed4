//! The methods of numbers that the handler language has, and what to say of the others.

/// A method of the standard library's integers or floats that the builder has under the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Method {
    /// Its name, in `std` and in the builder.
    pub(crate) name: &'static str,
    /// Arguments beside the receiver.
    pub(crate) args: usize,
    /// Whether the builder wants the line, because it can fault.
    pub(crate) faults: bool,
}

const fn method(name: &'static str, args: usize) -> Method {
    Method { name, args, faults: false }
}

const fn faulting(name: &'static str, args: usize) -> Method {
    Method { name, args, faults: true }
}

/// All of them, sorted by name.
pub(crate) const METHODS: &[Method] = &[
    faulting("abs", 0),
    method("abs_diff", 1),
    method("ceil", 0),
    method("checked_abs", 0),
    method("checked_add", 1),
    faulting("checked_div", 1),
    method("checked_ilog10", 0),
    method("checked_ilog2", 0),
    method("checked_mul", 1),
    method("checked_neg", 0),
    method("checked_next_power_of_two", 0),
    faulting("checked_pow", 1),
    faulting("checked_rem", 1),
    method("checked_shl", 1),
    method("checked_shr", 1),
    method("checked_sub", 1),
    faulting("clamp", 2),
    method("copysign", 1),
    method("count_ones", 0),
    method("count_zeros", 0),
    faulting("div_ceil", 1),
    faulting("div_euclid", 1),
    method("floor", 0),
    method("fract", 0),
    faulting("ilog10", 0),
    faulting("ilog2", 0),
    method("is_finite", 0),
    method("is_infinite", 0),
    faulting("is_multiple_of", 1),
    method("is_nan", 0),
    method("is_negative", 0),
    method("is_positive", 0),
    method("is_power_of_two", 0),
    method("is_sign_negative", 0),
    method("is_sign_positive", 0),
    faulting("isqrt", 0),
    method("leading_ones", 0),
    method("leading_zeros", 0),
    method("max", 1),
    method("min", 1),
    method("mul_add", 2),
    faulting("next_multiple_of", 1),
    faulting("next_power_of_two", 0),
    method("overflowing_add", 1),
    method("overflowing_mul", 1),
    method("overflowing_neg", 0),
    faulting("overflowing_pow", 1),
    method("overflowing_sub", 1),
    faulting("pow", 1),
    method("recip", 0),
    faulting("rem_euclid", 1),
    method("reverse_bits", 0),
    method("rotate_left", 1),
    method("rotate_right", 1),
    method("round", 0),
    method("round_ties_even", 0),
    method("saturating_abs", 0),
    method("saturating_add", 1),
    method("saturating_mul", 1),
    method("saturating_neg", 0),
    faulting("saturating_pow", 1),
    method("saturating_sub", 1),
    method("signum", 0),
    method("sqrt", 0),
    method("swap_bytes", 0),
    method("then_some", 1),
    method("to_bits", 0),
    method("to_degrees", 0),
    method("to_radians", 0),
    method("trailing_ones", 0),
    method("trailing_zeros", 0),
    method("trunc", 0),
    method("unsigned_abs", 0),
    method("wrapping_abs", 0),
    method("wrapping_add", 1),
    faulting("wrapping_div", 1),
    method("wrapping_mul", 1),
    method("wrapping_neg", 0),
    faulting("wrapping_pow", 1),
    faulting("wrapping_rem", 1),
    method("wrapping_shl", 1),
    method("wrapping_shr", 1),
    method("wrapping_sub", 1),
];

/// Looks a method up.
pub(crate) fn find(name: &str) -> Option<Method> {
    METHODS.iter().copied().find(|m| m.name == name)
}

/// The floating point functions that standard libraries approximate differently, and those that stand in their place.
const APPROXIMATED: [&str; 8] = ["cos", "exp", "exp2", "ln", "log2", "powf", "sin", "tanh"];
/// Those without a substitute.
const PLATFORM: [&str; 17] = [
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "cosh", "exp_m1", "hypot", "ln_1p",
    "log", "log10", "powi", "sin_cos", "sinh",
];

/// What to say of a method that no type of the user's may have on the device, because the name stands for something else.
pub(crate) fn refused(name: &str) -> Option<String> {
    let hint = match name {
        "iter" | "iter_mut" | "into_iter" => {
            "loop over the array itself, `for x in array`, or over its indices"
        }
        "clone" | "to_owned" => "every GPU type is `Copy`: leave the call out",
        "into" | "try_into" => "convert with `as`",
        "to_string" | "as_str" | "chars" | "as_bytes" => "text lives on the host: use a fixed array of bytes",
        "unwrap" | "expect" | "ok_or" | "unwrap_or" | "unwrap_or_else" | "unwrap_or_default"
        | "unwrap_err" | "map_or" | "and_then" | "or_else" | "is_some_and" | "ok" | "err" => {
            "`Option` and `Result` have `is_some`, `is_none`, `is_ok`, `is_err`, `unwrap`, `expect` and `unwrap_or` there: \
             use `match` or `if let` for the rest"
        }
        "tan" => {
            "its result differs by platform: `let (s, c) = (math::sin(x), math::cos(x)); s / c` with \
             `gpu_actor_rt::math` is the same everywhere"
        }
        _ if APPROXIMATED.contains(&name) => {
            return Some(format!(
                "the result of `{name}` differs by platform, so that the twins would differ; call \
                 `gpu_actor_rt::math::{name}`, which is the same everywhere"
            ));
        }
        _ if PLATFORM.contains(&name) => {
            let of = match name {
                "exp_m1" | "sinh" | "cosh" => "exp",
                "cbrt" | "powi" => "powf",
                _ => "ln",
            };
            let instead = match name {
                "exp_m1" | "sinh" | "cosh" | "cbrt" | "powi" | "log" | "log10" | "ln_1p" => {
                    format!("build it from `gpu_actor_rt::math::{of}`")
                }
                _ => "`gpu_actor_rt::math` has `exp`, `ln`, `sin`, `cos`, `powf` and `tanh`".to_owned(),
            };
            return Some(format!(
                "the result of `{name}` differs by platform, so that the twins would differ; {instead}"
            ));
        }
        _ if name.starts_with("strict_") || name.starts_with("unchecked_") => {
            "use the plain operator, which faults, or the `wrapping_`, `saturating_` or `checked_` method"
        }
        _ => return None,
    };
    Some(format!("the method `{name}` is not part of the handler language; {hint}"))
}

/// Whether a user's type cannot have a method of this name: the parser takes it for another.
pub(crate) fn is_taken(name: &str) -> bool {
    const ASKED: [&str; 6] = ["is_some", "is_none", "is_ok", "is_err", "unwrap_or", "unwrap"];
    find(name).is_some() || name == "len" || ASKED.contains(&name) || refused(name).is_some()
}

/// What to add where a type turns out not to have a method.
pub(crate) fn own(name: &str) -> String {
    match name {
        "push" | "pop" | "insert" | "remove" | "get" | "get_mut" | "push_str" | "contains" | "extend" => {
            "collections live on the host: use a fixed array and an index, or a type of your own with #[gpu_fn] on its \
             impl block"
                .to_owned()
        }
        _ => match nearest(name) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "methods of your own types are marked by #[gpu_fn] on their impl block; numbers have those that the \
                     chapter on the handler language lists"
                .to_owned(),
        },
    }
}

/// What to say of a function of a number type that the language lacks: the alternative where there is one, or the nearest
/// name.
pub(crate) fn unknown(name: &str) -> String {
    if let Some(message) = refused(name) {
        return message;
    }
    if let Some(near) = nearest(name) {
        format!("the method `{name}` is not part of the handler language; did you mean `{near}`?")
    } else {
        format!(
            "the method `{name}` is not part of the handler language; the book's chapter on functions lists those that numbers \
             have; write a #[gpu_fn] for anything else"
        )
    }
}

/// The method whose name differs from `name` by the fewest edits, if that is few enough to be a slip.
fn nearest(name: &str) -> Option<&'static str> {
    let allowed = if name.len() < 5 { 1 } else { 2 };
    METHODS
        .iter()
        .map(|m| (distance(name, m.name), m.name))
        .min()
        .filter(|(distance, _)| *distance <= allowed)
        .map(|(_, name)| name)
}

/// The Levenshtein distance of two names.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_and_found() {
        assert!(METHODS.is_sorted_by_key(|m| m.name));
        assert_eq!(find("mul_add").map(|m| m.args), Some(2));
        assert_eq!(find("iter"), None);
    }

    #[test]
    fn the_documentation_lists_them_all() {
        let documentation = include_str!("../lib.rs");
        let book = include_str!("../../../book/src/language/functions.md");
        for method in METHODS {
            let name = format!("`{}`", method.name);
            assert!(documentation.contains(&name), "{name} is not in the crate's documentation");
            assert!(book.contains(&name), "{name} is not in the book");
        }
    }

    #[test]
    fn a_slip_names_the_method_that_was_meant() {
        assert!(unknown("wraping_add").contains("did you mean `wrapping_add`?"));
        assert!(unknown("sqr").contains("did you mean `sqrt`?"));
        assert!(unknown("sin").contains("gpu_actor_rt::math::sin"));
        assert!(own("wraping_add").contains("did you mean `wrapping_add`?"));
        assert!(unknown("unchecked_add").contains("`wrapping_`"));
        assert!(unknown("iter").contains("for x in array"));
        assert!(unknown("frobnicate").contains("write a #[gpu_fn]"));
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("min", "max"), 2);
        assert_eq!(distance("rotate_left", "rotate_lift"), 1);
    }
}
