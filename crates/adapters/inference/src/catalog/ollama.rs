//! The Ollama registry: a manifest names the layer that is the model.

use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use serde::Deserialize;

use super::digest::Digest;
use super::error::CatalogError;
use super::hub::at;
use crate::download::web::{Fault, Remote, Web};

/// The layer with the weights.
const MODEL_LAYER: &str = "application/vnd.ollama.image.model";
/// What the registry's own client asks for.
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

#[derive(Debug, Deserialize)]
struct Manifest {
    layers: Vec<Layer>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: String,
    size: u64,
}

/// Where the model's content is, its size and its SHA-256.
pub(super) async fn content(
    web: &Web,
    base: &Remote,
    name: &str,
    tag: &str,
) -> Result<(Remote, u64, Digest), Fault> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(MANIFEST));
    let asked = at(base, &format!("v2/{name}/manifests/{tag}"))?;
    let (_, manifest): (_, Manifest) = web.json(&asked, headers).await?;
    let unusable =
        |reason: &str| Fault::Lasting(CatalogError::Answer { host: base.host(), reason: reason.to_owned() });
    let mut layers = manifest.layers.iter().filter(|layer| layer.media_type == MODEL_LAYER);
    let layer = layers.next().ok_or_else(|| unusable("the manifest names no model"))?;
    if layers.next().is_some() {
        return Err(unusable("the model lies in several files, which is not supported"));
    }
    let sha256 = layer.digest.strip_prefix("sha256:").and_then(|digits| digits.parse::<Digest>().ok());
    let sha256 = sha256.ok_or_else(|| unusable("the manifest has no SHA-256"))?;
    Ok((at(base, &format!("v2/{name}/blobs/sha256:{sha256}"))?, layer.size, sha256))
}
