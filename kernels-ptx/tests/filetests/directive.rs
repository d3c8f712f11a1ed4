//! Sections of a file and what they ask for.

/// What a section asks for.
#[derive(Clone, Debug)]
pub(crate) enum Directive {
    Run(Run),
    Error { rule: u32, text: String },
    Optimised { text: String },
}

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) line: usize,
    pub(crate) symbol: String,
    pub(crate) args: Vec<Arg>,
    pub(crate) budget: u64,
    pub(crate) result: Expected,
    /// Contents of the memories afterwards.
    pub(crate) memories: Vec<Vec<String>>,
    pub(crate) reply: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) enum Arg {
    Value(String),
    Memory(Vec<String>),
}

#[derive(Clone, Debug)]
pub(crate) enum Expected {
    Nothing,
    /// One value per lane.
    Values(Vec<String>),
    Ok,
    /// The site's index.
    Fault(u32),
}

/// A module and its directives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Section {
    /// Line of the file at which it begins, counted from 1.
    pub(crate) line: usize,
    pub(crate) text: String,
    pub(crate) directives: Vec<Directive>,
    /// Lines of the file, counted from 0, at which the text behind `; optimised:` begins and ends.
    pub(crate) optimised: (usize, usize),
}

pub(crate) fn sections(file: &str) -> Result<Vec<Section>, String> {
    let mut all = vec![Section { line: 1, ..Section::default() }];
    let mut expected: Option<String> = None;
    for (number, line) in file.lines().enumerate() {
        let at = |error: String| format!("line {}: {error}", number + 1);
        if line == "; ---" {
            close(&mut all, expected.take(), number);
            all.push(Section { line: number + 2, ..Section::default() });
            continue;
        }
        let Some(section) = all.last_mut() else { continue };
        if let Some(expected) = &mut expected {
            if let Some(comment) = line.strip_prefix(';') {
                expected.push_str(comment.strip_prefix(' ').unwrap_or(comment));
                expected.push('\n');
                continue;
            }
        } else if line == "; optimised:" {
            expected = Some(String::new());
            section.optimised = (number + 1, number + 1);
            continue;
        } else if let Some(run) = line.strip_prefix("; run: ") {
            section.directives.push(Directive::Run(call(run, number + 1).map_err(at)?));
        } else if let Some(error) = line.strip_prefix("; error: rule ") {
            let (rule, text) = error.split_once(": ").ok_or("no text behind the rule".into()).map_err(at)?;
            let rule = rule.parse().map_err(|_| at("no number of a rule".into()))?;
            section.directives.push(Directive::Error { rule, text: text.into() });
        }
        // The module keeps the file's lines, so that its errors name them.
        let lines = number + 1 - section.line;
        while section.text.lines().count() < lines {
            section.text.push('\n');
        }
        section.text.push_str(line);
        section.text.push('\n');
    }
    close(&mut all, expected, file.lines().count());
    Ok(all)
}

fn close(all: &mut [Section], expected: Option<String>, end: usize) {
    if let (Some(section), Some(text)) = (all.last_mut(), expected) {
        section.optimised.1 = end;
        section.directives.push(Directive::Optimised { text });
    }
}

/// The file with another text behind the section's `; optimised:`.
pub(crate) fn replace_optimised(file: &str, section: &Section, text: &str) -> String {
    let (begin, end) = section.optimised;
    let mut lines: Vec<String> = file.lines().map(Into::into).collect();
    let comments = text.lines().map(|line| if line.is_empty() { ";".into() } else { format!("; {line}") });
    lines.splice(begin..end, comments);
    lines.join("\n") + "\n"
}

fn call(text: &str, line: usize) -> Result<Run, String> {
    let (call, outcome) = text.split_once(" == ").ok_or("no ` == `")?;
    let (symbol, args) = call.strip_prefix('@').and_then(|call| call.split_once('(')).ok_or("no `@f(`")?;
    let args = args.strip_suffix(')').ok_or("no `)` behind the arguments")?;
    let mut run = Run {
        line,
        symbol: symbol.into(),
        args: vec![],
        budget: 1000,
        result: Expected::Nothing,
        memories: vec![],
        reply: vec![],
    };
    for arg in split(args) {
        if let Some(budget) = arg.strip_prefix("budget ") {
            run.budget = budget.parse().map_err(|_| "no number behind `budget`")?;
        } else if let Some(memory) = memory(arg) {
            run.args.push(Arg::Memory(memory));
        } else {
            run.args.push(Arg::Value(arg.into()));
        }
    }
    let mut parts = split(outcome).into_iter();
    let result = parts.next().ok_or("no result")?;
    run.result = match result {
        "()" => Expected::Nothing,
        "ok" => Expected::Ok,
        _ => {
            if let Some(site) = result.strip_prefix("fault f") {
                Expected::Fault(site.parse().map_err(|_| "no site behind `fault`")?)
            } else if let Some(lanes) = result.strip_prefix("lanes(") {
                let lanes = lanes.strip_suffix(')').ok_or("no `)` behind the lanes")?;
                Expected::Values(split(lanes).into_iter().map(Into::into).collect())
            } else {
                Expected::Values(vec![result.into()])
            }
        }
    };
    for part in parts {
        if let Some(reply) = part.strip_prefix("reply ") {
            run.reply = memory(reply).ok_or("no `&[..]` behind `reply`")?;
        } else {
            run.memories.push(memory(part).ok_or("no `&[..]` behind the result")?);
        }
    }
    Ok(run)
}

fn memory(text: &str) -> Option<Vec<String>> {
    let inner = text.strip_prefix("&[")?.strip_suffix(']')?;
    Some(split(inner).into_iter().map(Into::into).collect())
}

/// Splits at the commas that stand in no bracket.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut begin) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[begin..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}
