//! The files of this machine's catalogue as a shelf of the local engine, with the model that came with the program.

use std::sync::Arc;

use edgecoder_inference::Error;
use edgecoder_inference::catalog::{Catalog, CatalogError, Installed, ModelName, PullRequest, known};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::shelf::{ModelShelf, ShelfModel, ShelfPull, ShelfPullStep};
use super::spec::EngineSpec;

/// The catalogue.
#[derive(Debug, Clone)]
pub struct CatalogShelf {
    catalog: Arc<Catalog>,
    shipped: EngineSpec,
}

impl CatalogShelf {
    /// The models of `catalog`, and the file that is used without it.
    pub const fn new(catalog: Arc<Catalog>, shipped: EngineSpec) -> Self {
        Self { catalog, shipped }
    }

    fn listed(&self, model: &Installed) -> ShelfModel {
        let path = self.catalog.store().path_of(&model.sha256);
        ShelfModel {
            parameters: Some(billions(model.card.parameters)),
            quantization: Some(model.card.quantisation.clone()),
            bytes: Some(model.size_bytes),
            removable: true,
            ..ShelfModel::of(EngineSpec::local(model.name.as_str(), path))
        }
    }

    fn read(&self) -> Result<Vec<ShelfModel>, CatalogError> {
        let mut models = vec![ShelfModel::of(self.shipped.clone())];
        models.extend(self.catalog.store().list()?.iter().map(|model| self.listed(model)));
        for far in known() {
            if !models.iter().any(|model| model.spec.model == far.name) {
                models.push(ShelfModel {
                    parameters: Some(billions(far.parameters)),
                    installed: false,
                    ..ShelfModel::of(EngineSpec::local(&far.name, ""))
                });
            }
        }
        Ok(models)
    }
}

/// `7.6B`, as model names say it; small ones in millions.
fn billions(parameters: u64) -> String {
    let tenths = |unit: u64| (parameters / (unit / 10)).max(1);
    let (unit, letter) = if parameters < 100_000_000 { (1_000_000, 'M') } else { (1_000_000_000, 'B') };
    let tenths = tenths(unit);
    format!("{}.{}{letter}", tenths / 10, tenths % 10)
}

impl ModelShelf for CatalogShelf {
    fn provider(&self) -> &str {
        self.shipped.provider.name()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<ShelfModel>, Error>> {
        let shelf = self.clone();
        async move {
            let read = tokio::task::spawn_blocking(move || shelf.read()).await;
            match read {
                Ok(read) => read.map_err(|error| refused("the catalogue", &error)),
                Err(_) => Err(Error::EngineStopped),
            }
        }
        .boxed()
    }

    fn fetches_any(&self) -> bool {
        true
    }

    fn spec(&self, model: &str) -> EngineSpec {
        let installed = ModelName::made_of(model).and_then(|name| self.catalog.store().get(&name));
        match installed {
            Ok(model) => EngineSpec::local(model.name.as_str(), self.catalog.store().path_of(&model.sha256)),
            // Its engine will say that there is no such file.
            Err(_) => EngineSpec::local(model, model),
        }
    }

    fn pull(&self, model: String) -> BoxFuture<'_, Result<ShelfPull, Error>> {
        let request = PullRequest::parse(&model)
            .and_then(|request| Ok(PullRequest { name: Some(ModelName::made_of(&model)?), ..request }));
        let request = request.map_err(|error| refused(&model, &error));
        let catalog = Arc::clone(&self.catalog);
        async move { Ok(steps(catalog, request?, model)) }.boxed()
    }

    fn remove(&self, model: String) -> BoxFuture<'_, Result<(), Error>> {
        let catalog = Arc::clone(&self.catalog);
        async move {
            let removed = tokio::task::spawn_blocking(move || {
                let name = ModelName::made_of(&model).map_err(|error| refused(&model, &error))?;
                // The one in use was refused before; the one for the next start is only a wish.
                catalog.store().remove(&name, true).map_err(|error| refused(&model, &error))
            });
            removed.await.map_err(|_| Error::EngineStopped)?.map(drop)
        }
        .boxed()
    }
}

/// A fetch and what it tells meanwhile.
struct Fetch {
    work: BoxFuture<'static, Result<(), Error>>,
    told: tokio::sync::watch::Receiver<edgecoder_inference::catalog::PullProgress>,
    over: bool,
    _stops_when_dropped: DropGuard,
}

fn steps(catalog: Arc<Catalog>, request: PullRequest, model: String) -> ShelfPull {
    let cancel = CancellationToken::new();
    let (told, guard) = (catalog.events(), cancel.clone().drop_guard());
    // On a thread of its own: it hashes gigabytes, and its future cannot move between threads.
    let runtime = tokio::runtime::Handle::current();
    let work = tokio::task::spawn_blocking(move || {
        let pulled = runtime.block_on(catalog.pull(&request, &cancel));
        pulled.map(drop).map_err(|error| refused(&model, &error))
    });
    let work = work.map(|ended| ended.unwrap_or(Err(Error::EngineStopped))).boxed();
    let fetch = Fetch { work, told, over: false, _stops_when_dropped: guard };
    futures::stream::unfold(fetch, |mut fetch| async move {
        if fetch.over {
            return None;
        }
        let ended = tokio::select! {
            biased;
            ended = &mut fetch.work => Some(ended),
            Ok(()) = fetch.told.changed() => None,
        };
        let progress = fetch.told.borrow_and_update().clone();
        fetch.over = ended.is_some();
        let done = ended.is_some();
        let step = ended.unwrap_or(Ok(())).map(|()| ShelfPullStep {
            status: format!("{:?}", progress.status).to_lowercase(),
            completed: progress.completed.unwrap_or_default(),
            total: progress.total.unwrap_or_default(),
            done,
        });
        Some((step, fetch))
    })
    .boxed()
}

fn refused(model: &str, error: &CatalogError) -> Error {
    let (path, words) = (model.to_owned(), error.to_string());
    let missing = matches!(
        error,
        CatalogError::Absent { .. } | CatalogError::NoFit { .. } | CatalogError::NotInstalled { .. }
    );
    if missing {
        Error::ModelMissing { path, fix: words }
    } else {
        Error::ModelUnreadable { path, reason: words }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_told_as_names_tell_them() {
        for (parameters, told) in
            [(3_200_000, "3.2M"), (494_000_000, "0.4B"), (7_615_000_000, "7.6B"), (0, "0.1M")]
        {
            assert_eq!(super::billions(parameters), told);
        }
    }
}
