//! A report for people, as Markdown.

use std::fmt::Write as _;

use super::report::{Report, Solutions};

/// Problems listed with their failures; the rest is in the JSON.
const MAX_LISTED: usize = 60;

/// The report as a page.
pub fn page(report: &Report) -> String {
    let mut page = format!("# {}\n\n", title(report));
    if !report.complete {
        page.push_str("**Stopped before the end:** only the samples that were judged are counted.\n\n");
    }
    facts(&mut page, report);
    scores(&mut page, report);
    failures(&mut page, report);
    problems(&mut page, report);
    page
}

/// What was evaluated, in one line.
pub fn title(report: &Report) -> String {
    match report.solutions {
        Solutions::Model => format!("{} on {}", clean(&report.model), clean(&report.suite)),
        Solutions::Canonical => format!("Reference solutions of {}", clean(&report.suite)),
        Solutions::Mutants => format!("Broken reference solutions of {}", clean(&report.suite)),
    }
}

fn facts(page: &mut String, report: &Report) {
    let totals = &report.totals;
    let mut row = |name: &str, value: String| _ = writeln!(page, "| {name} | {value} |");
    row("", String::new());
    row("---", "---".to_owned());
    if report.solutions == Solutions::Model {
        row("model", format!("{} ({})", clean(&report.model), clean(&report.engine)));
        row(
            "samples",
            format!("{} at temperature {}, seed {}", report.samples, report.temperature, report.seed),
        );
        row("tokens", format!("{} read, {} written", totals.prompt_tokens, totals.output_tokens));
    }
    row("problems", format!("{}, solved {}", totals.problems, totals.solved));
    row("samples judged", format!("{}, passed {}", totals.samples, totals.passed));
    row("sandbox", report.level.clone().unwrap_or_else(|| "unknown".to_owned()));
    row("time", format!("{} s", seconds(report.wall_ms)));
    if report.solutions == Solutions::Model {
        row(
            "",
            format!(
                "model {} s, runs {} s, summed over what ran side by side",
                seconds(totals.model_ms),
                seconds(totals.run_ms)
            ),
        );
    }
    row("started", clean(&report.started_at));
    page.push('\n');
}

fn seconds(ms: u64) -> String {
    format!("{}.{}", ms / 1000, ms % 1000 / 100)
}

fn scores(page: &mut String, report: &Report) {
    let totals = &report.totals;
    if report.solutions != Solutions::Model || totals.pass_at.is_empty() {
        return;
    }
    page.push_str("| samples k | pass@k | solved by the first k |\n|---:|---:|---:|\n");
    for (k, estimate) in &totals.pass_at {
        let solved = totals.solved_at.get(k).copied().unwrap_or_default();
        _ = writeln!(page, "| {k} | {:.1} % | {solved} of {} |", estimate * 100.0, totals.problems);
    }
    page.push_str("\npass@k is the unbiased estimate of Chen et al. (2021), averaged over the problems.\n\n");
}

fn failures(page: &mut String, report: &Report) {
    if report.totals.failures.is_empty() {
        return;
    }
    let mut classes: Vec<_> = report.totals.failures.iter().collect();
    classes.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    page.push_str("| failure | samples |\n|---|---:|\n");
    for (class, samples) in classes {
        _ = writeln!(page, "| {} | {samples} |", class.words());
    }
    page.push('\n');
}

fn problems(page: &mut String, report: &Report) {
    let wrong = |passed: u32, samples: usize| match report.solutions {
        Solutions::Model | Solutions::Mutants => {
            samples > 0 && passed < u32::try_from(samples).unwrap_or(u32::MAX)
        }
        Solutions::Canonical => passed < u32::try_from(samples).unwrap_or(u32::MAX),
    };
    let listed: Vec<_> =
        report.problems.iter().filter(|problem| wrong(problem.passed(), problem.samples.len())).collect();
    if listed.is_empty() {
        return;
    }
    page.push_str("| problem | passed | first failure |\n|---|---:|---|\n");
    for problem in listed.iter().take(MAX_LISTED) {
        let first = problem.samples.iter().find(|sample| !sample.passed);
        let class = first.and_then(|sample| sample.class).map_or("", |class| class.words());
        let headline = first.and_then(|sample| sample.headline.as_deref()).unwrap_or_default();
        let cell =
            if headline.is_empty() { class.to_owned() } else { format!("{class}: {}", clean(headline)) };
        let id = clean(&problem.task_id);
        _ = writeln!(page, "| {id} | {} of {} | {cell} |", problem.passed(), problem.samples.len());
    }
    if listed.len() > MAX_LISTED {
        _ = writeln!(page, "\n{} more are in the JSON.", listed.len() - MAX_LISTED);
    }
}

/// Text of others, so that it stays within its cell.
fn clean(text: &str) -> String {
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    flat.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace('`', "\\`")
}
