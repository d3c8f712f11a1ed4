//! Heat spreads over a plate; a picture and a film of it.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use gpu_actor_examples::heat::{self, Band, Plate};
use gpu_actor_rt::prelude::*;

/// Solves the heat equation with actors, checks it against a plain loop, and writes heat.png and heat.apng.
#[derive(Parser)]
struct Options {
    /// Points of the plate in each direction.
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u16).range(2..=8192))]
    size: u16,
    /// Actors that share the plate.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    bands: u16,
    /// Steps between two pictures of the film.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    steps: u16,
    /// Pictures of the film.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u16).range(1..))]
    frames: u16,
    /// Where heat.png and heat.apng go; without it nothing is written.
    #[arg(long)]
    out: Option<PathBuf>,
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A file of indexed colours; a film if there are frames.
fn picture(file: &Path, size: u32, frames: Option<u32>) -> Outcome<png::Writer<BufWriter<File>>> {
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(file)?), size, size);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(heat::palette());
    if let Some(frames) = frames {
        encoder.set_animated(frames, 0)?;
        encoder.set_frame_delay(1, 15)?;
    }
    Ok(encoder.write_header()?)
}

async fn run(options: &Options) -> Outcome<()> {
    let (size, frames) = (usize::from(options.size), u32::from(options.frames));
    let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(8) as u32);
    let system = ActorSystem::start(Config::default().workers(workers).actor::<Band>()).await?;
    let mut plain = heat::hot_spots(size);
    let mut plate = Plate::new(&system, &plain, size, options.bands.into())?;
    let file = |name: &str| options.out.as_ref().map(|folder| folder.join(name));
    if let Some(folder) = &options.out {
        std::fs::create_dir_all(folder)?;
    }
    let mut film = match file("heat.apng") {
        Some(file) => Some(picture(&file, size as u32, Some(frames))?),
        None => None,
    };
    let (mut actors, mut loops) = (Duration::ZERO, Duration::ZERO);
    for frame in 0..frames {
        if frame > 0 {
            let begun = Instant::now();
            for _ in 0..options.steps {
                plate.step().await?;
            }
            actors += begun.elapsed();
            let begun = Instant::now();
            for _ in 0..options.steps {
                plain = heat::plain(&plain, size);
            }
            loops += begun.elapsed();
        }
        let field = plate.field().await?;
        if let Some(at) = field.iter().zip(&plain).position(|(one, other)| one.to_bits() != other.to_bits()) {
            let (x, y) = (at % size, at / size);
            return Err(format!("at {x}, {y} it is {} and by a plain loop {}", field[at], plain[at]).into());
        }
        if let Some(film) = &mut film {
            film.write_image_data(&heat::colours(&field))?;
        }
    }
    if let Some(film) = film {
        film.finish()?;
    }
    if let Some(file) = file("heat.png") {
        let mut writer = picture(&file, size as u32, None)?;
        writer.write_image_data(&heat::colours(&plate.field().await?))?;
        writer.finish()?;
        println!("wrote {} and heat.apng beside it", file.display());
    }
    let (stats, pool, steps) =
        (system.stats(), system.pool(), u64::from(frames - 1) * u64::from(options.steps));
    println!("device: {} ({}), {workers} workers", stats.device, stats.device_kind);
    println!(
        "{steps} steps of {size} x {size} points, the same bits as by a plain loop after every {}",
        options.steps
    );
    println!("actors {actors:?}, plain loop on one core {loops:?}");
    println!(
        "{} buffers from the pool, {:.2} % of them used again; {} KiB at the most, in {:?} memory",
        pool.hits + pool.misses,
        100.0 * pool.hit_rate(),
        pool.high_water >> 10,
        pool.memory
    );
    drop(plate);
    system.shutdown().await?;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("heat: {error}");
            ExitCode::FAILURE
        }
    }
}
