//! Makes capsules: plan, build in a workshop, keep, and run the verifier on the unchanged snapshot. The network is
//! reached by the build alone, through a gate to the hosts of the plan; whoever calls it has asked the person.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use edgecoder_base::{Blobs, Clock, Level, Manifest, Verifier};
use edgecoder_capsules::{Kept, Mark, Shelf};
use edgecoder_environment::{Host, Ingredients, Kind, Laid, Recipe, Sources};
use edgecoder_sandbox::{GATE_PORT, Job, JobFile, Limits, Sandbox, Traffic, Workshop};
use edgecoder_workspace::Trees;
use tokio_util::sync::CancellationToken;

use super::tools::{NoBlobs, Tools};
use super::trial::{self, Trial};
use super::{platform, read_ingredients, shelf};
use crate::error::{Error, blocking, disk};

/// Where the steps leave the tree, packed by our own command.
const ARCHIVE: &str = ".capsule/tree.tar";
/// Times of all files are the same, and order and owners too: the same tree gives the same archive.
const TAR: &str =
    "tar --format=gnu --hard-dereference --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner";
/// Room for what the tools download and unpack besides.
const SPARE_BYTES: u64 = 512 << 20;
/// Memory of compilers and package tools, besides the files, which lie in memory too.
const PROGRAM_BYTES: u64 = 2 << 30;
/// Processes and threads of a build.
const PROCESSES: u32 = 512;

/// Bounds of one build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Wall-clock time.
    pub wall: Duration,
    /// Bytes of the tree.
    pub tree_bytes: u64,
}

/// What makes capsules.
#[derive(Debug)]
pub struct Builder {
    /// What runs the steps.
    pub sandbox: Sandbox,
    /// Where capsules are kept.
    pub shelf: Shelf,
    /// Where the snapshot's files are.
    pub blobs: Arc<dyn Blobs>,
    /// What lays it out.
    pub trees: Trees,
    /// Where packages come from.
    pub sources: Sources,
    /// Bounds of a build.
    pub bounds: Bounds,
    /// The time.
    pub clock: Clock,
}

/// A capsule that could be made.
#[derive(Debug, Clone)]
pub struct Planned {
    /// What from.
    pub ingredients: Ingredients,
    /// How; or what was said where its tools are missing.
    pub recipe: Result<Recipe, String>,
    /// What a build may reach.
    pub hosts: Vec<Host>,
    /// Capsules of this recipe that are here already, newest first.
    pub kept: Vec<Kept>,
}

/// What came of a build.
#[derive(Debug, Clone)]
pub enum Built {
    /// A capsule.
    Kept {
        /// It.
        kept: Box<Kept>,
        /// What came through the gate.
        traffic: Traffic,
    },
    /// The steps failed.
    Failed {
        /// How they ended.
        exit: String,
        /// The end of what they said.
        said: String,
        /// What came through the gate, and what was refused there.
        traffic: Traffic,
    },
}

impl Builder {
    /// Refuses where the sandbox can neither build nor show capsules, before anybody is asked anything.
    pub fn check(&self) -> Result<(), Error> {
        Ok(self.sandbox.can_hold_capsules()?)
    }

    /// What could be made for `manifest`, at most one of a kind. Nothing of it is run, and no host is reached.
    pub async fn plan(&self, manifest: &Manifest, stop: &CancellationToken) -> Result<Vec<Planned>, Error> {
        let (manifest, blobs) = (manifest.clone(), Arc::clone(&self.blobs));
        let found =
            blocking("reading the lock files", move || Ok(read_ingredients(&manifest, &*blobs))).await?;
        let tools = Tools::default();
        let mut plan = Vec::new();
        for ingredients in found {
            let kind = ingredients.kind;
            let tools = tools.of(kind, &self.sandbox, &self.trees, stop).await?;
            let recipe = tools.map(|tools| Recipe::new(&ingredients, tools, platform()));
            let hosts = self.sources.hosts(kind).map_err(std::io::Error::other);
            let hosts = hosts.map_err(disk("reading where packages come from"))?;
            let kept = match &recipe {
                Ok(recipe) => {
                    let (shelf_, identity) = (self.shelf.clone(), recipe.identity());
                    blocking("looking for capsules", move || {
                        shelf_.find(&identity).map_err(shelf("looking for capsules"))
                    })
                    .await?
                }
                Err(_) => Vec::new(),
            };
            plan.push(Planned { ingredients, recipe, hosts, kept });
        }
        Ok(plan)
    }

    /// Runs the steps of `recipe` and keeps what they leave.
    pub async fn build(
        &self,
        recipe: &Recipe,
        ingredients: &Ingredients,
        stop: &CancellationToken,
    ) -> Result<Built, Error> {
        let job = self.job(recipe, ingredients).await?;
        let hosts = self.sources.hosts(recipe.kind).map_err(std::io::Error::other);
        let hosts = hosts.map_err(disk("reading where packages come from"))?;
        let hosts: BTreeSet<_> = hosts.into_iter().map(|host| (host.name, host.port)).collect();
        let ran = self.sandbox.run_in_workshop(job, &Workshop { hosts }, stop.child_token()).await;
        let (report, traffic) = match ran {
            Err(edgecoder_sandbox::Error::Cancelled) => return Err(Error::Stopped),
            ran => ran?,
        };
        let failed =
            |why: String| Built::Failed { exit: why, said: trial::said(&report), traffic: traffic.clone() };
        if !report.success() {
            return Ok(failed(crate::perform::exit_words(report.exit)));
        }
        let archive = match report.artefacts.first().map(|artefact| artefact.found.clone()) {
            Some(Ok(archive)) => archive,
            Some(Err(why)) => return Ok(failed(format!("its tree was not taken: {why}"))),
            None => return Ok(failed("it left no tree".to_owned())),
        };
        let (shelf_, recipe, now) = (self.shelf.clone(), recipe.clone(), (self.clock)());
        let most = self.bounds.tree_bytes;
        let kept = blocking("keeping the capsule", move || {
            shelf_.keep(recipe, &archive, most, now).map_err(shelf("keeping the capsule"))
        })
        .await?;
        Ok(Built::Kept { kept: Box::new(kept), traffic })
    }

    async fn job(&self, recipe: &Recipe, ingredients: &Ingredients) -> Result<Job, Error> {
        let (trees, blobs, laid) = (self.trees.clone(), Arc::clone(&self.blobs), ingredients.files.clone());
        let (root, files) = blocking("laying out the lock files", move || {
            let file = |laid: &Laid| match laid {
                Laid::Made { path, text } => Ok(JobFile::write(path, text.as_bytes())),
                Laid::AsIs { path, hash } => Ok(JobFile::write(path, blobs.read(hash)?)),
            };
            let files: std::io::Result<Vec<_>> = laid.iter().map(file).collect();
            let files = files.map_err(disk("reading the lock files"))?;
            Ok((trees.materialise(&Manifest::default(), &NoBlobs)?, files))
        })
        .await?;
        let (mount, steps) = (recipe.kind.mount(), recipe.script(&self.sources, &ingredients.files));
        let command = format!("{steps}mkdir -p /job/.capsule\n{TAR} -cf /job/{ARCHIVE} -C {mount} .\n");
        let Bounds { wall, tree_bytes } = self.bounds;
        // Twice: as a tree, and packed.
        let disk_bytes = tree_bytes.saturating_mul(2).saturating_add(SPARE_BYTES);
        Ok(Job {
            files,
            env: recipe.build_variables(&self.sources, GATE_PORT),
            limits: Limits {
                wall,
                cpu: wall * 4,
                memory_bytes: disk_bytes.saturating_add(PROGRAM_BYTES),
                processes: PROCESSES,
                disk_bytes,
                artefact_bytes: tree_bytes.saturating_add(SPARE_BYTES),
                ..Limits::default()
            },
            collect: vec![ARCHIVE.to_owned()],
            ..Job::new(root.path(), command)
        })
    }

    /// Runs `verifier` on the unchanged snapshot with all of `kept`, and writes down what it said of each.
    pub async fn baseline(
        &self,
        manifest: &Manifest,
        kept: &[Kept],
        verifier: &Verifier,
        stop: &CancellationToken,
    ) -> Result<Mark, Error> {
        let (trees, blobs, all) = (self.trees.clone(), Arc::clone(&self.blobs), manifest.clone());
        let tree = blocking("laying out the tree", move || Ok(trees.materialise(&all, &*blobs)?)).await?;
        let (sandbox, tree) = (&self.sandbox, tree.path());
        let trial = Trial { sandbox, manifest, tree, verifier, min_level: Level::S0 };
        let mark = trial.run(kept, (self.clock)(), stop).await?;
        self.mark(kept, &mark).await?;
        Ok(mark)
    }

    /// Lets attempts see `kept` whatever a verifier says.
    pub async fn allow(&self, kept: &[Kept]) -> Result<(), Error> {
        for one in kept {
            let none = || Mark {
                baseline: None,
                verifier: String::new(),
                said: String::new(),
                allowed: true,
                at: (self.clock)(),
            };
            let mark = Mark { allowed: true, ..one.mark.clone().unwrap_or_else(none) };
            self.mark(std::slice::from_ref(one), &mark).await?;
        }
        Ok(())
    }

    async fn mark(&self, kept: &[Kept], mark: &Mark) -> Result<(), Error> {
        trial::write_down(&self.shelf, kept, mark).await
    }
}

impl Planned {
    /// The kind.
    pub fn kind(&self) -> Kind {
        self.ingredients.kind
    }

    /// The newest capsule that attempts may be shown.
    pub fn usable(&self) -> Option<&Kept> {
        self.kept.iter().find(|kept| kept.mark.as_ref().is_some_and(Mark::is_usable))
    }
}
