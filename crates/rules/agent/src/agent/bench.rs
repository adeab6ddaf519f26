//! What an attempt has in hand: the repository's view, texts that were read, the budget, candidates.

use std::collections::BTreeMap;

use edgecoder_base::Patch;

use super::give_up;
use crate::brief::{Brief, RepoView};
use crate::budget::{Budget, TOKENS_PER_MESSAGE, estimate};
use crate::edit;
use crate::event::{AgentEvent, Phase};
use crate::failure::{Failure, summarise};
use crate::observation::{FileText, TestReport};
use crate::scope::check_with_verifier;
use crate::step::{GiveUpReason, Message, Prompt, Standing, Step};
use crate::test_report::{Counts, counts};

/// Fewest tokens in which a change can be said at all.
const MIN_ANSWER_TOKENS: u32 = 16;

/// Shared by both courses.
#[derive(Debug, Clone)]
pub(super) struct Bench {
    pub(super) brief: Brief,
    pub(super) view: RepoView,
    /// Paths of the view, sorted.
    pub(super) existing: Vec<String>,
    /// Texts of the snapshot that were read.
    pub(super) texts: BTreeMap<String, String>,
    pub(super) events: Vec<AgentEvent>,
    pub(super) budget: Budget,
    pub(super) phase: Phase,
    tested: Vec<Tested>,
}

/// A candidate that did not pass.
#[derive(Debug, Clone)]
struct Tested {
    patch: Patch,
    counts: Option<Counts>,
    headline: String,
}

impl Bench {
    pub(super) fn new(brief: Brief) -> Self {
        let window = brief.context_tokens.min(brief.profile.context_tokens);
        let budget = Budget::new(brief.limits, brief.profile.max_completions, window);
        Self {
            brief,
            view: RepoView::default(),
            existing: Vec::new(),
            texts: BTreeMap::new(),
            events: Vec::new(),
            budget,
            phase: Phase::Reading,
            tested: Vec::new(),
        }
    }

    pub(super) fn start(&mut self, view: RepoView) {
        self.existing = view.files.iter().map(|file| file.path.clone()).collect();
        self.existing.sort();
        self.view = view;
    }

    pub(super) fn keep(&mut self, files: Vec<FileText>) {
        self.texts.extend(files.into_iter().map(|file| (file.path, file.text)));
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        if self.phase != phase {
            self.phase = phase;
            self.events.push(AgentEvent::PhaseChanged { phase });
        }
    }

    /// Seed of try number `number`: the same attempt gives the same seeds, no two tries share one.
    pub(super) fn seed(&self, number: u32) -> u64 {
        let salt = (u64::from(self.brief.sample) << 32) | u64::from(number);
        mix(self.brief.seed ^ mix(salt.wrapping_add(0x9e37_79b9_7f4a_7c15)))
    }

    /// Greedy once, for the first try of the first attempt; everything else must differ from it.
    pub(super) fn temperature(&self, number: u32, repairing: bool) -> f32 {
        let temperatures = self.brief.profile.temperatures;
        match (number, self.brief.sample) {
            (0, 0) => temperatures.first,
            _ if repairing && number > 0 => temperatures.repair,
            _ => temperatures.later,
        }
    }

    pub(super) fn answer_tokens(&self) -> u32 {
        self.budget.answer_tokens(self.brief.profile.max_output_tokens)
    }

    /// Tokens for user text beside the system text and `other` texts.
    pub(super) fn room(&self, others: &[&str]) -> u32 {
        let mut room = self.budget.prompt_tokens(self.answer_tokens());
        for other in others {
            room = room.saturating_sub(estimate(other)).saturating_sub(TOKENS_PER_MESSAGE);
        }
        room.saturating_sub(2 * TOKENS_PER_MESSAGE)
    }

    pub(super) fn prompt(
        &self,
        messages: Vec<Message>,
        prefill: Option<String>,
        number: u32,
        repairing: bool,
    ) -> Step {
        let max_tokens = self.answer_tokens();
        let texts = messages.iter().map(|message| message.content.as_str()).chain(prefill.as_deref());
        let used = texts.fold(0_u32, |sum, text| sum.saturating_add(estimate(text) + TOKENS_PER_MESSAGE));
        if max_tokens < MIN_ANSWER_TOKENS || used.saturating_add(max_tokens) > self.budget.window() {
            let detail = format!(
                "a prompt of about {used} tokens and an answer of {max_tokens} in a window of {}",
                self.budget.window()
            );
            return give_up(GiveUpReason::WindowTooSmall, &detail);
        }
        Step::Complete(Prompt {
            messages,
            prefill,
            temperature: self.temperature(number, repairing),
            seed: self.seed(number),
            max_tokens,
            stop: self.brief.profile.stop.clone(),
        })
    }

    /// What of the scope contract `patch` breaks, as reasons.
    pub(super) fn violations(&self, patch: &Patch) -> Vec<String> {
        match check_with_verifier(patch, &self.brief.scope, self.brief.verifier.as_ref()) {
            Ok(()) => Vec::new(),
            Err(violations) => violations.iter().map(ToString::to_string).collect(),
        }
    }

    pub(super) fn patch(&self, texts: &BTreeMap<String, String>) -> Patch {
        edit::patch(&self.texts, texts)
    }

    pub(super) fn already_failed(&self, patch: &Patch) -> Option<&str> {
        self.tested.iter().find(|tested| tested.patch == *patch).map(|tested| tested.headline.as_str())
    }

    /// Judges a report on `patch`: the submission if it passes, the failure if not.
    pub(super) fn judge(
        &mut self,
        patch: Patch,
        report: &TestReport,
        function: Option<&str>,
    ) -> Result<Step, Failure> {
        self.budget.executed(report);
        let counts = counts(&format!("{}\n{}", report.stdout_tail, report.stderr_tail));
        let failure = summarise(report, function, self.brief.profile.output_chars as usize);
        self.events.push(AgentEvent::CandidateTested {
            number: u32::try_from(self.tested.len() + 1).unwrap_or(u32::MAX),
            passed: report.passed,
            counts,
            failure: (!report.passed).then(|| failure.headline.clone()),
        });
        if report.passed {
            let standing =
                if self.brief.verifier.is_some() { Standing::Verified } else { Standing::SyntaxOnly };
            return Ok(submission(patch, standing, None));
        }
        self.tested.push(Tested { patch, counts, headline: failure.headline.clone() });
        Err(failure)
    }

    /// The end at a limit: the best failing candidate if the profile submits such, otherwise giving up.
    pub(super) fn end(&mut self, limit: &str) -> Step {
        self.events.push(AgentEvent::LimitReached { limit: limit.to_owned() });
        let rank = |tested: &Tested| tested.counts.map_or((0, 0), |c| (c.passed, u32::MAX - c.failed));
        // the latest of equals: it has seen the others' failures
        let best = self.tested.iter().max_by_key(|tested| rank(tested));
        match best {
            Some(best) if self.brief.profile.submit_at_limit && !best.patch.is_empty() => {
                submission(best.patch.clone(), Standing::Failing, Some(&best.headline))
            }
            Some(best) => {
                give_up(GiveUpReason::LimitReached, &format!("{limit}; last failure: {}", best.headline))
            }
            None => give_up(GiveUpReason::LimitReached, limit),
        }
    }
}

fn submission(patch: Patch, standing: Standing, failure: Option<&str>) -> Step {
    let paths: Vec<&str> = patch.changes.iter().map(|change| change.path.as_str()).collect();
    let what = match paths[..] {
        [one] => format!("changes {one}"),
        [one, ref rest @ ..] => format!("changes {one} and {} more", rest.len()),
        [] => "changes nothing".to_owned(),
    };
    let how = match (standing, failure) {
        (Standing::Verified, _) => "the verifier passes here".to_owned(),
        (Standing::SyntaxOnly, _) => "no verifier, syntax checked".to_owned(),
        (Standing::Failing, failure) => format!("still failing: {}", failure.unwrap_or("see the log")),
    };
    Step::Submit { patch, summary: format!("{what}; {how}"), standing }
}

/// SplitMix64's finaliser: neighbouring inputs give unrelated outputs.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
