//! The harness itself: it finds nothing where nothing is wrong, and what is wrong on purpose it finds and cuts down.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::time::Duration;

use gpu_actor_fuzz::build::Toolchain;
use gpu_actor_fuzz::campaign::{self, Sabotage, Wrong};
use gpu_actor_fuzz::grow;
use gpu_actor_fuzz::mutate;
use gpu_actor_fuzz::print;
use gpu_actor_fuzz::random::Random;
use gpu_actor_fuzz::shrink::{self, Judge};
use gpu_actor_fuzz::tree::{Int, Kind, Module, Node, Ty};

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
    for kind in ["Overflow", "Bounds", "DivisionByZero", "Assert"] {
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
    assert!(score.noticed * 5 > score.made, "{score}");
}

/// Cuts down the first finding among modules, and prints it.
fn find_and_shrink(modules: Vec<Module>, sabotage: Option<Sabotage>, name: &str) -> (Wrong, String) {
    let toolchain = &Toolchain::find().unwrap();
    let directory = &campaign::directory().join(name);
    let named: Vec<_> =
        modules.into_iter().enumerate().map(|(index, module)| campaign::plain(index, module)).collect();
    let summary = campaign::examine(toolchain, directory, &named, (64, SEED), sabotage).unwrap();
    let finding = summary.findings.first().unwrap();
    let whole = print::print(&finding.module, "m").text;
    // On a loaded machine it does not get all the way down in this time.
    let patience = Duration::from_secs(30);
    let judge = Judge { toolchain, directory, cases: 64, seed: SEED, patience, sabotage };
    let small = shrink::shrink(&judge, finding).unwrap();
    assert_eq!(small.wrong, finding.wrong);
    let source = print::print(&small.module, "m").text;
    println!("{}\n{source}", small.text);
    assert!(source.len() < whole.len() / 2, "hardly smaller than what was found:\n{source}");
    (small.wrong, source)
}

#[test]
fn a_wrong_instruction_is_found_and_cut_down() {
    // As if the device added where it is to multiply.
    let sabotage: Sabotage = |node| {
        if node.kind == Kind::Method("wrapping_mul") {
            node.kind = Kind::Method("wrapping_add");
        }
    };
    let modules = (0..8).map(|index| grow::module(&mut Random::new(SEED, index), 3)).collect();
    let (wrong, source) = find_and_shrink(modules, Some(sabotage), "instruction");
    assert!(matches!(wrong, Wrong::Differs(_)), "{wrong:?}");
    assert!(source.contains("wrapping_mul"), "{source}");
}

#[test]
fn a_refusal_is_found_and_cut_down() {
    let mut module = grow::module(&mut Random::new(SEED, 5), 3);
    let missing = Node::new(Kind::Const("u32::MISSING".into()), Ty::Int(Int::U32), Vec::new());
    let handler = &mut module.actors[0].handlers[0];
    handler.body.kids.insert(0, Node::stmt(Kind::Drop(true), vec![missing]));
    let (wrong, source) = find_and_shrink(vec![module], None, "refusal");
    assert_eq!(wrong, Wrong::Compile("E0599".into()));
    assert!(source.contains("u32::MISSING"), "{source}");
}
