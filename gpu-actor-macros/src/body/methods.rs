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
    faulting("clamp", 2),
    method("copysign", 1),
    method("count_ones", 0),
    method("count_zeros", 0),
    faulting("div_euclid", 1),
    method("floor", 0),
    method("fract", 0),
    method("is_finite", 0),
    method("is_infinite", 0),
    method("is_nan", 0),
    method("is_negative", 0),
    method("is_positive", 0),
    method("is_power_of_two", 0),
    method("is_sign_negative", 0),
    method("is_sign_positive", 0),
    method("leading_ones", 0),
    method("leading_zeros", 0),
    method("max", 1),
    method("min", 1),
    method("mul_add", 2),
    faulting("pow", 1),
    method("recip", 0),
    faulting("rem_euclid", 1),
    method("reverse_bits", 0),
    method("rotate_left", 1),
    method("rotate_right", 1),
    method("round", 0),
    method("round_ties_even", 0),
    method("saturating_add", 1),
    method("saturating_mul", 1),
    method("saturating_sub", 1),
    method("signum", 0),
    method("sqrt", 0),
    method("swap_bytes", 0),
    method("to_bits", 0),
    method("trailing_ones", 0),
    method("trailing_zeros", 0),
    method("trunc", 0),
    method("unsigned_abs", 0),
    method("wrapping_abs", 0),
    method("wrapping_add", 1),
    method("wrapping_mul", 1),
    method("wrapping_neg", 0),
    faulting("wrapping_pow", 1),
    method("wrapping_shl", 1),
    method("wrapping_shr", 1),
    method("wrapping_sub", 1),
];

/// Looks a method up.
pub(crate) fn find(name: &str) -> Option<Method> {
    METHODS.iter().copied().find(|m| m.name == name)
}

/// What to say of a method that the language lacks: the alternative where there is one, the nearest name, the list.
pub(crate) fn unknown(name: &str) -> String {
    let hint = match name {
        "iter" | "iter_mut" | "into_iter" => {
            Some("loop over the indices: `for i in 0..array.len() { array[i] }`")
        }
        "clone" | "to_owned" => Some("every GPU type is `Copy`: leave the call out"),
        "into" | "try_into" => Some("convert with `as`"),
        "unwrap" | "expect" | "ok_or" | "unwrap_or" => {
            Some("`Option` and `Result` are not part of the handler language: use plain values and `assert!`")
        }
        "push" | "pop" | "insert" | "remove" | "get" | "get_mut" | "push_str" | "contains" | "extend" => {
            Some("collections live on the host: use a fixed array and an index")
        }
        "to_string" | "as_str" | "chars" | "as_bytes" => {
            Some("text lives on the host: use a fixed array of bytes")
        }
        "sin" | "cos" | "tan" | "asin" | "acos" | "atan" | "atan2" | "sin_cos" | "sinh" | "cosh" | "tanh"
        | "exp" | "exp2" | "exp_m1" | "ln" | "ln_1p" | "log" | "log2" | "log10" | "powf" | "powi"
        | "cbrt" | "hypot" => Some(
            "functions that hardware only approximates are not supported yet, because the twins would differ",
        ),
        _ if name.starts_with("checked_") || name.starts_with("overflowing_") => {
            Some("use the plain operator, which faults, or the `wrapping_` or `saturating_` method")
        }
        _ => None,
    };
    if let Some(hint) = hint {
        return format!("the method `{name}` is not part of the handler language; {hint}");
    }
    if let Some(near) = nearest(name) {
        format!("the method `{name}` is not part of the handler language; did you mean `{near}`?")
    } else {
        let names: Vec<_> = METHODS.iter().map(|m| m.name).collect();
        format!(
            "the method `{name}` is not part of the handler language, which has: {}, and `len` of an array; \
             write a free function marked #[gpu_fn] for anything else",
            names.join(", ")
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
        for method in METHODS {
            assert!(
                documentation.contains(&format!("`{}`", method.name)),
                "{} is not in the crate's documentation",
                method.name
            );
        }
    }

    #[test]
    fn a_slip_names_the_method_that_was_meant() {
        assert!(unknown("wraping_add").contains("did you mean `wrapping_add`?"));
        assert!(unknown("sqr").contains("did you mean `sqrt`?"));
        assert!(unknown("sin").contains("approximates"));
        assert!(unknown("checked_add").contains("`wrapping_`"));
        assert!(unknown("iter").contains("for i in 0..array.len()"));
        assert!(unknown("frobnicate").contains("abs, abs_diff"));
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("min", "max"), 2);
        assert_eq!(distance("rotate_left", "rotate_lift"), 1);
    }
}
