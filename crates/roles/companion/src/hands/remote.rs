//! Remotes: getting commits, fast-forwarding to them, sending them. What is fetched or sent, from or to where, is shown
//! first; files change only in an action of their own, to exactly what was shown.

mod incoming;
mod own_git;

use edgecoder_agent::session::{Address, ApprovalClass, shown};

use self::incoming::Incoming;
use self::own_git::{OwnGit, REMOTE};
use super::plumbing::Plumbing;
use super::{Deed, Hands, Performed, Prepared};

/// Commits and branches that are told by name.
const TOLD: usize = 20;
/// Characters of a commit's first line that are told.
const SUBJECT_CHARS: usize = 80;

/// Every commit of a list as a diff.
const CHANGES: [&str; 8] =
    ["diff-tree", "--stdin", "--root", "-r", "--cc", "--no-renames", "--no-ext-diff", "--no-textconv"];

/// Which of a remote's addresses.
#[derive(Debug, Clone, Copy)]
enum Way {
    From,
    To,
}

/// A branch of a remote that has moved since it was last asked.
struct Moved {
    name: String,
    old: Option<String>,
    new: String,
}

impl Hands {
    pub(super) async fn git_fetch(&self, remote: String) -> Result<Prepared, String> {
        let address = self.address(&remote, Way::From).await?.shown().to_owned();
        let title = format!("git fetch: every branch of {remote}, {address}");
        Ok(Prepared::of(ApprovalClass::Network, title, Deed::Fetch { remote, address }))
    }

    pub(super) async fn git_pull(&self, remote: String, branch: Option<String>) -> Result<Prepared, String> {
        let branch = self.branch_or_this(branch).await?;
        let address = self.address(&remote, Way::From).await?.shown().to_owned();
        let title = format!("git pull: fetch {} of {remote}, {address}", shown::line(&branch));
        Ok(Prepared::of(ApprovalClass::Network, title, Deed::Pull { remote, address, branch }))
    }

    pub(super) async fn git_push(&self, remote: String, branch: Option<String>) -> Result<Prepared, String> {
        let plumbing = self.plumbing()?;
        let branch = self.branch_or_this(branch).await?;
        let commit = at(&plumbing, &format!("refs/heads/{branch}")).await;
        let commit = commit.ok_or_else(|| format!("there is no branch {}", shown::line(&branch)))?;
        let there = at(&plumbing, &format!("refs/remotes/{remote}/{branch}")).await;
        if there.as_ref() == Some(&commit) {
            return Err(format!("{remote} has all of {} already", shown::line(&branch)));
        }
        let address = self.address(&remote, Way::To).await?.shown().to_owned();
        let known = format!("--remotes={remote}");
        let which = [commit.as_str(), "--not", &known];
        let commits = commits(&plumbing, &which).await?;
        let secret = self.secret_among(&plumbing, &which).await?;
        let class = if secret.is_some() { ApprovalClass::Protected } else { ApprovalClass::Network };
        let (new, secret) =
            (if there.is_none() { "the new branch " } else { "" }, secret.unwrap_or_default());
        let title = format!("git push {new}{} to {address}{secret}: {commits}", shown::line(&branch));
        Ok(Prepared::of(class, title, Deed::Push { remote, address, branch, commit }))
    }

    /// What a person has to know of the commits before they leave: one that is taken back later is sent all the same.
    async fn secret_among(&self, plumbing: &Plumbing, which: &[&str]) -> Result<Option<String>, String> {
        let list = plumbing.run(&[&["rev-list"], which].concat(), b"").await?;
        let own = OwnGit::working(plumbing, &self.root).await?;
        let Ok(changes) = own.run(&CHANGES, &list).await else {
            return Ok(Some(" (too much to be looked through for secrets)".to_owned()));
        };
        let changes = String::from_utf8_lossy(&changes).into_owned();
        let found = self.with_project(move |project| Ok(project.secret_in_diff(&changes))).await?;
        Ok(found.map(|why| format!(" (with what looks like a secret: {why})")))
    }

    pub(super) async fn fetch(&self, remote: &str, address: &str) -> Result<String, String> {
        let address = self.agreed(remote, Way::From, address).await?;
        let moved = self.bring(remote, &address, "*").await?;
        if moved.is_empty() {
            return Ok(format!("nothing is new at {remote}"));
        }
        let mut told: Vec<String> = moved.iter().take(TOLD).map(Moved::told).collect();
        if moved.len() > TOLD {
            told.push(format!("and {} more", moved.len() - TOLD));
        }
        Ok(told.join("\n"))
    }

    pub(super) async fn pull(&self, remote: &str, address: &str, branch: &str) -> Performed {
        match self.fetch_for_pull(remote, address, branch).await {
            Ok((told, following)) => Performed { outcome: Ok(told), shell: None, following },
            Err(why) => Performed::failed(why),
        }
    }

    async fn fetch_for_pull(
        &self,
        remote: &str,
        address: &str,
        branch: &str,
    ) -> Result<(String, Option<Prepared>), String> {
        let address = self.agreed(remote, Way::From, address).await?;
        self.bring(remote, &address, branch).await?;
        let plumbing = self.plumbing()?;
        let theirs = format!("{remote}/{}", shown::line(branch));
        let here = checked_out(&plumbing).await?;
        let old = at(&plumbing, "HEAD").await.ok_or("there is no commit here yet: pull by hand")?;
        let new = at(&plumbing, &format!("refs/remotes/{remote}/{branch}")).await;
        let new = new.ok_or_else(|| format!("there is no {theirs}"))?;
        if is_ancestor(&plumbing, &new, &old).await {
            return Ok((format!("nothing is new: all of {theirs} is here"), None));
        }
        if !is_ancestor(&plumbing, &old, &new).await {
            return Err(format!(
                "{theirs} is fetched, but both sides have new commits: merging is left to the person"
            ));
        }
        let following = self.fast_forwarding(here, old, new).await?;
        Ok((format!("{theirs} is fetched"), Some(following)))
    }

    /// Moving the branch that is checked out, and its files, as an action.
    async fn fast_forwarding(&self, branch: String, old: String, new: String) -> Result<Prepared, String> {
        let plumbing = self.plumbing()?;
        let commits = commits(&plumbing, &[&new, "--not", &old]).await?;
        let own = OwnGit::working(&plumbing, &self.root).await?;
        let incoming = Incoming::between(&own, &old, &new).await?;
        let name = shown::line(branch.trim_start_matches("refs/heads/"));
        let title = format!("fast-forward {name} by {commits}; {}", incoming.told());
        let mut prepared = Self::patching("", incoming.patch.clone(), |change| incoming.before(change));
        // What nobody sees is not done unseen.
        if !incoming.is_shown() {
            prepared.class = ApprovalClass::Protected;
        }
        let (deed, tool) = (Deed::FastForward { branch, old, new }, Some("fast_forward".to_owned()));
        Ok(Prepared { title, deed, tool, ..prepared })
    }

    pub(super) async fn fast_forward(&self, branch: &str, old: &str, new: &str) -> Result<String, String> {
        let plumbing = self.plumbing()?;
        if self.is_sparse().await {
            return Err("the checkout is sparse: pull by hand".to_owned());
        }
        if checked_out(&plumbing).await? != branch {
            return Err("another branch is checked out meanwhile".to_owned());
        }
        let own = OwnGit::working(&plumbing, &self.root).await?;
        // The branch first: it moves only if nobody else moved it meanwhile.
        plumbing.run(&["update-ref", "-m", "pull: fast-forward", branch, new, old], b"").await?;
        // It tells which files differ, which the next command finds by itself.
        let _some_differ = own.run(&["update-index", "-q", "--refresh"], b"").await;
        let written = own.run(&["read-tree", "-m", "-u", "--no-recurse-submodules", old, new], b"").await;
        if let Err(why) = written {
            plumbing.run(&["update-ref", "-m", "pull: undone", branch, old, new], b"").await?;
            return Err(why);
        }
        Ok(format!("{} is at {:.12} now", shown::line(branch.trim_start_matches("refs/heads/")), new))
    }

    pub(super) async fn push(
        &self,
        remote: &str,
        address: &str,
        branch: &str,
        commit: &str,
    ) -> Result<String, String> {
        let address = self.agreed(remote, Way::To, address).await?;
        let plumbing = self.plumbing()?;
        let own = OwnGit::speaking(&plumbing, &address).await?;
        own.know(&plumbing.refs(&[&format!("refs/remotes/{remote}")]).await?)?;
        let what = format!("{commit}:refs/heads/{branch}");
        own.run(&["push", "--porcelain", "--no-verify", REMOTE, &what], b"").await?;
        let noted = ["update-ref", "-m", "push", &format!("refs/remotes/{remote}/{branch}"), commit];
        let noted = plumbing.run(&noted, b"").await;
        let but = noted.err().map_or(String::new(), |why| format!(", which could not be noted here: {why}"));
        Ok(format!("{remote}/{} is at {commit:.12} now{but}", shown::line(branch)))
    }

    /// Gets what is new of the branches (one, or `*`), and which of them moved.
    async fn bring(&self, remote: &str, address: &Address, branches: &str) -> Result<Vec<Moved>, String> {
        let plumbing = self.plumbing()?;
        let own = OwnGit::speaking(&plumbing, address).await?;
        let below = format!("refs/remotes/{remote}");
        let known = plumbing.refs(&["refs/heads", &below]).await?;
        own.know(&known)?;
        let what = format!("+refs/heads/{branches}:{below}/{branches}");
        own.run(&["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", REMOTE, &what], b"").await?;
        let head = format!("{below}/HEAD");
        let now = own.refs(&below).await?;
        let moved: Vec<Moved> = now
            .into_iter()
            .map(|(name, new)| Moved { old: known.get(&name).cloned(), name, new })
            .filter(|one| one.old.as_ref() != Some(&one.new) && one.name != head)
            .collect();
        let updates: String = moved.iter().map(Moved::update).collect();
        plumbing.run(&["update-ref", "--no-deref", "-m", "fetch", "--stdin"], updates.as_bytes()).await?;
        Ok(moved)
    }

    /// Where the remote lies by the repository's and the person's settings.
    async fn address(&self, remote: &str, way: Way) -> Result<Address, String> {
        let args: &[&str] = match way {
            Way::From => &["remote", "get-url", "--all", remote],
            Way::To => &["remote", "get-url", "--all", "--push", remote],
        };
        let said = self.plumbing()?.line(args).await?;
        if said.lines().count() != 1 {
            return Err(format!("{remote} has several addresses: use git by hand"));
        }
        Address::of(&said)
    }

    /// The address, if it still is the one that was shown.
    async fn agreed(&self, remote: &str, way: Way, shown: &str) -> Result<Address, String> {
        let address = self.address(remote, way).await?;
        if address.shown() == shown {
            Ok(address)
        } else {
            Err(format!("{remote} lies elsewhere meanwhile: {}", address.shown()))
        }
    }

    async fn branch_or_this(&self, branch: Option<String>) -> Result<String, String> {
        match branch {
            Some(branch) => Ok(branch),
            None => Ok(checked_out(&self.plumbing()?).await?.trim_start_matches("refs/heads/").to_owned()),
        }
    }
}

impl Moved {
    fn told(&self) -> String {
        let name = shown::line(self.name.trim_start_matches("refs/remotes/"));
        match &self.old {
            Some(old) => format!("{name}: {old:.12} to {:.12}", self.new),
            None => format!("{name}: new, at {:.12}", self.new),
        }
    }

    /// As `update-ref --stdin` reads it.
    fn update(&self) -> String {
        let none = "0".repeat(self.new.len());
        format!("update {} {} {}\n", self.name, self.new, self.old.as_ref().unwrap_or(&none))
    }
}

/// The branch that is checked out, by its whole name.
async fn checked_out(plumbing: &Plumbing) -> Result<String, String> {
    let said = plumbing.line(&["symbolic-ref", "-q", "HEAD"]).await;
    said.map_err(|_| "no branch is checked out".to_owned())
}

/// The commit that a name stands for.
async fn at(plumbing: &Plumbing, name: &str) -> Option<String> {
    plumbing.line(&["rev-parse", "-q", "--verify", name]).await.ok()
}

async fn is_ancestor(plumbing: &Plumbing, old: &str, new: &str) -> bool {
    plumbing.run(&["merge-base", "--is-ancestor", old, new], b"").await.is_ok()
}

/// Commits as a person is shown them: how many, and the latest of them.
async fn commits(plumbing: &Plumbing, which: &[&str]) -> Result<String, String> {
    let count = plumbing.line(&[&["rev-list", "--count"], which].concat()).await?;
    let count: usize = count.parse().map_err(|_| "git cannot count the commits".to_owned())?;
    let most = format!("--max-count={TOLD}");
    let list = ["rev-list", "--no-commit-header", "--format=%h %s", &most];
    let said = plumbing.run(&[&list, which].concat(), b"").await?;
    let said = String::from_utf8_lossy(&said).into_owned();
    let subject = |line: &str| shown::line(&line.chars().take(SUBJECT_CHARS).collect::<String>());
    let mut told: Vec<String> = said.lines().map(subject).collect();
    if count > TOLD {
        told.push(format!("and {} more", count - TOLD));
    }
    Ok(match count {
        0 => "no new commits".to_owned(),
        1 => format!("1 commit: {}", told.join("; ")),
        _ => format!("{count} commits: {}", told.join("; ")),
    })
}
