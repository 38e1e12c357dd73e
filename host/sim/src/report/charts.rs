//! Charts as SVG. Colours are placeholders that the page's style sheet gives their tone, light or dark; no font is read.

use super::ChartError;
use crate::simulate::Figures;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const WIDTH: u32 = 760;
const HEIGHT: u32 = 300;
pub(super) const INK: RGBColor = RGBColor(0x11, 0x11, 0x11);
pub(super) const FAINT: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
/// One per course.
pub(super) const SERIES: [RGBColor; 2] = [RGBColor(0x1f, 0x6f, 0xeb), RGBColor(0xd9, 0x77, 0x06)];

type Draw<'a> = dyn Fn(&DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), String> + 'a;

fn svg(draw: &Draw<'_>) -> Result<String, ChartError> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, (WIDTH, HEIGHT)).into_drawing_area();
        draw(&root).map_err(ChartError)?;
        root.present().map_err(|error| ChartError(error.to_string()))?;
    }
    Ok(text)
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn label() -> TextStyle<'static> {
    ("sans-serif", 16).into_font().color(&INK)
}

/// A plane of hours and values to draw on.
type Plane<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// A chart whose way goes along the hours of the courses, of values within a range.
fn over_hours(
    courses: &[Figures],
    y_title: &str,
    (low, high): (f64, f64),
    draw: &dyn Fn(&mut Plane<'_, '_>, f64) -> Result<(), String>,
) -> Result<String, ChartError> {
    let hours = courses.iter().map(|course| course.hours).fold(0.0, f64::max);
    svg(&|root| {
        let mut chart = ChartBuilder::on(root)
            .margin(8)
            .x_label_area_size(40)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..hours, low..high)
            .map_err(words)?;
        let mut mesh = chart.configure_mesh();
        mesh.axis_style(INK).bold_line_style(FAINT).light_line_style(TRANSPARENT);
        mesh.label_style(label()).x_desc("hours").y_desc(y_title).axis_desc_style(label());
        mesh.draw().map_err(words)?;
        draw(&mut chart, hours)
    })
}

/// A curve per course over the hours.
pub(super) fn curves(
    courses: &[Figures],
    y_title: &str,
    from_zero: bool,
    values: &dyn Fn(&Figures) -> Vec<f64>,
) -> Result<String, ChartError> {
    let all: Vec<f64> = courses.iter().flat_map(values).collect();
    over_hours(courses, y_title, range(&all, from_zero), &|chart, _| {
        for (course, colour) in courses.iter().zip(SERIES) {
            let points = course.curves.hours.iter().copied().zip(values(course));
            chart.draw_series(LineSeries::new(points, colour.stroke_width(2))).map_err(words)?;
        }
        Ok(())
    })
}

/// The wait per host: a bar up to p95, with a line across it at p50.
pub(super) fn waits(courses: &[Figures]) -> Result<String, ChartError> {
    let Some(first) = courses.first() else {
        return Err(ChartError("there is no course".into()));
    };
    let minutes = |seconds: f64| seconds / 60.0;
    let all: Vec<f64> = courses
        .iter()
        .flat_map(|course| course.hosts.iter().map(|host| minutes(host.wait_p95_s)))
        .collect();
    let (low, high) = range(&all, true);
    let count = first.hosts.len();
    svg(&|root| {
        let mut chart = ChartBuilder::on(root)
            .margin(8)
            .x_label_area_size(40)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..count as f64, low..high)
            .map_err(words)?;
        let mut mesh = chart.configure_mesh();
        mesh.axis_style(INK)
            .bold_line_style(FAINT)
            .light_line_style(TRANSPARENT)
            .disable_x_mesh();
        mesh.x_labels(0)
            .label_style(label())
            .y_desc("minutes until the first attempt")
            .axis_desc_style(label());
        mesh.draw().map_err(words)?;
        let bar = 0.7 / courses.len() as f64;
        for (nth, (course, colour)) in courses.iter().zip(SERIES).enumerate() {
            for (index, host) in course.hosts.iter().enumerate() {
                let left = index as f64 + 0.15 + nth as f64 * bar;
                let right = left + bar * 0.92;
                let corners = [(left, 0.0), (right, minutes(host.wait_p95_s))];
                let median = minutes(host.wait_p50_s);
                chart
                    .draw_series(std::iter::once(Rectangle::new(corners, colour.filled())))
                    .map_err(words)?;
                let line = PathElement::new(vec![(left, median), (right, median)], INK.stroke_width(2));
                chart.draw_series(std::iter::once(line)).map_err(words)?;
            }
        }
        let style = label().pos(Pos::new(HPos::Center, VPos::Top));
        for (index, host) in first.hosts.iter().enumerate() {
            let (x, y) = chart.plotting_area().map_coordinate(&(index as f64 + 0.5, low));
            root.draw(&Text::new(shortened(&host.host), (x, y + 8), style.clone()))
                .map_err(words)?;
        }
        Ok(())
    })
}

/// Each candidate at its time with its true gain: full where it was applied, hollow where not.
pub(super) fn candidates(courses: &[Figures]) -> Result<String, ChartError> {
    let gains: Vec<f64> = courses
        .iter()
        .flat_map(|course| course.promotions.each.iter().map(|candidate| candidate.true_gain))
        .chain([0.0])
        .collect();
    over_hours(courses, "true gain over the live model", range(&gains, false), &|chart, hours| {
        let no_gain = PathElement::new(vec![(0.0, 0.0), (hours, 0.0)], INK);
        chart.draw_series(std::iter::once(no_gain)).map_err(words)?;
        for (course, colour) in courses.iter().zip(SERIES) {
            let points = course.promotions.each.iter().map(|candidate| {
                let style = if candidate.applied {
                    colour.filled()
                } else {
                    colour.stroke_width(2)
                };
                Circle::new((candidate.hour, candidate.true_gain), 5, style)
            });
            chart.draw_series(points).map_err(words)?;
        }
        Ok(())
    })
}

/// A range that holds all values, with some room, and is never empty.
fn range(values: &[f64], from_zero: bool) -> (f64, f64) {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !low.is_finite() || !high.is_finite() {
        return (0.0, 1.0);
    }
    let low = if from_zero { low.min(0.0) } else { low };
    let room = if high - low > 1e-9 {
        (high - low) * 0.06
    } else {
        high.abs().max(1.0) * 0.1
    };
    (if from_zero { low } else { low - room }, high + room)
}

fn shortened(name: &str) -> String {
    match name.char_indices().nth(14) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_string(),
    }
}
