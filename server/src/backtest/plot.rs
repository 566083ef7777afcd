use std::fmt::Write as _;

use offpeak_core::{forecast::Share, model::Millis};

use super::{history::History, replay::Bounds};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 360.0;
const MARGIN: f64 = 48.0;

/// The most points of a line; more cannot be seen.
const POINTS: usize = 1_000;

/// A week of the fleet: what owners used, the bound above it, and what was lent up to the whole, as SVG.
pub(super) fn draw(history: &History, bounds: &Bounds) -> String {
    let end = history.rows.last().map_or(0, |row| row.step);
    let week = history.steps_in(Millis(7 * Millis::DAY.0));
    let begin = end.saturating_sub(week);
    let mut means = Vec::new();
    for (row, bounds) in history.rows.iter().zip(bounds) {
        if row.step < begin {
            continue;
        }
        // Nodes without a sample are left out of both.
        let mut sums = (0.0, 0.0, 0.0);
        for (load, bound) in row.loads.iter().zip(bounds) {
            let Some(load) = load else { continue };
            sums.0 += f64::from(load.get());
            sums.1 += f64::from(bound.unwrap_or(Share::FULL).get());
            sums.2 += 1.0;
        }
        if sums.2 > 0.0 {
            means.push((row.step - begin, sums.0 / sums.2, sums.1 / sums.2));
        }
    }
    let every = means.len().div_ceil(POINTS).max(1);
    let means: Vec<_> = means.into_iter().step_by(every).collect();
    picture(&means, week, history.steps_in(Millis::DAY))
}

/// Draws means of load and bound in thousandths, by steps since the beginning.
fn picture(means: &[(u64, f64, f64)], week: u64, day: u64) -> String {
    let x = |step: u64| MARGIN + (WIDTH - 2.0 * MARGIN) * ratio(step, week);
    let y = |permille: f64| HEIGHT - MARGIN - (HEIGHT - 2.0 * MARGIN) * permille / 1_000.0;
    let line = |value: &dyn Fn(&(u64, f64, f64)) -> f64| {
        let mut points = String::new();
        for mean in means {
            let _ = write!(points, "{:.1},{:.1} ", x(mean.0), y(value(mean)));
        }
        points
    };
    let (load, bound) = (line(&|mean| mean.1), line(&|mean| mean.2));
    let (left, right) =
        (x(means.first().map_or(0, |mean| mean.0)), x(means.last().map_or(0, |mean| mean.0)));
    let (top, bottom) = (y(1_000.0), y(0.0));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
         <polygon fill=\"#cde8d4\" points=\"{left:.1},{top:.1} {bound}{right:.1},{top:.1}\"/>\n\
         <polygon fill=\"#c9d6ea\" points=\"{left:.1},{bottom:.1} {load}{right:.1},{bottom:.1}\"/>\n\
         <polyline fill=\"none\" stroke=\"#2b7a3d\" points=\"{bound}\"/>\n\
         <polyline fill=\"none\" stroke=\"#2b4f8a\" points=\"{load}\"/>\n"
    );
    for percent in [0_u32, 25, 50, 75, 100] {
        let at = y(f64::from(percent) * 10.0);
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{percent} %</text>",
            MARGIN - 6.0,
            at + 4.0
        );
    }
    for number in 0..=7 {
        let at = x(number * day);
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{top:.1}\" y2=\"{bottom:.1}\" stroke=\"#ddd\"/>"
        );
        if number < 7 {
            let middle = x(number * day + day / 2);
            let _ = writeln!(
                svg,
                "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">day {}</text>",
                bottom + 18.0,
                number + 1
            );
        }
    }
    let _ = writeln!(
        svg,
        "<text x=\"{MARGIN}\" y=\"20\"><tspan fill=\"#2b4f8a\">owners' load</tspan>, <tspan fill=\"#2b7a3d\">its bound and what is lent above it</tspan>, mean of all nodes</text>\n</svg>"
    );
    svg
}

#[allow(clippy::cast_precision_loss, reason = "steps of a week")]
fn ratio(step: u64, week: u64) -> f64 {
    step as f64 / week.max(1) as f64
}
