//! Measuring a model by what its code does: suites of problems, the answer made into a program, what its run
//! shows, and the report. Running belongs to the worker; here is everything that only thinks.

pub mod classify;
pub mod estimate;
pub mod markdown;
pub mod plot;
pub mod program;
pub mod prompt;
pub mod report;
pub mod suite;

pub use classify::{Ending, Failed, FailureClass, Ran, classify};
pub use estimate::pass_at;
pub use program::{answered, canonical, mutants, program};
pub use prompt::ask;
pub use report::{ProblemReport, Report, SampleReport, Solutions};
pub use suite::{Problem, Suite, SuiteError, Task};
