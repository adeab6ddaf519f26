//! Behaviour of the workspace adapter against real directories and hostile repositories.

mod freeze;
mod hostile;
mod patches;
mod support;
mod trees;
