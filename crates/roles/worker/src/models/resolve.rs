//! Which model a name means. A pure rule, so that a table can show it.

use super::shelf::ShelfModel;
use super::spec::{EngineSpec, Refusal, same_model};

/// What a name led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resolved {
    /// A model that is there.
    There(EngineSpec),
    /// One to be fetched first.
    ToFetch {
        /// The shelf's place among all.
        shelf: usize,
        model: String,
    },
}

/// The model `name` means. One that is there wins over one to be fetched; of several the active one's provider
/// wins, then the order of the list. `fetchers` are the shelves that may know more than they list.
pub(super) fn resolve(
    name: &str,
    provider: Option<&str>,
    active: &EngineSpec,
    listed: &[ShelfModel],
    fetchers: &[(usize, String)],
) -> Result<Resolved, Refusal> {
    let wanted = |of: &str| provider.is_none_or(|wanted| plain(wanted) == of);
    let named: Vec<&ShelfModel> = listed
        .iter()
        .filter(|model| same_model(&model.spec.model, name) && wanted(model.spec.provider.name()))
        .collect();
    let there = || named.iter().filter(|model| model.installed);
    let best =
        there().find(|model| model.spec.provider.name() == active.provider.name()).or_else(|| there().next());
    if let Some(model) = best {
        return Ok(Resolved::There(model.spec.clone()));
    }
    let fetchable = named.iter().find_map(|model| {
        let of = model.spec.provider.name();
        fetchers.iter().find(|(_, fetcher)| fetcher == of).map(|(shelf, _)| (*shelf, &model.spec.model))
    });
    if let Some((shelf, model)) = fetchable {
        return Ok(Resolved::ToFetch { shelf, model: model.clone() });
    }
    // A name that nobody lists may still be known to a provider's own registry: to the one that was named, or to
    // a server; the local catalogue lists all it knows.
    let far = fetchers.iter().find(|(_, of)| wanted(of) && (provider.is_some() || of != "local"));
    match far {
        Some((shelf, _)) => Ok(Resolved::ToFetch { shelf: *shelf, model: name.to_owned() }),
        None => Err(Refusal::NotFound(name.to_owned())),
    }
}

/// The published names of providers mean ours.
fn plain(provider: &str) -> &str {
    match provider {
        "edgecoder-local" => "local",
        "ollama-local" => "ollama",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use edgecoder_inference::discover::ServerKind;

    use super::*;

    #[test]
    fn a_name_means_one_model() {
        let local = |model: &str| EngineSpec::local(model, "/m.gguf");
        let ollama = |model: &str| EngineSpec::server(ServerKind::Ollama, "http://o", model);
        let far = ShelfModel { installed: false, ..ShelfModel::of(local("bigger")) };
        let listed = [
            ShelfModel::of(local("tiny")),
            ShelfModel::of(ollama("Tiny:latest")),
            far,
            ShelfModel::of(ollama("q:7b")),
        ];
        let fetchers = [(0, "local".to_owned()), (1, "ollama".to_owned())];
        let check = |name: &str,
                     provider: Option<&str>,
                     active: EngineSpec,
                     expected: Result<Resolved, Refusal>| {
            assert_eq!(resolve(name, provider, &active, &listed, &fetchers), expected, "{name} {provider:?}");
        };
        let there = |spec: EngineSpec| Ok(Resolved::There(spec));
        let fetch = |shelf, model: &str| Ok(Resolved::ToFetch { shelf, model: model.to_owned() });
        check("tiny", None, local("x"), there(local("tiny")));
        check("tiny", None, ollama("x"), there(ollama("Tiny:latest")));
        check("TINY:latest", Some("edgecoder-local"), ollama("x"), there(local("tiny")));
        check("q:7b", None, local("x"), there(ollama("q:7b")));
        check("bigger", None, ollama("x"), fetch(0, "bigger"));
        check("unheard:1b", None, local("x"), fetch(1, "unheard:1b"));
        check("unheard:1b", Some("ollama-local"), local("x"), fetch(1, "unheard:1b"));
        check("q:7b", Some("vllm"), local("x"), Err(Refusal::NotFound("q:7b".into())));
        assert_eq!(
            resolve("unheard", None, &local("x"), &listed, &[]),
            Err(Refusal::NotFound("unheard".into()))
        );
    }
}
