//! A question to the person at the terminal. Where nobody can answer, nobody agreed.

use std::io::{IsTerminal, Write};

use super::Context;
use crate::error::Error;

/// Whether the person said yes to `question`. Without a terminal it is an error that says `otherwise`.
pub(super) fn agreed(context: &Context, question: &str, otherwise: &str) -> Result<bool, Error> {
    if !std::io::stdin().is_terminal() || !context.out.is_live() {
        return Err(Error::Usage(otherwise.to_owned()));
    }
    let mut terminal = std::io::stderr();
    let asked = write!(terminal, "{question} [y/N] ").and_then(|()| terminal.flush());
    asked.map_err(Error::io("ask", "at the terminal"))?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(Error::io("read", "the answer"))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
