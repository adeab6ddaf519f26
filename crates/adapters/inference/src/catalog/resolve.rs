//! From a source to an address: what is asked of the hubs before a byte of a model is downloaded.

use std::path::{Path, PathBuf};

use reqwest::Url;

use super::digest::Digest;
use super::error::{CatalogError, quoted};
use super::name::ModelName;
use super::source::Source;
use super::{hub, ollama};
use crate::download::web::{Fault, Remote, Web, is_here};

/// Where a source's bytes are, and what is promised about them.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) place: Place,
    pub(super) size: Option<u64>,
    pub(super) sha256: Option<Digest>,
    /// The name it would have, were none given.
    pub(super) name: ModelName,
}

/// Here or elsewhere.
#[derive(Debug)]
pub(super) enum Place {
    File(PathBuf),
    Remote(Remote),
}

/// The servers that sources without an address mean.
#[derive(Debug, Clone)]
pub(super) struct Hubs {
    pub(super) hugging_face: Remote,
    pub(super) ollama: Remote,
}

impl Hubs {
    /// Asks the hub that the source names.
    pub(super) async fn resolve(&self, web: &Web, source: &Source) -> Result<Resolved, Fault> {
        match source {
            Source::Path(path) => {
                Ok(Resolved { place: Place::File(path.clone()), size: None, sha256: None, name: stem(path)? })
            }
            Source::Url(url) => {
                let url = Url::parse(url).map_err(|error| {
                    Fault::Lasting(CatalogError::Source {
                        text: quoted(&format!("{url}: {error}")),
                        reason: "it is no address",
                    })
                })?;
                let name = stem(Path::new(url.path()))?;
                let place = Place::Remote(Remote { url, bearer: None });
                Ok(Resolved { place, size: None, sha256: None, name })
            }
            Source::HuggingFace { repo, revision, pick } => {
                let files = hub::files(web, &self.hugging_face, repo, revision).await?;
                let file = hub::choose(repo, &files, pick).map_err(Fault::Lasting)?;
                let name = stem(Path::new(&file.path))?;
                let place = Place::Remote(hub::content(&self.hugging_face, repo, revision, &file.path)?);
                Ok(Resolved { place, size: Some(file.size), sha256: file.sha256, name })
            }
            Source::Ollama { name, tag } => {
                let (remote, size, sha256) = ollama::content(web, &self.ollama, name, tag).await?;
                let short = name.strip_prefix("library/").unwrap_or(name);
                let name = ModelName::made_of(&format!("{short}:{tag}")).map_err(Fault::Lasting)?;
                Ok(Resolved { place: Place::Remote(remote), size: Some(size), sha256: Some(sha256), name })
            }
        }
    }
}

/// A file's name without its ending, as a model's name.
fn stem(path: &Path) -> Result<ModelName, Fault> {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    ModelName::made_of(&stem).map_err(Fault::Lasting)
}

/// Over an unprotected connection anybody on the way could exchange the model; only a promised content shows it.
pub(super) fn check_protected(remote: &Remote, sha256: Option<Digest>) -> Result<(), CatalogError> {
    if remote.url.scheme() == "https" || is_here(&remote.url) || sha256.is_some() {
        return Ok(());
    }
    Err(CatalogError::Source {
        text: remote.shown(),
        reason: "over plain http a model needs its SHA-256 (--sha256), as anybody on the way could exchange it",
    })
}
