// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Plots of figures over their axis, series and mainline, as SVG.

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use super::{At, Bench, Figures, Measurement, shown};

/// Size in pixels; the page scales the plot.
const SIZE: (u32, u32) = (640, 320);

/// A plot.
#[derive(Clone, Debug)]
pub struct Plot {
    /// `<file>__<program>`.
    pub test: String,
    /// The unit.
    pub unit: String,
    /// The SVG.
    pub svg: String,
}

/// The plots of all tests with several figures.
///
/// # Errors
///
/// Where a plot cannot be drawn.
pub fn all(bench: &Bench) -> Result<Vec<Plot>> {
    let mut known: Vec<(&str, &str)> = Vec::new();
    for row in bench.ours.rows.iter().filter(|row| row.at.is_some()) {
        if !known.contains(&(&row.test, &row.unit)) {
            known.push((&row.test, &row.unit));
        }
    }
    known
        .into_iter()
        .map(|(test, unit)| {
            Ok(Plot {
                test: test.to_owned(),
                unit: unit.to_owned(),
                svg: draw(bench, test, unit)
                    .map_err(|error| anyhow!("cannot draw {test}: {error}"))?,
            })
        })
        .collect()
}

/// Position on the axis, and value.
type Points = Vec<(f64, f64)>;

/// Label, points and colour of a curve.
type Curve<'a> = (&'a str, Points, RGBColor);

fn draw(bench: &Bench, test: &str, unit: &str) -> Result<String, Box<dyn std::error::Error>> {
    let series = |figures: &Figures| -> Vec<Measurement> {
        let of_series = |row: &&Measurement| row.test == test && row.unit == unit;
        figures.rows.iter().filter(of_series).cloned().collect()
    };
    let ours = series(&bench.ours);
    let mainline = bench.mainline.as_ref().map(series).unwrap_or_default();
    let places: Vec<&At> = ours.iter().filter_map(|row| row.at.as_ref()).collect();
    let points = |rows: &[Measurement]| -> Points {
        rows.iter()
            .filter_map(|row| {
                let at = places.iter().position(|at| row.at.as_ref() == Some(at))?;
                Some((at as f64, row.median() as f64 / 1000.0))
            })
            .collect()
    };
    let lines = [
        (bench.ours.environment.base.as_str(), points(&ours), BLUE),
        ("mainline", points(&mainline), RED),
    ];
    let mut svg = String::new();
    paint(&mut svg, &places, unit, &lines)?;
    Ok(svg)
}

fn paint(
    svg: &mut String,
    places: &[&At],
    unit: &str,
    lines: &[Curve<'_>],
) -> Result<(), Box<dyn std::error::Error>> {
    let most = lines
        .iter()
        .flat_map(|(_, points, _)| points)
        .fold(0.0, |most, (_, much)| f64::max(most, *much));
    let most = if most > 0.0 { most * 1.1 } else { 1.0 };

    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    // the background is light on a dark page, too: the text is dark
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .x_label_area_size(28)
        .y_label_area_size(84)
        .build_cartesian_2d(-0.2..places.len() as f64 - 0.8, 0.0..most)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(places.len() * 5)
        .x_label_formatter(&|at| place(places, *at))
        .y_label_formatter(&|much| shown((*much * 1000.0) as u64))
        .y_desc(unit)
        .draw()?;
    for &(name, ref points, colour) in lines.iter().filter(|(_, points, _)| !points.is_empty()) {
        chart
            .draw_series(LineSeries::new(
                points.iter().copied(),
                colour.stroke_width(2),
            ))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
        let dot = |&at| Circle::new(at, 3, colour.filled());
        chart.draw_series(points.iter().map(dot))?;
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()?;
    root.present()?;
    Ok(())
}

/// The label of a point on the axis; empty between two points.
fn place(places: &[&At], at: f64) -> String {
    let is_whole = (at - at.round()).abs() < 0.01 && at > -0.01;
    let place = places.get(at.round().max(0.0) as usize);
    place
        .filter(|_| is_whole)
        .map_or_else(String::new, ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::super::tests::bench;
    use super::*;

    #[test]
    fn a_plot_has_both_curves_and_its_points() {
        let notes: &[&str] = &[
            "9000 prints a second @ 1 CPUs",
            "16000 prints a second @ 2 CPUs",
        ];
        let bench = bench(
            &[("a__<x>", notes), ("a__y", &["1 x"])],
            &[("a__<x>", notes)],
        );
        let plots = all(&bench).unwrap();
        assert_eq!(plots.len(), 1);
        let svg = &plots[0].svg;
        for part in [
            "<svg",
            "1 CPU",
            "2 CPUs",
            "v6.12",
            "mainline",
            "prints a second",
        ] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
        assert!(svg.matches("<circle").count() == 4, "{svg}");
    }

    #[test]
    fn only_points_of_the_axis_are_labelled() {
        let at = |count| At {
            count,
            of: "CPUs".to_owned(),
        };
        let (one, two) = (at(1), at(2));
        let places = [&one, &two];
        assert_eq!(place(&places, 1.0), "2 CPUs");
        for nowhere in [-1.0, 0.5, 2.0] {
            assert_eq!(place(&places, nowhere), "");
        }
    }
}
