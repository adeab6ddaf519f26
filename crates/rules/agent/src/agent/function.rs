//! One function from one sentence: fresh samples, now and then a repair, each judged by the verifier. For
//! models that write a function well and cannot follow a repository.

use std::collections::BTreeMap;

use edgecoder_base::Patch;

use super::bench::Bench;
use super::{give_up, out_of_turn};
use crate::brief::{Brief, RepoView};
use crate::budget::estimate;
use crate::edit::put_function::{Placed, Wanted, put_function};
use crate::event::{AgentEvent, Phase};
use crate::observation::{Finish, Observation, TestReport};
use crate::prompt::function as words;
use crate::scope::is_test_path;
use crate::step::{GiveUpReason, Message, Role, Step};
use crate::syntax::clip;
use crate::target::{self, Intent, Request, Target};

/// Files larger than this are not read in search of a function; bytes.
const MAX_SEARCHED_BYTES: u64 = 64 * 1024;

#[derive(Debug, Clone)]
pub(super) struct FunctionCourse {
    request: Request,
    target: Option<Target>,
    waiting: Waiting,
    tries: u32,
    /// Whether the target's own file was asked for after the first reading.
    read_late: bool,
    hint: String,
    /// Code that failed and what its test said: what a repair starts from.
    failed: Option<(String, String)>,
}

#[derive(Debug, Clone)]
enum Waiting {
    Start,
    Files,
    TargetFile,
    Baseline,
    Completion { prefill: String },
    Report { patch: Patch, code: String },
}

impl FunctionCourse {
    pub(super) fn new(brief: &Brief) -> Self {
        Self {
            request: Request::parse(&brief.request),
            target: None,
            waiting: Waiting::Start,
            tries: 0,
            read_late: false,
            hint: String::new(),
            failed: None,
        }
    }

    pub(super) fn next(&mut self, bench: &mut Bench, observation: Observation) -> Step {
        let waiting = std::mem::replace(&mut self.waiting, Waiting::Start);
        match (waiting, observation) {
            (Waiting::Start, Observation::Started(view)) => self.started(bench, view),
            (Waiting::Files, Observation::Files { files, .. }) => {
                bench.keep(files);
                self.look_or_aim(bench)
            }
            (Waiting::TargetFile, Observation::Files { files, .. }) => {
                bench.keep(files);
                let target = target::resolve(&self.request, &bench.texts, &bench.existing, &self.hint);
                self.aim(bench, target)
            }
            (Waiting::Baseline, Observation::TestReport(report)) => self.after_baseline(bench, &report),
            (Waiting::Completion { prefill }, Observation::Completion { text, finish, .. }) => {
                self.answered(bench, &(prefill + &text), finish)
            }
            (Waiting::Report { patch, code }, Observation::TestReport(report)) => {
                self.tested(bench, patch, code, &report)
            }
            (Waiting::Start, other) => out_of_turn("a start", &other),
            (Waiting::Files | Waiting::TargetFile, other) => out_of_turn("files", &other),
            (Waiting::Completion { .. }, other) => out_of_turn("a completion", &other),
            (Waiting::Baseline | Waiting::Report { .. }, other) => out_of_turn("a test report", &other),
        }
    }

    fn started(&mut self, bench: &mut Bench, view: RepoView) -> Step {
        bench.start(view);
        let paths = self.files_to_read(bench);
        if paths.is_empty() {
            return self.look_or_aim(bench);
        }
        self.waiting = Waiting::Files;
        Step::Read { paths }
    }

    /// The named file, files that define the name, and the tests first; then other small Python files.
    fn files_to_read(&self, bench: &Bench) -> Vec<String> {
        let stem = |path: &str| path.rsplit('/').next().unwrap_or(path).trim_end_matches(".py").to_owned();
        let wanted_stem = self.request.path.as_deref().map(stem).unwrap_or_default();
        let rank = |path: &str, names: &[String]| {
            let named =
                self.request.path.as_deref().is_some_and(|p| p == path || path.ends_with(&format!("/{p}")));
            let defines = self.request.function.as_ref().is_some_and(|name| names.contains(name));
            let test = is_test_path(path);
            let its_test = test && !wanted_stem.is_empty() && path.contains(&wanted_stem);
            match (named, defines && !test, its_test, test) {
                (true, ..) => 0,
                (_, true, ..) => 1,
                (_, _, true, _) => 2,
                (_, _, _, true) => 3,
                _ => 4,
            }
        };
        let mut files: Vec<(usize, &str)> = bench
            .view
            .files
            .iter()
            .filter(|file| file.path.ends_with(".py") && file.size <= MAX_SEARCHED_BYTES)
            .map(|file| {
                let names: Vec<String> = file.symbols.iter().map(|symbol| symbol.name.clone()).collect();
                (rank(&file.path, &names), file.path.as_str())
            })
            .collect();
        files.sort();
        // Tests tell what is wanted, sources where it goes: neither may crowd out the other.
        let half = (bench.brief.profile.max_files as usize / 2).max(1);
        let (tests, sources): (Vec<_>, Vec<_>) = files.into_iter().partition(|(_, path)| is_test_path(path));
        let both = sources.into_iter().take(half).chain(tests.into_iter().take(half));
        both.map(|(_, path)| path.to_owned()).collect()
    }

    /// A fix needs to know what fails; so does a request that names nothing.
    fn look_or_aim(&mut self, bench: &mut Bench) -> Step {
        let target = target::resolve(&self.request, &bench.texts, &bench.existing, "");
        let unclear = target.as_ref().is_none_or(|target| target.function.is_none());
        if bench.brief.verifier.is_some() && (self.request.intent == Intent::Fix || unclear) {
            bench.enter(Phase::Testing);
            self.waiting = Waiting::Baseline;
            return Step::Verify { patch: Patch::default() };
        }
        self.aim(bench, target)
    }

    fn after_baseline(&mut self, bench: &mut Bench, report: &TestReport) -> Step {
        bench.budget.executed(report);
        self.hint = format!("{}\n{}", report.stdout_tail, report.stderr_tail);
        let target = target::resolve(&self.request, &bench.texts, &bench.existing, &self.hint);
        if let Some(Target { existing: Some(code), function, .. }) = &target
            && !report.passed
        {
            let failure = crate::failure::summarise(report, function.as_deref(), 0);
            self.failed = Some((code.clone(), failure.headline));
        }
        self.aim(bench, target)
    }

    fn aim(&mut self, bench: &mut Bench, target: Option<Target>) -> Step {
        let Some(target) = target else {
            return give_up(
                GiveUpReason::NoTarget,
                "the request names no function and the repository has several files",
            );
        };
        if !target.path.ends_with(".py") {
            return give_up(
                GiveUpReason::UnsupportedLanguage,
                &format!("{} is not a Python file", target.path),
            );
        }
        if bench.existing.binary_search(&target.path).is_ok() && !bench.texts.contains_key(&target.path) {
            if self.read_late {
                return give_up(GiveUpReason::NoTarget, &format!("{} could not be read", target.path));
            }
            self.read_late = true;
            self.waiting = Waiting::TargetFile;
            return Step::Read { paths: vec![target.path] };
        }
        let probe = BTreeMap::from([(target.path.clone(), "\u{0}".to_owned())]);
        let reasons = bench.violations(&bench.patch(&probe));
        if !reasons.is_empty() {
            bench.events.push(AgentEvent::ScopeViolated { reasons: reasons.clone() });
            return give_up(GiveUpReason::OutOfScope, &reasons.join("; "));
        }
        bench.events.push(AgentEvent::TargetChosen {
            path: target.path.clone(),
            function: target.function.clone(),
            because: target.because.to_owned(),
        });
        self.target = Some(target);
        self.ask(bench)
    }

    /// The same try again, after the engine failed or the window turned out smaller.
    pub(super) fn ask_again(&mut self, bench: &mut Bench) -> Step {
        self.ask(bench)
    }

    fn ask(&mut self, bench: &mut Bench) -> Step {
        if bench.budget.completions_left() == 0 {
            return bench.end("no completions left");
        }
        let Some(target) = self.target.clone() else {
            return give_up(GiveUpReason::NoTarget, "nothing to write");
        };
        let profile = &bench.brief.profile;
        let prefill = if profile.prefill_signature { words::prefill(&target) } else { None };
        let systems = profile.systems.clone();
        let request = self.request_words(bench, &target);
        if let Some(text) = self.repair_words(bench, &request, &systems.repair) {
            bench.enter(Phase::Repairing);
            return self.complete(bench, systems.repair, text, prefill, true);
        }
        let room = bench.room(&[&systems.code, prefill.as_deref().unwrap_or_default()]);
        if room < 16 {
            return give_up(GiveUpReason::WindowTooSmall, "no room for a request beside the answer");
        }
        let text = cut_to(bench, request, room);
        bench.enter(Phase::Coding);
        self.complete(bench, systems.code, text, prefill, false)
    }

    /// Every second sentence carries an example from the tests: one more way in which samples differ.
    fn request_words(&self, bench: &Bench, target: &Target) -> String {
        let turn = self.tries.wrapping_add(bench.brief.sample);
        let examples = target.function.as_ref().map(|name| target::tests::examples(name, &bench.texts));
        let examples = examples.unwrap_or_default();
        let shown =
            (turn % 2 == 1 && !examples.is_empty()).then(|| &examples[(turn / 2) as usize % examples.len()]);
        words::code(&self.request, target, shown)
    }

    /// The repair prompt, when it is a repair's turn, there is something to repair and it fits.
    fn repair_words(&self, bench: &Bench, request: &str, system: &str) -> Option<String> {
        let (code, headline) = self.failed.as_ref()?;
        let every = bench.brief.profile.repair_every;
        let turn = every > 0 && (self.tries % every == every - 1 || self.tries == 0);
        let text = words::repair(request, code, headline);
        let prefill = self.target.as_ref().and_then(words::prefill).unwrap_or_default();
        (turn && estimate(&text) <= bench.room(&[system, &prefill])).then_some(text)
    }

    fn complete(
        &mut self,
        bench: &Bench,
        system: String,
        user: String,
        prefill: Option<String>,
        repair: bool,
    ) -> Step {
        self.waiting = Waiting::Completion { prefill: prefill.clone().unwrap_or_default() };
        let messages = vec![Message::new(Role::System, system), Message::new(Role::User, user)];
        bench.prompt(messages, prefill, self.tries, repair)
    }

    fn answered(&mut self, bench: &mut Bench, answer: &str, finish: Finish) -> Step {
        if finish == Finish::Length {
            bench.events.push(AgentEvent::AnswerCut { max_tokens: bench.answer_tokens() });
        }
        match self.candidate(bench, answer) {
            Ok((patch, code)) => {
                if bench.already_failed(&patch).is_some() {
                    bench.events.push(AgentEvent::CandidateRepeated);
                    self.tries += 1;
                    return self.ask(bench);
                }
                bench.enter(Phase::Testing);
                self.waiting = Waiting::Report { patch: patch.clone(), code };
                Step::Verify { patch }
            }
            Err(reason) => {
                // This model cannot use an explanation; another sample is the retry.
                bench.events.push(AgentEvent::AnswerUnusable { reason, retried: false });
                self.tries += 1;
                self.ask(bench)
            }
        }
    }

    fn candidate(&self, bench: &mut Bench, answer: &str) -> Result<(Patch, String), String> {
        let target = self.target.as_ref().ok_or("nothing was asked for")?;
        let wanted = Wanted { name: target.function.as_deref(), class: target.class.as_deref() };
        let file = bench.texts.get(&target.path).map(String::as_str);
        let Placed { text, code, mended } =
            put_function(file, answer, wanted).map_err(|error| error.to_string())?;
        bench.events.extend(mended.into_iter().map(|what| AgentEvent::AnswerMended { what }));
        Ok((bench.patch(&BTreeMap::from([(target.path.clone(), text)])), code))
    }

    fn tested(&mut self, bench: &mut Bench, patch: Patch, code: String, report: &TestReport) -> Step {
        let function = self.target.as_ref().and_then(|target| target.function.clone());
        match bench.judge(patch, report, function.as_deref()) {
            Ok(submission) => submission,
            Err(failure) => {
                self.failed = Some((code, failure.headline));
                self.tries += 1;
                self.ask(bench)
            }
        }
    }
}

/// `text` within `room` tokens, visibly.
fn cut_to(bench: &mut Bench, text: String, room: u32) -> String {
    if estimate(&text) <= room {
        return text;
    }
    let from = text.chars().count();
    let mut keep = from.min(room as usize * 3);
    let mut cut = clip(&text, keep);
    while estimate(&cut) > room && keep > 1 {
        keep = keep * 9 / 10;
        cut = clip(&text, keep);
    }
    let chars = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    bench.events.push(AgentEvent::Truncated {
        what: "the request".to_owned(),
        from_chars: chars(from),
        to_chars: chars(cut.chars().count()),
    });
    cut
}
