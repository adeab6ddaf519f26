//! An evaluation under way: problems are put to engines, answers are run in the sandbox, several of both at
//! once, and every verdict goes into one report. Needs no coordinator.

mod answer;
mod repository;
mod trial;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use edgecoder_agent::Profile;
use edgecoder_agent::eval::report::{FORMAT, Totals};
use edgecoder_agent::eval::{
    FailureClass, Problem, ProblemReport, Report, SampleReport, Solutions, Suite, Task, canonical, mutants,
};
use edgecoder_base::{BlobHash, Blobs, Clock, Level, Timestamp};
use edgecoder_inference::{Capabilities, Engine};
use edgecoder_sandbox::Sandbox;
use edgecoder_workspace::Trees;
use futures::StreamExt;
use futures::stream;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::Error;

/// What is measured, and how.
#[derive(Debug, Clone)]
pub struct EvalConfig {
    /// Whose solutions are judged.
    pub solutions: Solutions,
    /// Samples of every problem; for reference solutions it is one, for mutants one of each kind.
    pub samples: u32,
    /// 0 is greedy.
    pub temperature: f32,
    /// What the samples' seeds are made from.
    pub seed: u64,
    /// Programs run at once.
    pub jobs: usize,
    /// Wall-clock and processor time of one program.
    pub time_limit: Duration,
    /// Memory of one program.
    pub memory_bytes: u64,
    /// Time of a repository's verifier.
    pub verify_limit: Duration,
    /// Whether the report keeps the answers.
    pub keep_answers: bool,
    /// The model whose profile applies; none: the engine's own.
    pub profile: Option<String>,
    /// Less confinement is an error and no verdict.
    pub min_level: Level,
}

/// One place that answers.
#[derive(Debug, Clone)]
pub struct Answerer {
    /// `local`, or the door's address.
    pub name: String,
    /// The engine.
    pub engine: Arc<dyn Engine>,
}

/// What an evaluation needs.
#[derive(Debug, Clone)]
pub struct EvalDeps {
    /// At least one where a model is judged; samples are spread over them.
    pub answerers: Vec<Answerer>,
    /// What runs programs.
    pub sandbox: Sandbox,
    /// An empty directory below which programs run.
    pub scratch: PathBuf,
    /// Where repositories of the suite lie.
    pub repositories: PathBuf,
    /// What lays repositories out.
    pub trees: Trees,
    /// Where their files are kept meanwhile.
    pub blobs: Arc<dyn Blobs>,
    /// The time.
    pub clock: Clock,
}

/// A sample that was judged, for a display.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// The problem.
    pub task_id: &'a str,
    /// What came of it.
    pub sample: &'a SampleReport,
    /// Samples judged so far.
    pub done: u32,
    /// All samples.
    pub all: u32,
}

/// An answering engine with its bounds.
#[derive(Debug)]
struct Source {
    name: String,
    engine: Arc<dyn Engine>,
    capabilities: Capabilities,
    slots: Semaphore,
}

/// An evaluation, ready to run.
#[derive(Debug)]
pub struct Evaluation {
    config: EvalConfig,
    deps: EvalDeps,
    suite: Suite,
    sources: Vec<Source>,
    profile: Profile,
    jobs: Semaphore,
    /// Weakest confinement of a run so far.
    level: Mutex<Option<Level>>,
    asked: AtomicU32,
}

/// One sample to be judged.
#[derive(Debug, Clone)]
struct Sample {
    problem: usize,
    index: u32,
    seed: u64,
    /// Code that is not asked of a model, and its name.
    given: Option<(Option<&'static str>, String)>,
}

impl Evaluation {
    /// Asks the engines what they are. Refuses solutions that the suite does not have.
    pub async fn build(config: EvalConfig, deps: EvalDeps, suite: Suite) -> Result<Self, Error> {
        let mut sources = Vec::new();
        if config.solutions == Solutions::Model {
            for answerer in &deps.answerers {
                let capabilities = answerer.engine.capabilities().await?;
                let slots = usize::try_from(capabilities.slots.max(1)).unwrap_or(1);
                sources.push(Source {
                    name: answerer.name.clone(),
                    engine: Arc::clone(&answerer.engine),
                    capabilities,
                    slots: Semaphore::new(slots),
                });
            }
            if sources.is_empty() {
                return Err(Error::Evaluation("there is no engine to ask"));
            }
        } else if !suite.problems.iter().any(|problem| canonical(&problem.task).is_some()) {
            return Err(Error::Evaluation("the suite has no reference solutions"));
        }
        let model = sources.first().map_or("", |source| source.capabilities.model.as_str());
        let profile = Profile::for_model(config.profile.as_deref().unwrap_or(model));
        let jobs = Semaphore::new(config.jobs.max(1));
        Ok(Self {
            config,
            deps,
            suite,
            sources,
            profile,
            jobs,
            level: Mutex::new(None),
            asked: AtomicU32::new(0),
        })
    }

    /// Runs to the end, or to what is there when `stop` is cancelled. `tell` hears of every sample.
    pub async fn run(&self, stop: &CancellationToken, mut tell: impl FnMut(Judged<'_>)) -> Report {
        let (began, samples) = ((self.deps.clock)(), self.samples());
        let all = u32::try_from(samples.len()).unwrap_or(u32::MAX);
        let mut problems: Vec<ProblemReport> = self
            .suite
            .problems
            .iter()
            .map(|problem| ProblemReport { task_id: problem.id.clone(), samples: Vec::new() })
            .collect();
        let slots = self.sources.iter().map(|source| source.slots.available_permits());
        let width = slots.fold(self.config.jobs.max(1), usize::saturating_add);
        let judging = samples.into_iter().map(|sample| async move {
            let judged = self.judge(&sample, stop).await;
            (sample.problem, judged)
        });
        let mut judging = stream::iter(judging).buffer_unordered(width);
        let mut done = 0;
        while let Some(Some((problem, judged))) = stop.run_until_cancelled(judging.next()).await {
            // what was interrupted says nothing
            let Some(sample) = judged else { continue };
            done += 1;
            tell(Judged { task_id: &self.suite.problems[problem].id, sample: &sample, done, all });
            problems[problem].samples.push(sample);
        }
        for problem in &mut problems {
            problem.samples.sort_by_key(|sample| sample.index);
        }
        self.report(problems, began, done == all)
    }

    fn samples(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        // Sample by sample over all problems, so that a stopped run has seen every problem.
        for index in 0..self.config.samples.max(1) {
            for (at, problem) in self.suite.problems.iter().enumerate() {
                let given: Vec<_> = match self.config.solutions {
                    Solutions::Model => vec![None],
                    Solutions::Canonical if index > 0 => Vec::new(),
                    Solutions::Mutants if index > 0 => Vec::new(),
                    Solutions::Canonical => {
                        canonical(&problem.task).map(|code| Some((None, code))).into_iter().collect()
                    }
                    Solutions::Mutants => mutants(&problem.task)
                        .into_iter()
                        .map(|(name, code)| Some((Some(name), code)))
                        .collect(),
                };
                for (variant, given) in (0_u32..).zip(given) {
                    let index = index.saturating_add(variant);
                    samples.push(Sample { problem: at, index, seed: self.seed(problem, index), given });
                }
            }
        }
        samples
    }

    /// The same for the same run, and another for every sample. 32 bits: some samplers take no more.
    fn seed(&self, problem: &Problem, index: u32) -> u64 {
        let hash = BlobHash::of(format!("{} {} {index}", self.config.seed, problem.id).as_bytes());
        let bytes = hash.as_bytes();
        u64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// Judges one sample; none if it was interrupted.
    async fn judge(&self, sample: &Sample, stop: &CancellationToken) -> Option<SampleReport> {
        let problem = &self.suite.problems[sample.problem];
        let mut report = SampleReport { index: sample.index, seed: sample.seed, ..SampleReport::default() };
        let verdict = match (&sample.given, &problem.task) {
            (Some((variant, code)), _) => {
                report.variant = variant.map(str::to_owned);
                self.try_out(problem, sample, code, &mut report, stop).await
            }
            (None, Task::Repository { .. }) => self.change(problem, sample, &mut report, stop).await,
            (None, Task::Complete { .. } | Task::Request { .. }) => {
                match self.answer(problem, sample, &mut report, stop).await {
                    Ok(code) => self.try_out(problem, sample, &code, &mut report, stop).await,
                    Err(failed) => Err(failed),
                }
            }
        };
        if stop.is_cancelled() {
            return None;
        }
        match verdict {
            Ok(()) => report.passed = true,
            Err(failed) => {
                report.class = Some(failed.class);
                report.headline = Some(failed.headline).filter(|line| !line.is_empty());
                if failed.class.is_ours() {
                    tracing::warn!(task = problem.id, reason = report.headline, "a sample was lost");
                }
            }
        }
        Some(report)
    }

    /// The next engine in turn.
    fn source(&self) -> &Source {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed) as usize;
        &self.sources[turn % self.sources.len()]
    }

    fn saw_level(&self, level: Level) {
        let mut weakest = self.level.lock();
        *weakest = Some(weakest.map_or(level, |known| known.min(level)));
    }

    fn report(&self, problems: Vec<ProblemReport>, began: Timestamp, complete: bool) -> Report {
        let first = self.sources.first().map(|source| &source.capabilities);
        let samples = match self.config.solutions {
            Solutions::Model => self.config.samples.max(1),
            Solutions::Canonical | Solutions::Mutants => 1,
        };
        let wall = (self.deps.clock)().since(began);
        Report {
            format: FORMAT,
            suite: self.suite.name.clone(),
            solutions: self.config.solutions,
            model: first.map(|known| known.model.clone()).unwrap_or_default(),
            model_hash: first.and_then(|known| known.model_hash).map(|hash| hash.to_string()),
            engine: first.map(|known| known.engine.clone()).unwrap_or_default(),
            profile: self.profile.name.clone(),
            samples,
            temperature: self.config.temperature,
            seed: self.config.seed,
            level: self.level.lock().map(|level| level.to_string()),
            nodes: self.sources.iter().map(|source| source.name.clone()).collect(),
            started_at: began.to_string(),
            wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
            complete,
            totals: Totals::of(&problems, samples),
            problems,
        }
    }
}

/// A sample that the machinery or the model lost.
fn failed(class: FailureClass, headline: impl Into<String>) -> edgecoder_agent::eval::Failed {
    edgecoder_agent::eval::Failed { class, headline: headline.into() }
}
