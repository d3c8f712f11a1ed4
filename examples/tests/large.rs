//! The examples for large data, as a user runs them, and as functions at sizes that leave rests.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::process::Command;

use gpu_actor_examples::heat::{self, Band, Plate};
use gpu_actor_examples::histogram::{self, Tally};
use gpu_actor_rt::prelude::*;
use gpu_actor_rt::testing;

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_plate_in_any_number_of_bands_is_what_a_plain_loop_says() {
    let system = ActorSystem::start(Config::default().workers(2).actor::<Band>()).await.unwrap();
    for (width, rows, bands) in [(2, 1, 1), (3, 5, 2), (17, 13, 4), (17, 13, 13), (40, 33, 100)] {
        let mut plain: Vec<f32> = (0..width * rows).map(|n| ((n * 37) % 101) as f32 / 7.0).collect();
        let mut plate = Plate::new(&system, &plain, width, bands).unwrap();
        for _ in 0..7 {
            plate.step().await.unwrap();
            plain = heat::plain(&plain, width);
        }
        let bits = |field: &[f32]| field.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&plate.field().await.unwrap()), bits(&plain), "{width} by {rows} in {bands}");
    }
    system.drained().await.unwrap();
    assert_eq!((system.stats().buffers, system.pool().in_use), (0, 0));
    system.shutdown().await.unwrap();
}

#[test]
fn heat_writes_a_picture_and_a_film() {
    let folder = concat!(env!("CARGO_TARGET_TMPDIR"), "/heat");
    let text = run(
        env!("CARGO_BIN_EXE_heat"),
        &["--size", "48", "--bands", "3", "--steps", "5", "--frames", "4", "--out", folder],
    );
    assert!(text.contains("15 steps of 48 x 48 points, the same bits"), "{text}");
    for (name, frames) in [("heat.png", None), ("heat.apng", Some(4))] {
        let file = std::fs::File::open(format!("{folder}/{name}")).unwrap();
        let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().unwrap();
        let info = reader.info();
        assert_eq!((info.width, info.height), (48, 48));
        assert_eq!(info.animation_control.map(|control| control.num_frames), frames);
        let mut pixels = vec![0; 48 * 48];
        for _ in 0..frames.unwrap_or(1) {
            reader.next_frame(&mut pixels).unwrap();
            assert!(pixels.iter().any(|&pixel| pixel > 100) && pixels.contains(&0));
        }
    }
}

#[tokio::test]
async fn histograms_are_those_of_a_plain_loop() {
    let system = ActorSystem::start(Config::default().workers(2).actor::<Tally>()).await.unwrap();
    let values: Vec<i32> = (0..5000).map(|n: i32| n.wrapping_mul(2_654_435_761u32 as i32) >> 23).collect();
    for actors in [1, 3, 7] {
        let bins = histogram::count(&system, &values, -100, 3, actors).await.unwrap();
        assert_eq!(bins, histogram::plain(&values, -100, 3), "by {actors}");
        assert_eq!(bins.iter().sum::<u32>(), 5000);
    }
    system.drained().await.unwrap();
    assert_eq!(system.stats().buffers, 0);
    system.shutdown().await.unwrap();
}

#[test]
fn delays_are_counted() {
    let text = run(env!("CARGO_BIN_EXE_histogram"), &[]);
    assert!(text.ends_with("327346 arrivals, the same as by a plain loop\n"), "{text}");
}

#[test]
fn vectors_of_all_lengths_are_added() {
    let text = run(env!("CARGO_BIN_EXE_vector_add"), &["--table", "--most", "16384"]);
    assert!(text.contains("within messages") && text.contains("     16384  buffers, "), "{text}");
    assert!(text.ends_with("each sum was compared with the plain loop's\n"), "{text}");
}

#[test]
fn the_twins_agree() {
    assert!(testing::check_handlers::<Band>(64, 1).is_ok());
    assert!(testing::check_handlers::<Tally>(64, 2).is_ok());
    assert!(testing::check_handlers::<gpu_actor_examples::vector::LongAdder>(64, 3).is_ok());
}
