//! pass@k against the number of samples, as an SVG that needs nothing else.

use std::fmt::Write as _;

use super::report::Report;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 52.0;
/// Readable on light and dark pages, told apart by people who see colours differently.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// One curve for each report. Reports without a score are left out.
pub fn svg(title: &str, reports: &[(String, &Report)]) -> String {
    let drawn: Vec<&(String, &Report)> =
        reports.iter().filter(|(_, report)| !report.totals.pass_at.is_empty()).collect();
    let most =
        drawn.iter().flat_map(|(_, report)| report.totals.pass_at.keys()).copied().max().unwrap_or(1).max(2);
    let x = |k: u32| LEFT + f64::from(k).log2() / f64::from(most).log2() * (WIDTH - LEFT - RIGHT);
    let y = |share: f64| TOP + (1.0 - share) * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\" fill=\"#777\">\n<title>{0}</title>\n<text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{0}</text>\n",
        escaped(title)
    );
    for tenth in (0..=10_u32).step_by(2) {
        let at = y(f64::from(tenth) / 10.0);
        _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {at:.1}H{:.1}\" stroke=\"#999\" stroke-opacity=\".35\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{} %</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0,
            tenth * 10
        );
    }
    for k in super::estimate::steps(most) {
        _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{k}</text>",
            x(k),
            HEIGHT - BOTTOM + 20.0
        );
    }
    _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">samples k (pass@k)</text>",
        (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 10.0
    );
    for (index, (name, report)) in drawn.iter().enumerate() {
        curve(&mut svg, COLOURS[index % COLOURS.len()], name, report, &x, &y);
    }
    svg.push_str("</svg>\n");
    svg
}

fn curve(
    svg: &mut String,
    colour: &str,
    name: &str,
    report: &Report,
    x: &dyn Fn(u32) -> f64,
    y: &dyn Fn(f64) -> f64,
) {
    let points: Vec<(f64, f64, u32, f64)> =
        report.totals.pass_at.iter().map(|(k, share)| (x(*k), y(*share), *k, *share)).collect();
    let line: Vec<String> = points.iter().map(|(x, y, ..)| format!("{x:.1},{y:.1}")).collect();
    _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\"/>",
        line.join(" ")
    );
    for (x, y, k, share) in &points {
        _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"><title>pass@{k}: {:.1} %</title></circle>",
            share * 100.0
        );
    }
    if let Some((x, y, _, share)) = points.last() {
        let name = escaped(name);
        _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{:.1} % {name}</text>",
            x + 10.0,
            y + 4.0,
            share * 100.0
        );
    }
}

fn escaped(text: &str) -> String {
    let kept: String = text.chars().filter(|c| !c.is_control()).collect();
    kept.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
