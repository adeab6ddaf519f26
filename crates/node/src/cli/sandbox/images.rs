//! `edgecoder sandbox images …`: which images of mode `docker` there are, and how they are made.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use super::ImageName;
use crate::cli::Context;
use crate::error::{Error, Exit};
use crate::output::{Style, harmless};

/// What `make sandbox-images` runs, so that a program without its sources can do the same.
const FILES: &[(&str, &str)] = &[
    ("build.sh", include_str!("../../../../../images/sandbox/build.sh")),
    ("python.packages", include_str!("../../../../../images/sandbox/python.packages")),
    ("node.packages", include_str!("../../../../../images/sandbox/node.packages")),
];
/// The first process of every container; installed beside this program.
const BOX: &str = "edgecoder-box";

#[cfg(target_os = "linux")]
pub(super) async fn list(context: &Context, as_json: bool) -> Result<Exit, Error> {
    let docker = context.loaded.config.sandbox.to_sandbox(&context.env).docker;
    let seen = edgecoder_sandbox::docker::look(&docker.socket, docker.image.as_deref())
        .await
        .map_err(|error| Error::Role(error.to_string()))?;
    let out = context.out;
    if as_json {
        let images: Vec<_> =
            seen.images.iter().map(|(name, id)| json!({ "name": name, "digest": id })).collect();
        out.line(json!({ "daemon": seen.version, "level": seen.level(), "images": images }));
        return Ok(Exit::Done);
    }
    for (name, id) in &seen.images {
        let state = match id {
            Some(id) => harmless(id),
            None => out.paint(Style::Warn, format_args!("missing; {}", remedy(name))),
        };
        out.line(format_args!("{:<34}  {state}", harmless(name)));
    }
    Ok(Exit::Done)
}

#[cfg(not(target_os = "linux"))]
pub(super) async fn list(_context: &Context, _as_json: bool) -> Result<Exit, Error> {
    Err(Error::Usage("sandbox mode `docker` exists on Linux only".to_owned()))
}

/// How a missing image comes here. Nothing is ever fetched by itself.
fn remedy(name: &str) -> String {
    let ours = name.strip_prefix("edgecoder/sandbox-").and_then(|name| name.strip_suffix(":latest"));
    match ours {
        Some(ours) => format!("build it: edgecoder sandbox images build {ours}"),
        None => "it is your own: load it into the daemon".to_owned(),
    }
}

/// Runs the script that this program was built with, its progress on standard error as it says it.
pub(super) fn build(context: &Context, names: &[ImageName]) -> Result<Exit, Error> {
    let folder = context.data.cache().join("sandbox-images");
    fs::create_dir_all(&folder).map_err(Error::io("make", &folder))?;
    for (name, text) in FILES {
        let path = folder.join(name);
        fs::write(&path, text).map_err(Error::io("write", &path))?;
    }
    let docker = context.loaded.config.sandbox.to_sandbox(&context.env).docker;
    let mut command = Command::new("bash");
    command.arg(folder.join("build.sh")).args(names.iter().map(|name| name.as_str()));
    command.env("DOCKER_HOST", format!("unix://{}", docker.socket.display())).stdin(Stdio::null());
    if let Some(first) = beside_this_program() {
        command.env("EDGECODER_BOX", first);
    }
    let ended = command.status().map_err(Error::io("run", Path::new("bash")))?;
    if ended.success() { Ok(Exit::Done) } else { Err(Error::Role("the images were not built".to_owned())) }
}

/// Where the first process of containers lies, as installed.
fn beside_this_program() -> Option<PathBuf> {
    let place = std::env::current_exe().ok()?.parent()?.join(BOX);
    place.is_file().then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_image_says_how_it_comes() {
        assert!(remedy("edgecoder/sandbox-python:latest").ends_with("images build python"));
        assert!(remedy("sha256:0123").contains("your own"));
    }

    #[test]
    fn every_image_that_can_be_named_has_its_list() {
        for name in <ImageName as clap::ValueEnum>::value_variants() {
            let list = format!("{}.packages", name.as_str());
            assert!(FILES.iter().any(|(file, _)| *file == list), "{list}");
            let image = format!("edgecoder/sandbox-{}:latest", name.as_str());
            #[cfg(target_os = "linux")]
            assert!(edgecoder_sandbox::docker::IMAGES.iter().any(|(ours, _)| *ours == image), "{image}");
        }
    }
}
