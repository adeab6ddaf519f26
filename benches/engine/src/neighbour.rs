//! llama-cpp-python in a process of its own, asked over its standard input, one JSON object a line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::json;

use crate::ours::Timing;

/// The process; ends with us.
pub(crate) struct Neighbour {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    version: String,
}

#[derive(Debug, Deserialize)]
struct Hello {
    version: String,
}

#[derive(Debug, Deserialize)]
struct Answer {
    prompt_tokens: u32,
    /// From asking to the first token of the answer.
    first_s: f64,
    rest_s: f64,
}

impl Neighbour {
    pub(crate) fn start(
        python: &Path,
        program: &Path,
        model: &Path,
        threads: u32,
        context: u32,
    ) -> anyhow::Result<Self> {
        let wish = json!({"model": model, "context": context, "threads": threads, "flash_attn": true});
        let mut process = Command::new(python)
            .arg(program)
            .arg(wish.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", python.display()))?;
        let input = process.stdin.take().context("it has no standard input")?;
        let output = BufReader::new(process.stdout.take().context("it has no standard output")?);
        let mut neighbour = Self { process, input, output, version: String::new() };
        neighbour.version = neighbour.read::<Hello>()?.version;
        Ok(neighbour)
    }

    pub(crate) fn describe(&self) -> String {
        format!("llama-cpp-python {}, flash attention on, one sequence", self.version)
    }

    pub(crate) fn ask(&mut self, text: &str, max_tokens: u32) -> anyhow::Result<Timing> {
        writeln!(self.input, "{}", json!({"text": text, "max_tokens": max_tokens}))?;
        self.input.flush()?;
        let answer: Answer = self.read()?;
        Ok(Timing {
            prompt_tokens: answer.prompt_tokens,
            output_tokens: max_tokens,
            seconds: answer.first_s + answer.rest_s,
        })
    }

    fn read<T: for<'de> Deserialize<'de>>(&mut self) -> anyhow::Result<T> {
        // Libraries may write a line of their own.
        loop {
            let mut line = String::new();
            anyhow::ensure!(self.output.read_line(&mut line)? > 0, "llama-cpp-python ended");
            if line.starts_with('{') {
                return Ok(serde_json::from_str(&line)?);
            }
        }
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
