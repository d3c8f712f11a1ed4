//! What the facts mean: a line for each, with its level and what to do.
//!
//! Rule kept here: nothing is looked up. The same facts give the same lines, so that each complaint has a test on a
//! machine that does not exist.

mod devices;
mod driver;
mod libraries;
mod machine;
mod trials;

use super::Facts;
use super::report::Section;

/// The report's sections.
pub(super) fn judge(facts: &Facts) -> Vec<Section> {
    let mut sections = vec![
        Section::new("Machine", machine::judge(&facts.host)),
        Section::new("Environment", machine::variables(&facts.host)),
        Section::new("CUDA driver", driver::judge(facts)),
    ];
    sections.extend(devices::judge(facts));
    sections.push(Section::new("Peers", devices::peers(facts)));
    sections.push(Section::new("Libraries", libraries::judge(facts)));
    sections.push(Section::new("Software GPU", vec![trials::software(&facts.software)]));
    sections.push(Section::new("Selection", vec![trials::selection(&facts.chosen)]));
    sections
}
