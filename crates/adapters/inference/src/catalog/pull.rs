//! One pull, step by step: may it come, where is it, is it here already, fetch, check, install.

use tokio_util::sync::CancellationToken;

use super::digest::Digest;
use super::error::CatalogError;
use super::policy::Policy;
use super::resolve::{Place, Resolved, check_protected};
use super::source::Source;
use super::store::Installed;
use super::{Catalog, ModelName, PullRequest, gguf};
use crate::download::{Fetched, Wanted, retried};

pub(super) async fn run(
    catalog: &Catalog,
    request: &PullRequest,
    cancel: &CancellationToken,
) -> Result<Installed, CatalogError> {
    let source = absolute(&request.source)?;
    let policy = catalog.policy().await?;
    if let Some(policy) = &policy {
        policy.check_source(&source)?;
    }
    let resolved = resolve(catalog, &source, cancel).await?;
    let sha256 = promised(&resolved, request, policy.as_ref(), &source)?;
    let name = request.name.clone().unwrap_or_else(|| resolved.name.clone());
    catalog.meter.named(&name);
    catalog.store.check_name(&name, &source.to_string())?;
    let present = sha256.map(|sha256| catalog.store.with_content(&sha256)).transpose()?.flatten();
    if let Some(present) = present {
        let model = Installed { name, source: source.to_string(), added_at: (catalog.clock)(), ..present };
        catalog.store.adopt(&model, None)?;
        return Ok(model);
    }
    catalog.store.prepare()?;
    let fetched = fetch(catalog, &source, resolved, sha256, cancel).await?;
    install(catalog, policy.as_ref(), name, &source, fetched).await
}

async fn resolve(
    catalog: &Catalog,
    source: &Source,
    cancel: &CancellationToken,
) -> Result<Resolved, CatalogError> {
    let web = &catalog.downloader.web;
    let asking = retried(&catalog.downloader.config, || catalog.hubs.resolve(web, source));
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(CatalogError::Cancelled),
        resolved = asking => resolved.map_err(|fault| fault.into_error(match source {
            Source::Ollama { .. } => &catalog.hubs.ollama,
            Source::HuggingFace { .. } | Source::Url(_) | Source::Path(_) => &catalog.hubs.hugging_face,
        })),
    }
}

/// What the content must be, by whoever says so; they must agree.
fn promised(
    resolved: &Resolved,
    request: &PullRequest,
    policy: Option<&Policy>,
    source: &Source,
) -> Result<Option<Digest>, CatalogError> {
    let by_operator = policy.and_then(|policy| policy.promised(source)).map(|allowed| allowed.sha256);
    let mut promised: Option<Digest> = None;
    for sha256 in [by_operator, request.sha256, resolved.sha256].into_iter().flatten() {
        match promised {
            Some(expected) if expected != sha256 => {
                return Err(CatalogError::Mismatch { expected, found: sha256 });
            }
            Some(_) | None => promised = Some(sha256),
        }
    }
    if let (Some(policy), Some(sha256)) = (policy, &promised) {
        policy.check_content(sha256)?;
    }
    Ok(promised)
}

async fn fetch(
    catalog: &Catalog,
    source: &Source,
    resolved: Resolved,
    sha256: Option<Digest>,
    cancel: &CancellationToken,
) -> Result<Fetched, CatalogError> {
    match resolved.place {
        Place::File(path) => {
            let source = source.to_string();
            catalog.downloader.copy(&path, source, sha256, &catalog.meter, cancel).await
        }
        Place::Remote(remote) => {
            check_protected(&remote, sha256)?;
            let wanted = Wanted { remote, size: resolved.size, sha256, source: source.to_string() };
            catalog.downloader.fetch(&wanted, &catalog.meter, cancel).await
        }
    }
}

async fn install(
    catalog: &Catalog,
    policy: Option<&Policy>,
    name: ModelName,
    source: &Source,
    fetched: Fetched,
) -> Result<Installed, CatalogError> {
    let checked = policy.map_or(Ok(()), |policy| policy.check_content(&fetched.sha256));
    let card = match checked.and_then(|()| gguf::read_file(fetched.path())) {
        Ok(card) => card,
        Err(error) => {
            // The whole file is what was asked for, and of no use: nothing of it is worth resuming.
            fetched.clean()?;
            let what = source.to_string();
            let CatalogError::NotAModel { reason, .. } = error else { return Err(error) };
            return Err(CatalogError::NotAModel { what, reason });
        }
    };
    let model = Installed {
        name,
        sha256: fetched.sha256,
        size_bytes: fetched.size,
        source: source.to_string(),
        added_at: (catalog.clock)(),
        card,
    };
    catalog.store.adopt(&model, Some(fetched.path()))?;
    fetched.clean()?;
    Ok(model)
}

/// A path in its one form: what the rules and the index know must not depend on a working directory.
fn absolute(source: &Source) -> Result<Source, CatalogError> {
    match source {
        Source::Path(path) => match std::fs::canonicalize(path) {
            Ok(path) => Ok(Source::Path(path)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(CatalogError::Absent { what: path.display().to_string() })
            }
            Err(error) => Err(CatalogError::Io { doing: "find", path: path.clone(), source: error }),
        },
        Source::Url(_) | Source::HuggingFace { .. } | Source::Ollama { .. } => Ok(source.clone()),
    }
}
