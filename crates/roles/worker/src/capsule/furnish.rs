//! How an attempt comes to the capsules that fit its snapshot: the same inputs, tools and platform. One that no verifier
//! has been run with here is tried first on the unchanged snapshot.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use edgecoder_base::{BlobHash, Level, Manifest, Verifier};
use edgecoder_capsules::{Kept, Mark};
use edgecoder_environment::{Ingredients, Recipe};
use edgecoder_sandbox::{Job, Shown};
use tokio_util::sync::CancellationToken;

use super::trial::{self, Trial};
use super::{Capsules, platform, read_ingredients, shelf, shown};
use crate::Deps;
use crate::error::{Error, blocking};

/// What runs of an attempt are shown besides the tree.
#[derive(Debug, Clone, Default)]
pub(crate) struct Furnishing {
    /// The capsules, by name.
    pub(crate) capsules: Vec<BlobHash>,
    shown: Vec<Shown>,
    variables: BTreeMap<String, String>,
}

/// The working copy that capsules are chosen for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct On<'a> {
    pub(crate) manifest: &'a Arc<Manifest>,
    pub(crate) tree: &'a Path,
    pub(crate) verifier: Option<&'a Verifier>,
    pub(crate) min_level: Level,
}

impl Furnishing {
    pub(super) fn of(kept: &[Kept]) -> Self {
        let variables = kept.iter().flat_map(|kept| kept.card.recipe.environment().variables);
        Self {
            capsules: kept.iter().map(|kept| kept.hash).collect(),
            shown: kept.iter().map(shown).collect(),
            variables: variables.collect(),
        }
    }

    /// Shows the capsules to a run.
    pub(crate) fn furnish(&self, job: &mut Job) {
        job.shown.extend(self.shown.iter().cloned());
        job.env.extend(self.variables.iter().map(|(name, value)| (name.clone(), value.clone())));
    }

    /// A line for a log; empty where there is no capsule.
    pub(crate) fn line(&self) -> String {
        self.capsules.iter().map(|capsule| format!("[capsule {capsule}]\n")).collect()
    }

    /// The capsules for a working copy.
    pub(crate) async fn choose(deps: &Deps, on: On<'_>, stop: &CancellationToken) -> Result<Self, Error> {
        let Some(capsules) = &deps.capsules else { return Ok(Self::default()) };
        let mut chosen = Vec::new();
        for (ingredients, candidates) in candidates(deps, capsules, on.manifest).await? {
            let kind = ingredients.kind;
            let Ok(tools) = capsules.tools.of(kind, &deps.sandbox, &deps.trees, stop).await? else {
                continue;
            };
            let identity = Recipe::new(&ingredients, tools, platform()).identity();
            let fitting = candidates.into_iter().filter(|kept| kept.card.recipe.identity() == identity);
            chosen.extend(best(fitting));
        }
        if chosen.iter().any(|kept| kept.mark.is_none()) {
            chosen = try_out(deps, capsules, chosen, on, stop).await?;
        }
        for kept in &chosen {
            tracing::info!(capsule = %kept.hash.short(), kind = kept.card.recipe.kind.as_str(), "shown to runs");
        }
        Ok(Self::of(&chosen))
    }
}

/// Capsules with the right inputs; whether their tools are right too costs a run to know.
async fn candidates(
    deps: &Deps,
    capsules: &Capsules,
    manifest: &Arc<Manifest>,
) -> Result<Vec<(Ingredients, Vec<Kept>)>, Error> {
    let (shelf_, blobs, manifest) = (capsules.shelf.clone(), Arc::clone(&deps.blobs), Arc::clone(manifest));
    blocking("looking for capsules", move || {
        let all = shelf_.list().map_err(shelf("looking for capsules"))?;
        if all.is_empty() {
            return Ok(Vec::new());
        }
        let with = |found: Ingredients| {
            let same = |kept: &&Kept| {
                let recipe = &kept.card.recipe;
                (recipe.kind, &recipe.folder, &recipe.inputs) == (found.kind, &found.folder, &found.inputs)
            };
            let fitting: Vec<Kept> = all.iter().filter(same).cloned().collect();
            (!fitting.is_empty()).then_some((found, fitting))
        };
        Ok(read_ingredients(&manifest, &*blobs).into_iter().filter_map(with).collect())
    })
    .await
}

/// The newest that may be shown, else the newest that nobody has tried. One that cannot start is not taken again.
fn best(candidates: impl Iterator<Item = Kept>) -> Option<Kept> {
    let (tried, untried): (Vec<_>, Vec<_>) = candidates.partition(|kept| kept.mark.is_some());
    let mut tried = tried.into_iter();
    tried.find(|kept| kept.mark.as_ref().is_some_and(Mark::is_usable)).or_else(|| untried.into_iter().next())
}

/// Runs the verifier with all of them; those nobody had tried stay only if it could start.
async fn try_out(
    deps: &Deps,
    capsules: &Capsules,
    chosen: Vec<Kept>,
    on: On<'_>,
    stop: &CancellationToken,
) -> Result<Vec<Kept>, Error> {
    let On { manifest, tree, verifier, min_level } = on;
    let (tried, untried): (Vec<_>, Vec<_>) = chosen.into_iter().partition(|kept| kept.mark.is_some());
    let Some(verifier) = verifier else { return Ok(tried) };
    let all = [tried.clone(), untried.clone()].concat();
    let mark = Trial { sandbox: &deps.sandbox, manifest, tree, verifier, min_level }
        .run(&all, (deps.clock)(), stop)
        .await?;
    trial::write_down(&capsules.shelf, &untried, &mark).await?;
    if mark.is_usable() {
        return Ok(all);
    }
    for kept in &untried {
        tracing::warn!(capsule = %kept.hash.short(), "the verifier cannot start with it; not used");
    }
    Ok(tried)
}
