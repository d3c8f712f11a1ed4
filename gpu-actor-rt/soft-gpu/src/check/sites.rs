//! Where instructions stand: what compiled code of a checked or deterministic device can be asked about itself.
//!
//! The code stores the number of a site in the lane's context before an instruction that can fail or give way; the table
//! says what stands there.

/// An instruction.
#[derive(Debug)]
pub(crate) struct Site {
    /// Index of the function.
    pub(crate) function: u32,
    pub(crate) line: u32,
    pub(crate) text: Box<str>,
    /// For a barrier: whether all lanes of a warp must come to this very instruction.
    pub(crate) aligned: bool,
}

/// A function as calls see it.
#[derive(Debug, Clone, Default)]
pub(crate) struct FunctionInfo {
    pub(crate) name: Box<str>,
    /// Where its code begins.
    pub(crate) address: u64,
    /// Bytes of stack that a call of it takes.
    pub(crate) frame: u32,
    /// The number of its signature; none for an entry, which cannot be called.
    pub(crate) signature: Option<u32>,
}

/// The tables of a module. Empty for the fast mode.
#[derive(Debug, Default)]
pub(crate) struct Sites {
    /// The first stands for no instruction.
    pub(crate) sites: Vec<Site>,
    pub(crate) functions: Vec<FunctionInfo>,
}

impl Sites {
    pub(crate) fn site(&self, number: u32) -> Option<&Site> {
        self.sites.get(number as usize)
    }

    pub(crate) fn function(&self, index: u32) -> Option<&FunctionInfo> {
        self.functions.get(index as usize)
    }

    /// The function that begins at an address.
    pub(crate) fn function_at(&self, address: u64) -> Option<&FunctionInfo> {
        self.functions.iter().find(|f| f.address == address && address != 0)
    }
}

/// The text of an instruction whose opcode begins at `at`: up to its semicolon, on one line, of a bearable length.
pub(crate) fn instruction_text(text: &str, at: usize) -> String {
    const MOST: usize = 120;
    let rest = text.get(at..).unwrap_or("");
    let end = rest.find(';').unwrap_or(rest.len());
    let mut out = String::new();
    for word in rest.get(..end).unwrap_or("").split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().take(MOST));
        if out.len() > MOST {
            out.push_str("...");
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::instruction_text;

    #[test]
    fn an_instruction_is_one_line_up_to_its_semicolon() {
        let text = "  @p ld.global.u32\t%r1,\n   [%rd1 + 4] ; ret;";
        assert_eq!(instruction_text(text, 5), "ld.global.u32 %r1, [%rd1 + 4]");
        assert_eq!(instruction_text(text, 500), "");
        assert_eq!(instruction_text("trap", 0), "trap");
        assert!(instruction_text(&"x ".repeat(500), 0).len() < 130);
    }
}
