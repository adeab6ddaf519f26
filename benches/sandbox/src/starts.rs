//! What a start costs alone, among many, and what an end by force costs.

use std::time::{Duration, Instant};

use anyhow::ensure;
use edgecoder_sandbox::{Exit, Job, Limits, Sandbox};
use futures::future::try_join_all;
use tokio_util::sync::CancellationToken;

use crate::figures::Figures;
use crate::neighbours::Neighbour;

/// Starts before the count begins: caches fill.
const WARM_UP: usize = 10;
/// The slow ones need not start as often.
const DOCKER_SHARE: usize = 15;
/// The limit at which everything is killed.
const WALL: Duration = Duration::from_millis(250);

/// One after the other, in turns.
pub(crate) async fn measure(
    neighbours: &[Neighbour],
    count: usize,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let tree = tempfile::tempdir()?;
    for round in 0..WARM_UP + count {
        for neighbour in neighbours {
            if matches!(neighbour, Neighbour::Docker { .. }) && round % DOCKER_SHARE != 0 {
                continue;
            }
            let took = neighbour.start(tree.path()).await?;
            if round >= WARM_UP {
                figures.add("one start", neighbour.name(), took);
            }
        }
    }
    Ok(())
}

/// All at once: each one's time, and the time of all.
pub(crate) async fn parallel(sandbox: &Sandbox, count: usize, figures: &mut Figures) -> anyhow::Result<()> {
    let tree = tempfile::tempdir()?;
    let started = Instant::now();
    let one = async || {
        let report = sandbox.run(Job::new(tree.path(), "true"), CancellationToken::new()).await?;
        ensure!(report.exit == Exit::Code(0), "one of many ended with {:?}", report.exit);
        anyhow::Ok(report.wall)
    };
    for took in try_join_all((0..count).map(|_| one())).await? {
        figures.add("one of many at once", "ours", took);
    }
    figures.add("many at once, all of them", "ours", started.elapsed());
    Ok(())
}

/// From the wall-clock limit to the death of the last of a family that ignores every signal.
pub(crate) async fn kills(sandbox: &Sandbox, count: usize, figures: &mut Figures) -> anyhow::Result<()> {
    let tree = tempfile::tempdir()?;
    let command = "trap '' TERM HUP INT; for n in 1 2 3 4 5 6 7 8; do setsid sleep 60 & done; exec sleep 60";
    for _ in 0..count {
        let limits = Limits { wall: WALL, ..Limits::default() };
        let job = Job { limits, ..Job::new(tree.path(), command) };
        let report = sandbox.run(job, CancellationToken::new()).await?;
        ensure!(report.exit == Exit::WallTimeout, "it ended with {:?}", report.exit);
        figures.add("from the limit to the last death", "ours", report.wall.saturating_sub(WALL));
    }
    Ok(())
}
