//! The report of an evaluation: what was run, every sample, and what follows from them. Its JSON is a contract
//! with scripts: fields are added, never renamed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::classify::FailureClass;
use super::estimate::{pass_at, steps};

/// The version of the JSON.
pub const FORMAT: u32 = 1;

/// Whose solutions are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Solutions {
    /// The model's.
    #[default]
    Model,
    /// The suite's own: all must pass, or the harness is wrong.
    Canonical,
    /// The suite's own with broken bodies: all must fail, or the harness judges nothing.
    Mutants,
}

/// A whole evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// The suite's name.
    pub suite: String,
    /// Whose solutions.
    pub solutions: Solutions,
    /// The model as its engine names it; empty without one.
    pub model: String,
    /// BLAKE3 of its file, where known.
    #[serde(default)]
    pub model_hash: Option<String>,
    /// The engine and its version; empty without one.
    pub engine: String,
    /// The profile that chose the words.
    pub profile: String,
    /// Samples asked for of every problem.
    pub samples: u32,
    /// 0 is greedy.
    pub temperature: f32,
    /// What the samples' seeds were made from.
    pub seed: u64,
    /// Confinement of the runs, `S0` to `S4`.
    pub level: Option<String>,
    /// Where answers came from: `local` or the nodes' doors.
    pub nodes: Vec<String>,
    /// RFC 3339.
    pub started_at: String,
    /// From the first question to the last verdict.
    pub wall_ms: u64,
    /// False when it was stopped; problems without all samples then count with those they have.
    pub complete: bool,
    /// Everything together; computed from `problems`.
    pub totals: Totals,
    /// In the suite's order.
    pub problems: Vec<ProblemReport>,
}

/// Sums and estimates over all problems with at least one sample.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Problems with a judged sample.
    pub problems: u32,
    /// Problems that at least one sample solved.
    pub solved: u32,
    /// Samples judged.
    pub samples: u32,
    /// Samples passed.
    pub passed: u32,
    /// pass@k by k: the mean of the unbiased estimates, over problems with at least k samples.
    pub pass_at: BTreeMap<u32, f64>,
    /// Problems that the first k samples solved, by k.
    pub solved_at: BTreeMap<u32, u32>,
    /// Failed samples by class.
    pub failures: BTreeMap<FailureClass, u32>,
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Milliseconds of the models, all slots together.
    pub model_ms: u64,
    /// Milliseconds of the runs, all together.
    pub run_ms: u64,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProblemReport {
    /// Its id.
    pub task_id: String,
    /// In the order of their number.
    pub samples: Vec<SampleReport>,
}

/// One sample.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SampleReport {
    /// From 0.
    pub index: u32,
    /// Seed of the sampler.
    pub seed: u64,
    /// Whether it passed.
    pub passed: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<FailureClass>,
    /// The first failure in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headline: Option<String>,
    /// Which mutant, for `mutants`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The answer as the model gave it, its prefill included; only where asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// The node that answered; absent for the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Tokens read.
    pub prompt_tokens: u32,
    /// Tokens written.
    pub output_tokens: u32,
    /// Milliseconds of the model.
    pub model_ms: u64,
    /// Milliseconds of the run.
    pub run_ms: u64,
}

impl ProblemReport {
    /// Samples passed.
    pub fn passed(&self) -> u32 {
        count(self.samples.iter().filter(|sample| sample.passed).count())
    }

    /// Samples that say something about the model: not those that the machinery lost.
    pub fn judged(&self) -> u32 {
        count(self.samples.iter().filter(|sample| !sample.class.is_some_and(FailureClass::is_ours)).count())
    }

    /// Whether one of the first `k` samples passed.
    pub fn solved_by(&self, k: u32) -> bool {
        self.samples.iter().any(|sample| sample.passed && sample.index < k)
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Totals {
    /// From the problems; `samples` is how many were asked for of each.
    pub fn of(problems: &[ProblemReport], samples: u32) -> Self {
        let mut totals = Self::default();
        let judged: Vec<&ProblemReport> = problems.iter().filter(|problem| problem.judged() > 0).collect();
        totals.problems = count(judged.len());
        totals.solved = count(judged.iter().filter(|problem| problem.passed() > 0).count());
        for sample in problems.iter().flat_map(|problem| &problem.samples) {
            if let Some(class) = sample.class {
                let known = totals.failures.entry(class).or_default();
                *known = known.saturating_add(1);
            }
            totals.prompt_tokens = totals.prompt_tokens.saturating_add(sample.prompt_tokens.into());
            totals.output_tokens = totals.output_tokens.saturating_add(sample.output_tokens.into());
            totals.model_ms = totals.model_ms.saturating_add(sample.model_ms);
            totals.run_ms = totals.run_ms.saturating_add(sample.run_ms);
        }
        for problem in &judged {
            totals.samples = totals.samples.saturating_add(problem.judged());
            totals.passed = totals.passed.saturating_add(problem.passed());
        }
        for k in steps(samples) {
            let estimates =
                judged.iter().filter_map(|problem| pass_at(k, problem.judged(), problem.passed()));
            let (sum, n) = estimates.fold((0.0, 0_u32), |(sum, n), estimate| (sum + estimate, n + 1));
            if n > 0 {
                totals.pass_at.insert(k, sum / f64::from(n));
            }
            totals.solved_at.insert(k, count(judged.iter().filter(|problem| problem.solved_by(k)).count()));
        }
        totals
    }
}

impl Report {
    /// The report of a run that judged nothing.
    pub fn empty() -> Self {
        Self {
            format: FORMAT,
            suite: String::new(),
            solutions: Solutions::Model,
            model: String::new(),
            model_hash: None,
            engine: String::new(),
            profile: String::new(),
            samples: 0,
            temperature: 0.0,
            seed: 0,
            level: None,
            nodes: Vec::new(),
            started_at: String::new(),
            wall_ms: 0,
            complete: false,
            totals: Totals::default(),
            problems: Vec::new(),
        }
    }

    /// Whether the outcome is what these solutions must show: all canonical ones pass, no mutant does. A model may
    /// score as it does.
    pub fn is_as_it_must_be(&self) -> bool {
        let judged = self.totals.samples > 0;
        match self.solutions {
            Solutions::Model => true,
            Solutions::Canonical => {
                judged
                    && self.problems.iter().all(|problem| problem.samples.iter().all(|sample| sample.passed))
            }
            Solutions::Mutants => {
                judged
                    && self
                        .problems
                        .iter()
                        .flat_map(|problem| &problem.samples)
                        .all(|sample| !sample.passed && !sample.class.is_some_and(FailureClass::is_ours))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(id: &str, passed: &[bool]) -> ProblemReport {
        let sample = |(index, passed): (usize, &bool)| SampleReport {
            index: count(index),
            passed: *passed,
            class: (!passed).then_some(FailureClass::WrongAnswer),
            output_tokens: 10,
            ..SampleReport::default()
        };
        ProblemReport { task_id: id.into(), samples: passed.iter().enumerate().map(sample).collect() }
    }

    #[test]
    fn totals_follow_from_the_samples() {
        let problems =
            [problem("a", &[false, true, false, false]), problem("b", &[true; 4]), problem("c", &[false; 4])];
        let totals = Totals::of(&problems, 4);
        assert_eq!((totals.problems, totals.solved, totals.samples, totals.passed), (3, 2, 12, 5));
        assert_eq!(totals.solved_at, BTreeMap::from([(1, 1), (2, 2), (4, 2)]));
        assert_eq!(totals.failures, BTreeMap::from([(FailureClass::WrongAnswer, 7)]));
        assert_eq!(totals.output_tokens, 120);
        let near = |k: u32, expected: f64| assert!((totals.pass_at[&k] - expected).abs() < 1e-12, "{k}");
        near(1, (0.25 + 1.0) / 3.0);
        near(2, (0.5 + 1.0) / 3.0);
        near(4, 2.0 / 3.0);
    }

    #[test]
    fn what_the_machinery_lost_counts_neither_way() {
        let mut lost = problem("a", &[true, false]);
        lost.samples[1].class = Some(FailureClass::Engine);
        let totals = Totals::of(&[lost], 2);
        assert_eq!((totals.samples, totals.passed), (1, 1));
        assert_eq!(totals.pass_at, BTreeMap::from([(1, 1.0)]));
    }
}
