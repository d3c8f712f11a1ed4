//! The harness itself: it finds nothing where nothing is wrong, and what is wrong on purpose it finds and cuts down.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::time::Duration;

use gpu_actor_fuzz::build::Toolchain;
use gpu_actor_fuzz::campaign::{self, Wrong};
use gpu_actor_fuzz::grow;
use gpu_actor_fuzz::mutate;
use gpu_actor_fuzz::print;
use gpu_actor_fuzz::random::Random;
use gpu_actor_fuzz::shrink::{self, Judge};
use gpu_actor_fuzz::tree::{Int, Kind, Module, Node, Param, Ty};

const SEED: u64 = 0x6861_6e64_6c65_7273;

#[test]
fn a_batch_of_random_handlers_is_the_same_on_both_sides() {
    let toolchain = Toolchain::find().unwrap();
    let options = campaign::quiet(campaign::BATCH, SEED, 64, "same");
    let summary = campaign::run(&toolchain, &options).unwrap();
    for finding in &summary.findings {
        println!("{} ({})\n{}", finding.wrong, finding.origin, finding.text);
    }
    assert!(summary.findings.is_empty(), "the findings are above; repeat them with fuzz-handlers");
    assert_eq!(summary.programs, campaign::BATCH);
    println!("{summary}");
    // They do something: most return, give different results; every ordinary fault occurs.
    assert!(summary.returning * 10 > summary.programs * 8, "{summary}");
    assert!(summary.varied * 10 > summary.programs * 7, "{summary}");
    for kind in ["Overflow", "Bounds", "DivisionByZero", "Assert", "Panic"] {
        assert!(summary.faults.contains_key(kind), "no {kind}: {summary}");
    }
}

#[test]
fn wrong_device_twins_are_noticed() {
    let toolchain = Toolchain::find().unwrap();
    let directory = campaign::directory().join("mutants");
    let score = mutate::score(&toolchain, &directory, SEED, 6, 64).unwrap();
    println!("{score}; missed: {:?}", score.missed);
    assert!(score.made > 20, "{score}");
    // The others stand where no input comes, or their effect is undone.
    assert!(score.noticed * 4 > score.made, "{score}");
}

/// A module with a statement that is wrong in the middle of one of its handlers.
fn with(wrong: impl Fn() -> Node) -> (Module, Toolchain) {
    let mut module = grow::module(&mut Random::new(SEED, 5), 3);
    let state = module.actors[0].state;
    module.structs[state].fields.push(("bits".into(), Ty::Int(Int::U32)));
    module.consts.retain(|item| item.ty != Ty::Struct(state));
    let handler = &mut module.actors[0].handlers[0];
    handler.writes = true;
    handler.params.push(Param { name: "zero".into(), mutable: false, ty: Ty::Float(32) });
    let state = Node::new(Kind::State, Ty::Struct(state), Vec::new());
    let place = Node::new(Kind::Field("bits".into()), Ty::Int(Int::U32), vec![state]);
    handler.body.kids.insert(0, Node::stmt(Kind::Assign, vec![place, wrong()]));
    (module, Toolchain::find().unwrap())
}

/// Finds what is wrong with a module, and cuts it down.
fn find_and_shrink(toolchain: &Toolchain, module: Module, name: &str) -> (Wrong, String) {
    let directory = campaign::directory().join(name);
    let summary = campaign::examine(toolchain, &directory, &[campaign::plain(0, module)], 64, SEED).unwrap();
    assert_eq!(summary.findings.len(), 1, "{summary}");
    let patience = Duration::from_mins(2);
    let judge = Judge { toolchain, directory: &directory, cases: 64, seed: SEED, patience };
    let small = shrink::shrink(&judge, &summary.findings[0]).unwrap();
    assert_eq!(small.wrong, summary.findings[0].wrong);
    let source = print::print(&small.module, "m").text;
    println!("{}\n{source}", small.text);
    (small.wrong, source)
}

#[test]
fn a_difference_is_found_and_cut_down() {
    // Which NaN zero divided by zero is, is not defined, and the bits show it.
    let (module, toolchain) = with(|| {
        let zero = || Node::local("zero", Ty::Float(32));
        let nan = Node::binary("/", zero(), zero());
        Node::new(Kind::Method("to_bits"), Ty::Int(Int::U32), vec![nan])
    });
    let (wrong, source) = find_and_shrink(&toolchain, module, "difference");
    assert_eq!(wrong, Wrong::Differs("the state".into()));
    assert!(source.contains("to_bits") && source.contains('/'), "{source}");
    assert!(source.lines().count() < 30, "{source}");
}

#[test]
fn a_refusal_is_found_and_cut_down() {
    let (module, toolchain) = with(|| {
        let text = Node::new(Kind::Const("\"text\"".into()), Ty::Int(Int::U32), Vec::new());
        Node::method("wrapping_add", vec![text, Node::lit(1, Ty::Int(Int::U32))])
    });
    let (wrong, source) = find_and_shrink(&toolchain, module, "refusal");
    assert!(matches!(wrong, Wrong::Compile(_)), "{wrong:?}");
    assert!(source.contains("\"text\""), "{source}");
    assert!(source.lines().count() < 30, "{source}");
}
