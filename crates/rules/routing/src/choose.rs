//! The choice: every place is asked whether it may and can, those that can are put in order, the first is taken.

use serde::{Deserialize, Serialize};

use crate::{Model, Place, PlaceId, Reach, Warmth, Wish};

/// From when on a place is too busy or too slow to be preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Answers in the making on this machine beyond which other places are preferred; nothing: its slots.
    pub local_running: Option<u32>,
    /// Time to the first word beyond which other places are preferred, milliseconds.
    pub slow_ms: u32,
}

impl Default for Limits {
    fn default() -> Self {
        // Eight seconds is where people begin to look elsewhere.
        Self { local_running: None, slow_ms: 8_000 }
    }
}

/// Why a place was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// This machine can answer now.
    LocalFirst,
    /// It read the beginning of this conversation already.
    Warm,
    /// The nearest that can answer now.
    Nearest,
    /// All are busy or slow; this one is the least bad.
    LeastBusy,
    /// No other may or can.
    Only,
}

impl Why {
    /// In words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::LocalFirst => "this machine is free and comes first",
            Self::Warm => "it has read the beginning of this conversation already",
            Self::Nearest => "it is the nearest machine that is free",
            Self::LeastBusy => "all machines are busy; this one has the least to do",
            Self::Only => "no other machine may or can answer",
        }
    }
}

/// Why a place was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WhyNot {
    /// The words may not go there.
    #[error("the privacy tier does not allow it")]
    BeyondTier,
    /// The request names this machine, or other machines.
    #[error("the request asks for another kind of machine")]
    NotAskedFor,
    /// It does not answer.
    #[error("it cannot answer now: {0}")]
    Trouble(String),
    /// It runs other models.
    #[error("it does not have the model {0:?}")]
    OtherModel(String),
    /// It cannot do what is asked.
    #[error("it has no {0}")]
    Lacks(&'static str),
    /// The prompt leaves no room.
    #[error("the prompt has {prompt_tokens} tokens, its window {window_tokens}")]
    TooLong {
        /// Of the prompt.
        prompt_tokens: u32,
        /// Of the window.
        window_tokens: u32,
    },
    /// It can, but it has enough to do.
    #[error("it is busy: {running} answers on {slots} slots")]
    Busy {
        /// Answers in the making.
        running: u32,
        /// At a time.
        slots: u32,
    },
    /// It can, but slowly.
    #[error("its first word takes {0} ms")]
    Slow(u32),
    /// It can, and another was nearer or had read the beginning.
    #[error("another machine was preferred")]
    Behind,
}

/// A place that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The node.
    pub id: PlaceId,
    /// Whose it is.
    pub reach: Reach,
    /// Why.
    pub why: WhyNot,
}

/// Where the request is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The node.
    pub chosen: PlaceId,
    /// Whose it is.
    pub reach: Reach,
    /// Why there.
    pub why: Why,
    /// Why not elsewhere, by node.
    pub rejected: Vec<Rejected>,
    /// Who is asked when the chosen one does not answer, in this order.
    pub otherwise: Vec<PlaceId>,
}

/// No place may or can answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody has that model.
    #[error("the model {0:?} is not known here")]
    UnknownModel(String),
    /// Other machines are asked for, and none is joined.
    #[error("no other machine is joined that could answer for this model")]
    NobodyElse,
    /// Places that may answer lack something.
    #[error("no machine that may answer has {0}")]
    Lacks(&'static str),
    /// Places that may answer have smaller windows.
    #[error("the prompt has {prompt_tokens} tokens, the largest window {window_tokens}")]
    TooLong {
        /// Of the prompt.
        prompt_tokens: u32,
        /// Of the largest window.
        window_tokens: u32,
    },
    /// Places that may answer are in trouble; it may pass.
    #[error("no machine can answer now: {0}")]
    Trouble(String),
    /// There are places, but the tier forbids each.
    #[error("the privacy tier forbids every machine that could answer")]
    BeyondTier,
}

/// A place that may and can, with what speaks against it.
struct Fit<'a> {
    place: &'a Place,
    against: Option<WhyNot>,
    warm: bool,
}

impl Fit<'_> {
    /// Free before busy, warm before cold, near before far, idle before loaded; names decide the rest.
    fn order(&self) -> (bool, bool, Reach, u32, &PlaceId) {
        // Warmth counts where it does not lead away from a free machine of one's own.
        let sticky = self.warm && self.against.is_none();
        (self.against.is_some(), !sticky, self.place.reach, self.place.waiting(), &self.place.id)
    }
}

/// Chooses where `wish` is answered.
pub fn choose(wish: &Wish, places: &[Place], warmth: &Warmth, limits: Limits) -> Result<Decision, Refusal> {
    let warm = wish.prefix.and_then(|prefix| warmth.of(prefix));
    let mut rejected = Vec::new();
    let mut fits: Vec<Fit<'_>> = Vec::new();
    for place in places {
        match bars(wish, place) {
            Some(why) => rejected.push(Rejected { id: place.id.clone(), reach: place.reach, why }),
            None => {
                let against = burden(place, limits);
                fits.push(Fit { place, against, warm: warm == Some(&place.id) });
            }
        }
    }
    fits.sort_by(|a, b| a.order().cmp(&b.order()));
    rejected.sort_by(|a, b| (a.reach, &a.id).cmp(&(b.reach, &b.id)));
    let mut fits = fits.into_iter();
    let Some(first) = fits.next() else { return Err(refusal(wish, &rejected)) };
    let others: Vec<Fit<'_>> = fits.collect();
    let why = reason(&first, &others);
    let otherwise = others.iter().map(|fit| fit.place.id.clone()).collect();
    let behind = others.into_iter().map(|fit| Rejected {
        id: fit.place.id.clone(),
        reach: fit.place.reach,
        why: fit.against.unwrap_or(WhyNot::Behind),
    });
    let rejected = behind.chain(rejected).collect();
    Ok(Decision { chosen: first.place.id.clone(), reach: first.place.reach, why, rejected, otherwise })
}

/// What forbids or prevents it.
fn bars(wish: &Wish, place: &Place) -> Option<WhyNot> {
    let asked = match &wish.model {
        Model::Local => place.reach == Reach::Local,
        Model::Swarm => place.reach != Reach::Local,
        Model::Auto | Model::Named(_) => true,
    };
    if !place.reach.allowed_by(wish.tier) {
        return Some(WhyNot::BeyondTier);
    }
    if !asked {
        return Some(WhyNot::NotAskedFor);
    }
    if let Model::Named(name) = &wish.model
        && !place.models.contains(name)
    {
        return Some(WhyNot::OtherModel(name.clone()));
    }
    if let Some(trouble) = &place.trouble {
        return Some(WhyNot::Trouble(trouble.clone()));
    }
    if let Some(lacking) = wish.needs.lacking(place.offers) {
        return Some(WhyNot::Lacks(lacking));
    }
    let (prompt_tokens, window_tokens) = (wish.prompt_tokens, place.window_tokens);
    (prompt_tokens >= window_tokens).then_some(WhyNot::TooLong { prompt_tokens, window_tokens })
}

/// What speaks against a place that may and can.
fn burden(place: &Place, limits: Limits) -> Option<WhyNot> {
    let cap = limits.local_running.filter(|_| place.reach == Reach::Local).unwrap_or(place.slots);
    if place.running >= cap.max(1) {
        return Some(WhyNot::Busy { running: place.running, slots: place.slots });
    }
    place.latency.p95_ms().filter(|&p95| p95 > limits.slow_ms).map(WhyNot::Slow)
}

fn reason(first: &Fit<'_>, others: &[Fit<'_>]) -> Why {
    if first.against.is_some() {
        if others.is_empty() { Why::Only } else { Why::LeastBusy }
    } else if first.warm && others.iter().any(|fit| fit.against.is_none()) {
        Why::Warm
    } else if first.place.reach == Reach::Local {
        Why::LocalFirst
    } else {
        Why::Nearest
    }
}

/// The reason that a person can do most about: what nobody has, before what is only in trouble.
fn refusal(wish: &Wish, rejected: &[Rejected]) -> Refusal {
    let mut largest = 0;
    let (mut lacks, mut trouble) = (None, None);
    for Rejected { why, .. } in rejected {
        match why {
            WhyNot::TooLong { window_tokens, .. } => largest = largest.max(*window_tokens),
            WhyNot::Lacks(what) => lacks = lacks.or(Some(*what)),
            WhyNot::Trouble(words) => trouble = trouble.or_else(|| Some(words.clone())),
            WhyNot::BeyondTier
            | WhyNot::NotAskedFor
            | WhyNot::OtherModel(_)
            | WhyNot::Busy { .. }
            | WhyNot::Slow(_)
            | WhyNot::Behind => {}
        }
    }
    if let Some(words) = trouble {
        Refusal::Trouble(words)
    } else if largest > 0 {
        Refusal::TooLong { prompt_tokens: wish.prompt_tokens, window_tokens: largest }
    } else if let Some(what) = lacks {
        Refusal::Lacks(what)
    } else if let Model::Named(name) = &wish.model {
        Refusal::UnknownModel(name.clone())
    } else if wish.model == Model::Swarm {
        Refusal::NobodyElse
    } else if rejected.is_empty() {
        Refusal::Trouble("there is no engine".to_owned())
    } else {
        Refusal::BeyondTier
    }
}
