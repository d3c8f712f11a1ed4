//! The report's plots, as SVG.
//!
//! Rule kept here: a plot can leave the report, so each says by itself when its figures are not a GPU's.

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::validate::finding::{Chart, Shape};
use crate::validate::measure::show;

const SIZE: (u32, u32) = (760, 420);
/// Of that, what the margins and the labels of the vertical axis leave for the plot.
const WIDTH: i32 = 638;
const FONT: &str = "sans-serif";
/// Colours that are told apart without telling red from green.
const COLOURS: [RGBColor; 4] =
    [RGBColor(0, 114, 178), RGBColor(230, 159, 0), RGBColor(0, 158, 115), RGBColor(204, 121, 167)];

/// Grid, labels and names of both axes. (The type of a context names its axes: a function would have to name them all.)
macro_rules! mesh {
    ($context:ident, $chart:ident) => {
        $context
            .configure_mesh()
            .light_line_style(WHITE)
            .x_label_formatter(&|x| show(*x))
            .y_label_formatter(&|y| show(*y))
            .x_desc($chart.x)
            .y_desc($chart.y)
            .label_style((FONT, 13))
            .draw()?
    };
}

macro_rules! legend {
    ($context:ident, $position:expr) => {
        $context
            .configure_series_labels()
            .position($position)
            .background_style(WHITE.mix(0.8))
            .border_style(RGBColor(160, 160, 160))
            .label_font((FONT, 13))
            .draw()?
    };
}

/// Why a plot could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("the plot {file} could not be drawn: {why}")]
pub(crate) struct PlotError {
    file: &'static str,
    why: String,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Draws a chart.
pub(crate) fn svg(chart: &Chart, hardware: bool) -> Result<String, PlotError> {
    let mut text = String::new();
    let drawn = draw(&mut text, chart, hardware);
    drawn.map_err(|error| PlotError { file: chart.file, why: error.to_string() })?;
    Ok(text)
}

fn draw(text: &mut String, chart: &Chart, hardware: bool) -> Drawn {
    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let title = chart.title.clone();
    let title = if hardware { title } else { format!("{title} (software GPU, not a GPU's figures)") };
    let area = area.titled(&title, (FONT, 17))?;
    match &chart.shape {
        Shape::Histogram(bars) => histogram(&area, chart, bars)?,
        Shape::Lines(lines) => self::lines(&area, chart, lines)?,
        Shape::Bars { groups, series } => self::bars(&area, chart, groups, series)?,
    }
    area.present()?;
    Ok(())
}

fn histogram(area: &Area<'_>, chart: &Chart, bars: &[(f64, f64, f64)]) -> Drawn {
    let most = bars.iter().map(|bar| bar.2).fold(1.0, f64::max);
    let from = bars.iter().map(|bar| bar.0).fold(f64::INFINITY, f64::min);
    let to = bars.iter().map(|bar| bar.1).fold(0.0, f64::max);
    let (from, to) = if from < to { (from, to) } else { (1.0, 10.0) };
    // Single samples far out matter in a histogram of latencies, so the counts are logarithmic, too.
    let mut context =
        builder(area).build_cartesian_2d((from..to).log_scale(), (0.5..most * 1.5).log_scale())?;
    mesh!(context, chart);
    context.draw_series(
        bars.iter()
            .map(|(from, to, count)| Rectangle::new([(*from, 0.5), (*to, *count)], COLOURS[0].filled())),
    )?;
    Ok(())
}

fn lines(area: &Area<'_>, chart: &Chart, lines: &[(String, Vec<(f64, f64)>)]) -> Drawn {
    let points = || lines.iter().flat_map(|line| &line.1);
    let span = |values: &mut dyn Iterator<Item = f64>| {
        let (low, high) = values.fold((f64::INFINITY, 0.0), |(low, high), v| (v.min(low), v.max(high)));
        if low < high { (low * 0.9)..(high * 1.1) } else { 1.0..10.0 }
    };
    let (x, y) = (span(&mut points().map(|p| p.0)), span(&mut points().map(|p| p.1)));
    // Room for the legend below the lines.
    let y = y.start / 4.0..y.end;
    let mut context = builder(area).build_cartesian_2d(x.log_scale(), y.log_scale())?;
    mesh!(context, chart);
    for ((name, points), colour) in lines.iter().zip(COLOURS.into_iter().cycle()) {
        context
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(3))?
            .label(name)
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled()));
    }
    legend!(context, SeriesLabelPosition::LowerRight);
    Ok(())
}

fn bars(area: &Area<'_>, chart: &Chart, groups: &[String], series: &[(String, Vec<f64>)]) -> Drawn {
    let values = || series.iter().flat_map(|s| &s.1).copied();
    let most = values().fold(f64::MIN_POSITIVE, f64::max);
    let least = values().fold(most, f64::min) / 2.0;
    // Room for the legend above the bars.
    let (least, most) = if least > 0.0 { (least, most * 8.0) } else { (1.0, 10.0) };
    let across = 0.0..groups.len().max(1) as f64;
    let mut context = builder(area).build_cartesian_2d(across, (least..most).log_scale())?;
    context
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(WHITE)
        .x_labels(groups.len() + 1)
        // A label stands at a whole number, the left end of its group; this moves it to the middle.
        .x_label_offset(WIDTH / (2 * groups.len().max(1) as i32))
        .x_label_formatter(&|x| groups.get(x.round() as usize).cloned().unwrap_or_default())
        .y_label_formatter(&|y| show(*y))
        .x_desc(chart.x)
        .y_desc(chart.y)
        .label_style((FONT, 13))
        .draw()?;
    let width = 0.8 / series.len().max(1) as f64;
    for (i, ((name, values), colour)) in series.iter().zip(COLOURS.into_iter().cycle()).enumerate() {
        let bar = |(group, value): (usize, &f64)| {
            let left = group as f64 + 0.1 + i as f64 * width;
            Rectangle::new([(left, least), (left + width, *value)], colour.filled())
        };
        context
            .draw_series(values.iter().enumerate().map(bar))?
            .label(name)
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled()));
    }
    legend!(context, SeriesLabelPosition::UpperRight);
    Ok(())
}

fn builder<'a, 'b>(area: &'a Area<'b>) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut builder = ChartBuilder::on(area);
    builder.margin(12).margin_right(36).x_label_area_size(44).y_label_area_size(74);
    builder
}
