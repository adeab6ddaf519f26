//! Where the local engine's model lies when the settings name none.

use std::path::{Path, PathBuf};

/// The shipped model, below a folder `models`.
const SHIPPED: &str = "tiny/edgecoder-tiny.gguf";
/// Folders above the program that are searched: an installation has one or two, a build tree a few more.
const LEVELS: usize = 5;

/// The configured file, else the shipped model beside the program, in its installation, or in the tree it was
/// built in; the likeliest place when there is none, so that an error can name it.
pub(crate) fn locate(configured: Option<&Path>, program: &Path, working: &Path) -> PathBuf {
    if let Some(path) = configured {
        return path.to_owned();
    }
    let above = program.ancestors().skip(1).take(LEVELS);
    let places = above.flat_map(|dir| [dir.join("models"), dir.join("share/edgecoder/models")]);
    let mut files = places.chain([working.join("models")]).map(|dir| dir.join(SHIPPED)).peekable();
    let likeliest = files.peek().cloned().unwrap_or_else(|| PathBuf::from(SHIPPED));
    files.find(|file| file.is_file()).unwrap_or(likeliest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_model_is_found_around_the_program() {
        let home = tempfile::tempdir().unwrap();
        let at = |path: &str| home.path().join(path);
        let nowhere = Path::new("/nonexistent");
        let program = at("a/bin/edgecoder");
        assert_eq!(locate(None, &program, nowhere), at("a/bin/models/tiny/edgecoder-tiny.gguf"));
        for place in ["work/models", "a/share/edgecoder/models"] {
            std::fs::create_dir_all(at(place).join("tiny")).unwrap();
            std::fs::write(at(place).join(SHIPPED), b"GGUF").unwrap();
            assert_eq!(locate(None, &program, &at("work")), at(place).join(SHIPPED));
        }
        assert_eq!(locate(Some(Path::new("x.gguf")), &program, nowhere), Path::new("x.gguf"));
    }
}
