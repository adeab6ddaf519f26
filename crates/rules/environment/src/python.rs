//! Python's ways to write down what is needed, all turned into requirements that `pip` reads.

pub(crate) mod locked;
pub(crate) mod requirements;
