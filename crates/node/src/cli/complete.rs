//! `edgecoder completions`, `edgecoder man` and the reference pages, made from the grammar itself.

use std::fs;
use std::path::Path;

use clap::CommandFactory;

use super::Cli;
use crate::error::{Error, Exit};
use crate::output::Output;

pub(super) fn completions(out: Output, shell: clap_complete::Shell) -> Result<Exit, Error> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "edgecoder", &mut text);
    out.raw(&String::from_utf8_lossy(&text));
    Ok(Exit::Done)
}

pub(super) fn manual(out: Output, folder: Option<&Path>) -> Result<Exit, Error> {
    match folder {
        Some(folder) => {
            fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
            clap_mangen::generate_to(Cli::command(), folder).map_err(Error::io("write", folder))?;
        }
        None => {
            let mut text = Vec::new();
            let page = clap_mangen::Man::new(Cli::command());
            page.render(&mut text).map_err(Error::io("render", "the manual page"))?;
            out.raw(&String::from_utf8_lossy(&text));
        }
    }
    Ok(Exit::Done)
}

pub(super) fn reference(folder: &Path) -> Result<Exit, Error> {
    for (name, text) in crate::reference::pages() {
        let path = folder.join(name);
        fs::write(&path, text).map_err(Error::io("write", &path))?;
    }
    Ok(Exit::Done)
}
