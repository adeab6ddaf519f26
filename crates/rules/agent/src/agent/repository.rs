//! Plan, choose files, edit, test, iterate: for models that can read several files and a test's output.

use std::collections::BTreeMap;

use edgecoder_base::Patch;

use super::bench::Bench;
use super::{give_up, out_of_turn};
use crate::brief::{Brief, RepoView};
use crate::edit::{self, EditError, Edited, Sources};
use crate::event::{AgentEvent, Phase};
use crate::failure::{Failure, summarise};
use crate::observation::{Finish, Observation, TestReport};
use crate::profile::EditFormat;
use crate::prompt::fit::{Section, fit};
use crate::prompt::repository as words;
use crate::scope::is_test_path;
use crate::step::{GiveUpReason, Message, Role, Step};
use crate::syntax::clip;

/// Files read later because an answer edits them; more means that the model is guessing.
const MAX_LATE_READS: u32 = 3;
/// Completions at which the model is told how few are left.
const REMIND_AT: u32 = 2;

#[derive(Debug, Clone)]
pub(super) struct RepositoryCourse {
    request: String,
    format: EditFormat,
    waiting: Waiting,
    plan: String,
    /// The snapshot's texts with the last candidate's changes.
    current: BTreeMap<String, String>,
    failure: Option<Failure>,
    /// The answer that could not be used and why: the next prompt carries both, once.
    correction: Option<(String, String)>,
    /// Whether the answer in hand already came after a correction.
    corrected: bool,
    tries: u32,
    late_reads: u32,
}

#[derive(Debug, Clone)]
enum Waiting {
    Start,
    Baseline,
    Plan,
    Files { answer: Option<String> },
    Answer { corrected: bool },
    Report { patch: Patch, texts: BTreeMap<String, String> },
}

impl RepositoryCourse {
    pub(super) fn new(brief: &Brief) -> Self {
        Self {
            request: brief.request.clone(),
            format: brief.profile.edit_format,
            waiting: Waiting::Start,
            plan: String::new(),
            current: BTreeMap::new(),
            failure: None,
            correction: None,
            corrected: false,
            tries: 0,
            late_reads: 0,
        }
    }

    pub(super) fn next(&mut self, bench: &mut Bench, observation: Observation) -> Step {
        let waiting = std::mem::replace(&mut self.waiting, Waiting::Start);
        match (waiting, observation) {
            (Waiting::Start, Observation::Started(view)) => self.started(bench, view),
            (Waiting::Baseline, Observation::TestReport(report)) => self.after_baseline(bench, &report),
            (Waiting::Plan, Observation::Completion { text, .. }) => self.planned(bench, &text),
            (Waiting::Files { answer }, Observation::Files { files, .. }) => {
                for file in &files {
                    self.current.entry(file.path.clone()).or_insert_with(|| file.text.clone());
                }
                bench.keep(files);
                match answer {
                    Some(answer) => self.use_answer(bench, answer),
                    None => self.ask(bench),
                }
            }
            (Waiting::Answer { corrected }, Observation::Completion { text, finish, .. }) => {
                self.corrected = corrected;
                if finish == Finish::Length {
                    bench.events.push(AgentEvent::AnswerCut { max_tokens: bench.answer_tokens() });
                }
                self.use_answer(bench, text)
            }
            (Waiting::Report { patch, texts }, Observation::TestReport(report)) => {
                self.tested(bench, patch, texts, &report)
            }
            (Waiting::Start, other) => out_of_turn("a start", &other),
            (Waiting::Files { .. }, other) => out_of_turn("files", &other),
            (Waiting::Plan | Waiting::Answer { .. }, other) => out_of_turn("a completion", &other),
            (Waiting::Baseline | Waiting::Report { .. }, other) => out_of_turn("a test report", &other),
        }
    }

    fn started(&mut self, bench: &mut Bench, view: RepoView) -> Step {
        bench.start(view);
        if bench.brief.verifier.is_some() {
            bench.enter(Phase::Testing);
            self.waiting = Waiting::Baseline;
            return Step::Verify { patch: Patch::default() };
        }
        self.choose(bench)
    }

    fn after_baseline(&mut self, bench: &mut Bench, report: &TestReport) -> Step {
        bench.budget.executed(report);
        if !report.passed {
            self.failure = Some(summarise(report, None, bench.brief.profile.output_chars as usize));
        }
        self.choose(bench)
    }

    /// A small repository is read whole; in a large one the model chooses.
    fn choose(&mut self, bench: &mut Bench) -> Step {
        let sources: Vec<_> = bench.view.files.iter().filter(|file| is_source(&file.path)).collect();
        let room = u64::from(bench.room(&[words::edit(self.format)])) * 3 / 2;
        let small = sources.len() <= bench.brief.profile.max_files as usize
            && sources.iter().fold(0_u64, |sum, file| sum.saturating_add(file.size)) <= room;
        if small {
            let paths = sources.iter().map(|file| file.path.clone()).collect();
            return self.read(bench, paths);
        }
        self.ask_plan(bench)
    }

    fn ask_plan(&mut self, bench: &mut Bench) -> Step {
        if bench.budget.completions_left() == 0 {
            return bench.end("no completions left");
        }
        bench.enter(Phase::Planning);
        let mut sections = vec![words::request(&self.request)];
        sections
            .extend(self.failure.as_ref().map(|failure| words::failure(&failure.headline, &failure.excerpt)));
        sections.push(words::map(&bench.view.map));
        let Some(user) = fit(sections, bench.room(&[words::PLAN]), &mut bench.events) else {
            return give_up(GiveUpReason::WindowTooSmall, "the request does not fit the window");
        };
        self.waiting = Waiting::Plan;
        let messages = vec![Message::new(Role::System, words::PLAN), Message::new(Role::User, user)];
        bench.prompt(messages, None, 0, false)
    }

    fn planned(&mut self, bench: &mut Bench, answer: &str) -> Step {
        self.plan = plan_of(answer);
        bench.events.push(AgentEvent::Planned { plan: self.plan.clone() });
        let failing = self.failure.as_ref().map_or("", |failure| failure.excerpt.as_str());
        let mut paths = mentioned(&self.request, &bench.existing);
        paths.extend(mentioned(answer, &bench.existing));
        paths.extend(mentioned(failing, &bench.existing));
        self.read(bench, paths)
    }

    fn read(&mut self, bench: &mut Bench, paths: Vec<String>) -> Step {
        let mut seen = std::collections::BTreeSet::new();
        let paths: Vec<String> = paths
            .into_iter()
            .filter(|path| !bench.texts.contains_key(path) && seen.insert(path.clone()))
            .take(bench.brief.profile.max_files as usize)
            .collect();
        if paths.is_empty() {
            return self.ask(bench);
        }
        bench.enter(Phase::Reading);
        self.waiting = Waiting::Files { answer: None };
        Step::Read { paths }
    }

    /// The same question again, after the engine failed or the window turned out smaller.
    pub(super) fn ask_again(&mut self, bench: &mut Bench) -> Step {
        if bench.phase == Phase::Planning { self.ask_plan(bench) } else { self.ask(bench) }
    }

    fn ask(&mut self, bench: &mut Bench) -> Step {
        let left = bench.budget.completions_left();
        if left == 0 {
            return bench.end("no completions left");
        }
        bench.enter(if self.tries == 0 { Phase::Coding } else { Phase::Repairing });
        let mut sections = vec![words::request(&self.request), words::plan(&self.plan)];
        sections.extend(self.files_shown());
        sections
            .extend(self.failure.as_ref().map(|failure| words::failure(&failure.headline, &failure.excerpt)));
        if left <= REMIND_AT {
            bench.events.push(AgentEvent::BudgetReminder { completions_left: left });
            sections.push(words::reminder(left));
        }
        let system = words::edit(self.format);
        let correction = self
            .correction
            .take()
            .map(|(answer, error)| (clip(&answer, 1200), words::correction(&clip(&error, 800), self.format)));
        let (answer, error) = correction.clone().unwrap_or_default();
        let Some(user) = fit(sections, bench.room(&[system, &answer, &error]), &mut bench.events) else {
            return give_up(GiveUpReason::WindowTooSmall, "the request does not fit the window");
        };
        self.waiting = Waiting::Answer { corrected: correction.is_some() };
        let mut messages = vec![Message::new(Role::System, system), Message::new(Role::User, user)];
        if correction.is_some() {
            messages.push(Message::new(Role::Assistant, answer));
            messages.push(Message::new(Role::User, error));
        }
        bench.prompt(messages, None, self.tries, self.failure.is_some())
    }

    /// Sources before tests: tests are cut first, they are only read.
    fn files_shown(&self) -> Vec<Section> {
        let mut shown: Vec<(&String, &String)> = self.current.iter().collect();
        shown.sort_by_key(|(path, _)| is_test_path(path));
        let section = |(path, text): (&String, &String)| {
            let mut section = words::file(path, text);
            section.weight -= u8::from(is_test_path(path)) * 10;
            section
        };
        shown.into_iter().map(section).collect()
    }

    fn use_answer(&mut self, bench: &mut Bench, answer: String) -> Step {
        let edited = match self.apply(bench, &answer) {
            Ok(edited) => edited,
            Err(EditError::NotRead(path)) if self.late_reads < MAX_LATE_READS => {
                self.late_reads += 1;
                self.waiting = Waiting::Files { answer: Some(answer) };
                return Step::Read { paths: vec![path] };
            }
            Err(error) => return self.unusable(bench, answer, &error.to_string()),
        };
        bench.events.extend(edited.mended.iter().map(|what| AgentEvent::AnswerMended { what: what.clone() }));
        let mut texts = self.current.clone();
        texts.extend(edited.texts);
        let patch = bench.patch(&texts);
        if patch.is_empty() {
            return self.unusable(bench, answer, &EditError::Unchanged.to_string());
        }
        let reasons = bench.violations(&patch);
        if !reasons.is_empty() {
            let told = format!("the change is not allowed: {}", reasons.join("; "));
            bench.events.push(AgentEvent::ScopeViolated { reasons });
            return self.unusable(bench, answer, &told);
        }
        if let Some(headline) = bench.already_failed(&patch).map(str::to_owned) {
            bench.events.push(AgentEvent::CandidateRepeated);
            return self.unusable(
                bench,
                answer,
                &format!("this change was already tried and fails: {headline}"),
            );
        }
        bench.enter(Phase::Testing);
        self.waiting = Waiting::Report { patch: patch.clone(), texts };
        Step::Verify { patch }
    }

    fn apply(&self, bench: &Bench, answer: &str) -> Result<Edited, EditError> {
        let sources = Sources { texts: &self.current, existing: &bench.existing };
        match self.format {
            EditFormat::SearchReplace => edit::search_replace::apply(answer, &sources),
            EditFormat::WholeFile => edit::whole_file::apply(answer, &sources, self.only_source()),
            EditFormat::PutFunction => edit::put_function::apply(answer, &sources, self.only_source()),
        }
    }

    fn only_source(&self) -> Option<&str> {
        let mut sources = self.current.keys().filter(|path| !is_test_path(path));
        sources.next().filter(|_| sources.next().is_none()).map(String::as_str)
    }

    /// One visible retry that carries the error; the next question after that starts afresh.
    fn unusable(&mut self, bench: &mut Bench, answer: String, reason: &str) -> Step {
        let retried = !self.corrected;
        bench.events.push(AgentEvent::AnswerUnusable { reason: reason.to_owned(), retried });
        if retried {
            self.correction = Some((answer, reason.to_owned()));
        }
        self.tries += 1;
        self.ask(bench)
    }

    fn tested(
        &mut self,
        bench: &mut Bench,
        patch: Patch,
        texts: BTreeMap<String, String>,
        report: &TestReport,
    ) -> Step {
        match bench.judge(patch, report, None) {
            Ok(submission) => submission,
            Err(failure) => {
                self.current = texts;
                self.failure = Some(failure);
                self.tries += 1;
                self.ask(bench)
            }
        }
    }
}

/// Files worth reading whole: text by its ending.
fn is_source(path: &str) -> bool {
    const ENDINGS: [&str; 30] = [
        "py", "pyi", "js", "jsx", "mjs", "cjs", "ts", "tsx", "rs", "go", "java", "kt", "c", "h", "cc", "cpp",
        "hpp", "rb", "php", "cs", "swift", "scala", "sh", "sql", "html", "css", "vue", "svelte", "lua", "ex",
    ];
    path.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}

fn plan_of(answer: &str) -> String {
    let plan = answer.split_once("PLAN:").map_or(answer, |(_, plan)| plan);
    let plan: Vec<&str> = plan.lines().filter(|line| !line.trim_start().starts_with("READ:")).collect();
    clip(plan.join("\n").trim(), 600)
}

/// Paths of the repository that `text` mentions, in the order of their mention.
fn mentioned(text: &str, existing: &[String]) -> Vec<String> {
    text.split(|c: char| c.is_whitespace() || "`'\"()[]<>,;*|".contains(c))
        .map(|word| word.trim_start_matches("./").trim_end_matches(['.', ':', '!', '?']))
        .map(|word| word.split(':').next().unwrap_or(word))
        .filter(|word| existing.binary_search_by(|path| path.as_str().cmp(word)).is_ok())
        .map(str::to_owned)
        .collect()
}
