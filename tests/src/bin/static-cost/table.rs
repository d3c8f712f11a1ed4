//! The tables in the book, and how figures are compared with them.

use std::collections::HashMap;

use crate::Result;

/// By how many percent a figure may grow unexplained.
pub(crate) const TOLERANCE: u32 = 10;
/// Warps that must fit on a multiprocessor, whatever the tables say: 64 registers and no more.
const WARPS: u32 = 32;

/// How the columns of the model begin.
const RATES: &str = "thousand messages a second";

const BEGIN: &str = "<!-- static-cost: begin -->\n";
const END: &str = "<!-- static-cost: end -->";

/// What has changed against a checked-in table; a line for each figure.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) shrunk: Vec<String>,
    pub(crate) grown: Vec<String>,
    pub(crate) too_much: Vec<String>,
}

/// The tables in a chapter's text.
pub(crate) fn found(text: &str) -> Result<&str> {
    let (_, rest) = text.split_once(BEGIN).ok_or_else(|| format!("the chapter has no `{}`", BEGIN.trim()))?;
    let (tables, _) = rest.split_once(END).ok_or_else(|| format!("the chapter has no `{END}`"))?;
    Ok(tables.trim())
}

/// The chapter's text with other tables.
pub(crate) fn replaced(text: &str, tables: &str) -> Result<String> {
    found(text)?;
    let (before, _) = text.split_once(BEGIN).unwrap_or((text, ""));
    let (_, behind) = text.split_once(END).unwrap_or(("", ""));
    Ok(format!("{before}{BEGIN}\n{}\n\n{END}{behind}", tables.trim()))
}

/// A figure's place: the row's label, the column's, and which of the numbers that the column names.
type Place = (String, String, String);

/// Every figure of the tables, in their order.
fn figures(tables: &str) -> Result<Vec<(Place, u32)>> {
    let mut figures = Vec::new();
    let mut columns: Vec<&str> = Vec::new();
    for line in tables.lines().map(str::trim).filter(|line| line.starts_with('|')) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (label, cells) = cells.split_first().ok_or("an empty row")?;
        if label.starts_with("---") {
            continue;
        }
        if cells.iter().all(|cell| !cell.starts_with(|c: char| c.is_ascii_digit())) {
            columns = cells.to_vec();
            continue;
        }
        for (column, cell) in columns.iter().zip(cells) {
            let (column, names) = column.split_once(':').unwrap_or(("", column));
            for (name, number) in names.split(',').zip(cell.split(',')) {
                let number = number.trim().parse();
                let number = number.map_err(|error| format!("`{cell}` in the row of {label}: {error}"))?;
                figures.push((((*label).to_owned(), column.to_owned(), name.trim().to_owned()), number));
            }
        }
    }
    Ok(figures)
}

/// Compares figures with those that are checked in. Of the warps that fit there is a least number; all others may grow by a little.
pub(crate) fn compare(old: &str, new: &str) -> Result<Changes> {
    let before: HashMap<_, _> = figures(old)?.into_iter().collect();
    let now = figures(new)?;
    if before.len() != now.len() || now.iter().any(|(place, _)| !before.contains_key(place)) {
        return Err("the chapter's tables have other rows or columns: --write makes new ones".into());
    }
    let mut changes = Changes::default();
    for (place, now) in &now {
        let before = before[place];
        let (label, column, name) = place;
        let text = format!("{label}, {column}: {name} {before} -> {now}");
        if column.starts_with(RATES) {
            // The model's follow from the others, and are the better the larger.
        } else if name == "warps" {
            if *now < WARPS {
                changes.too_much.push(format!("{text}, where {WARPS} must fit"));
            }
        } else if u64::from(*now) * 100 > u64::from(before) * u64::from(100 + TOLERANCE) {
            changes.too_much.push(text);
        } else if *now > before {
            changes.grown.push(text);
        } else if *now < before {
            changes.shrunk.push(text);
        }
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "| module | PTX | sm_80: registers, stack |\n|---|--:|---|\n| ring | 10 | 60, 0 |\n";

    fn changed(from: &str, to: &str) -> Changes {
        compare(TABLE, &TABLE.replace(from, to)).unwrap()
    }

    #[test]
    fn up_to_a_tenth_is_noted_and_more_is_refused() {
        assert_eq!(changed("60, 0", "60, 0"), Changes::default());
        assert_eq!(changed("60, 0", "66, 0").grown, ["ring, sm_80: registers 60 -> 66"]);
        assert_eq!(changed("60, 0", "67, 0").too_much, ["ring, sm_80: registers 60 -> 67"]);
        assert_eq!(
            changed("60, 0", "60, 8").too_much,
            ["ring, sm_80: stack 0 -> 8"],
            "nothing may become something"
        );
        assert_eq!(changed("| 10", "| 12").too_much, ["ring, : PTX 10 -> 12"]);
        assert_eq!(changed("60, 0", "50, 0").shrunk, ["ring, sm_80: registers 60 -> 50"]);
    }

    #[test]
    fn a_warp_too_few_is_refused_whatever_was_before() {
        let table =
            |warps| format!("| module | sm_80: registers, warps |\n|---|---|\n| ring | 64, {warps} |\n");
        assert_eq!(compare(&table(32), &table(36)).unwrap(), Changes::default());
        let refused = ["ring, sm_80: warps 31 -> 31, where 32 must fit"];
        assert_eq!(compare(&table(31), &table(31)).unwrap().too_much, refused);
    }

    #[test]
    fn another_table_is_no_match() {
        assert!(compare(TABLE, &TABLE.replace("ring", "kernel")).is_err());
        assert!(compare(TABLE, &TABLE.replace("| ring", "| more | 1 | 2, 3 |\n| ring")).is_err());
        assert!(compare(&TABLE.replace("60, 0", "60, none"), TABLE).is_err());
    }

    #[test]
    fn tables_are_replaced_between_their_marks() {
        let text = format!("before 60\n\n{BEGIN}\n{TABLE}\n{END}\n\nbehind\n");
        let new = replaced(&text, &TABLE.replace("60", "59")).unwrap();
        assert_eq!(new, text.replace("60, 0", "59, 0"));
        assert!(found("nothing").is_err());
    }
}
