//! Running a program in the sandbox and judging what it shows.

use std::collections::BTreeMap;

use edgecoder_agent::eval::{Ending, Failed, FailureClass, Problem, Ran, SampleReport, classify, program};
use edgecoder_base::BlobHash;
use edgecoder_sandbox::{Exit, Job, JobFile, Limits, Report};
use tokio_util::sync::CancellationToken;

use super::{Evaluation, Sample, failed};

/// The program's file.
const FILE: &str = "solution.py";
/// Isolated: neither the tree nor variables nor a user's packages change what an import finds.
const COMMAND: &str = "exec python3 -I -B solution.py";
/// Output kept of each stream.
const OUTPUT_BYTES: usize = 64 << 10;
/// Files that a program may write.
const DISK_BYTES: u64 = 64 << 20;
/// Processes and threads of a program.
const PROCESSES: u32 = 64;

impl Evaluation {
    /// Runs `code` with the problem's test behind it.
    pub(super) async fn try_out(
        &self,
        problem: &Problem,
        sample: &Sample,
        code: &str,
        report: &mut SampleReport,
        stop: &CancellationToken,
    ) -> Result<(), Failed> {
        let token = self.token(problem, sample);
        let Some(text) = program(&problem.task, code, &token) else {
            return Err(failed(FailureClass::Sandbox, "there is no program to run"));
        };
        let job = Job {
            files: vec![JobFile::write(FILE, text)],
            env: BTreeMap::from([("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned())]),
            limits: Limits {
                wall: self.config.time_limit,
                cpu: self.config.time_limit,
                memory_bytes: self.config.memory_bytes,
                processes: PROCESSES,
                output_bytes: OUTPUT_BYTES,
                disk_bytes: DISK_BYTES,
                ..Limits::default()
            },
            min_level: self.config.min_level,
            ..Job::new(&self.deps.scratch, COMMAND)
        };
        let ran = self.confined(job, report, stop).await?;
        let (stdout, stderr) = (ran.stdout.text(), ran.stderr.text());
        let ran = Ran { ending: ending(ran.exit), stdout: &stdout, stderr: &stderr };
        classify(ran, &token, problem.task.entry_point())
    }

    /// Runs a job when a place for it is free.
    pub(super) async fn confined(
        &self,
        job: Job,
        report: &mut SampleReport,
        stop: &CancellationToken,
    ) -> Result<Report, Failed> {
        let lost = |error: &dyn std::fmt::Display| failed(FailureClass::Sandbox, error.to_string());
        let _place = self.jobs.acquire().await.map_err(|error| lost(&error))?;
        let ran = self.deps.sandbox.run(job, stop.child_token()).await.map_err(|error| lost(&error))?;
        report.run_ms = report.run_ms.saturating_add(u64::try_from(ran.wall.as_millis()).unwrap_or(u64::MAX));
        self.saw_level(ran.level);
        Ok(ran)
    }

    /// The last word of a program that got to its end; no answer can know it.
    fn token(&self, problem: &Problem, sample: &Sample) -> String {
        let text = format!("end {} {} {}", self.config.seed, problem.id, sample.seed);
        format!("passed-{}", BlobHash::of(text.as_bytes()).short())
    }
}

fn ending(exit: Exit) -> Ending {
    match exit {
        Exit::Code(code) => Ending::Code(code),
        Exit::Signal(signal) => Ending::Signal(signal),
        Exit::WallTimeout | Exit::CpuTimeout => Ending::TimeOut,
        Exit::OutputFlood => Ending::Flood,
        Exit::OutOfMemory => Ending::Memory,
    }
}
