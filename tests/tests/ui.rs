//! Every diagnostic of the attributes: what it says, and that it stands at the user's token.
//!
//! `TRYBUILD=overwrite cargo test -p gpu-actor-tests --test ui` writes the expected texts anew; read the difference.

#[test]
fn diagnostics() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("ui/*/*.rs");
}
