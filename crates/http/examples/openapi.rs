//! Writes `openapi/*.json` and two pages of `docs/reference`, or with `--check` says which are stale.

use std::path::Path;
use std::process::ExitCode;

fn main() -> std::io::Result<ExitCode> {
    let check = std::env::args().any(|argument| argument == "--check");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut documents = vec![
        ("docs/reference/errors.md".to_owned(), edgecoder_http::errors_page()),
        ("docs/reference/ide-conformance.md".to_owned(), edgecoder_http::ide::conformance_page()),
    ];
    for (door, text) in edgecoder_http::openapi_documents() {
        documents.push((format!("openapi/{door}.json"), text));
    }
    let mut code = ExitCode::SUCCESS;
    for (path, text) in documents {
        let place = root.join(&path);
        if check && std::fs::read_to_string(&place).ok().as_ref() != Some(&text) {
            tell(&format!("{path} is stale: run `cargo xtask openapi`"))?;
            code = ExitCode::FAILURE;
        } else if !check {
            place.parent().map(std::fs::create_dir_all).transpose()?;
            std::fs::write(place, text)?;
        }
    }
    Ok(code)
}

fn tell(line: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    writeln!(std::io::stderr(), "{line}")
}
