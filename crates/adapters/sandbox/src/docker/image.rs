//! Which image a tree is run in, and that it is one of ours.

use std::path::Path;

use bollard::Docker as Client;
use bollard::errors::Error as DaemonError;
use bollard::models::ImageInspect;

use super::{PROTOCOL, asking};
use crate::error::Error;

/// The images this project builds, each with the files at the top of a tree that ask for it. The first that
/// fits is taken, else the first of all.
pub const IMAGES: &[(&str, &[&str])] = &[
    (
        "edgecoder/sandbox-python:latest",
        &["pyproject.toml", "setup.py", "setup.cfg", "pytest.ini", "tox.ini", "requirements.txt"],
    ),
    ("edgecoder/sandbox-node:latest", &["package.json"]),
];

const PROTOCOL_LABEL: &str = "edgecoder.box.protocol";

/// The image for the tree at `root`, as configured or else by what lies there.
pub(super) fn choose<'a>(configured: Option<&'a str>, root: &Path) -> &'a str {
    let fits = |markers: &[&str]| markers.iter().any(|marker| root.join(marker).is_file());
    configured.unwrap_or_else(|| {
        let found = IMAGES.iter().find(|(_, markers)| fits(markers)).or(IMAGES.first());
        found.map_or("", |(name, _)| name)
    })
}

/// The identity of `image`, by which alone it is run. Looks only at what the daemon already has.
pub(super) async fn resolve(client: &Client, image: &str) -> Result<String, Error> {
    let found = match client.inspect_image(image).await {
        Err(DaemonError::DockerResponseServerError { status_code: 404, .. }) => {
            return Err(Error::ImageMissing { image: image.to_owned() });
        }
        other => other.map_err(asking("looking for the image"))?,
    };
    speaks(&found).map_err(|why| Error::Unavailable {
        reason: format!("the image {image} {why}"),
        fix: "build it anew with `edgecoder sandbox images build`, or put edgecoder-box into your own",
    })
}

fn speaks(image: &ImageInspect) -> Result<String, String> {
    let labels = image.config.as_ref().and_then(|config| config.labels.as_ref());
    match labels.and_then(|labels| labels.get(PROTOCOL_LABEL)) {
        None => Err("has no edgecoder-box".to_owned()),
        Some(spoken) if spoken != PROTOCOL => {
            Err(format!("has an edgecoder-box of version {spoken}, this node speaks {PROTOCOL}"))
        }
        Some(_) => image.id.clone().ok_or_else(|| "has no identity".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::ImageConfig;

    #[track_caller]
    fn check(configured: Option<&str>, files: &[&str], expected: &str) {
        let tree = tempfile::tempdir().unwrap();
        for file in files {
            std::fs::write(tree.path().join(file), "").unwrap();
        }
        assert_eq!(choose(configured, tree.path()), expected, "{files:?}");
    }

    #[test]
    fn the_tree_asks_for_its_image() {
        check(None, &[], IMAGES[0].0);
        check(None, &["package.json"], IMAGES[1].0);
        check(None, &["package.json", "pyproject.toml"], IMAGES[0].0);
        check(Some("sha256:1"), &["package.json"], "sha256:1");
    }

    #[test]
    fn only_images_with_our_box_are_run() {
        let image = |label: Option<&str>| ImageInspect {
            id: Some("sha256:1".into()),
            config: Some(ImageConfig {
                labels: label.map(|value| [(PROTOCOL_LABEL.to_owned(), value.to_owned())].into()),
                ..ImageConfig::default()
            }),
            ..ImageInspect::default()
        };
        assert_eq!(speaks(&image(Some(PROTOCOL))), Ok("sha256:1".into()));
        assert!(speaks(&image(None)).unwrap_err().contains("no edgecoder-box"));
        assert!(speaks(&image(Some("0"))).unwrap_err().contains("version 0"));
    }
}
