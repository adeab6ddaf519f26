//! One list of behaviours, run on every database: what keeps the twins equal. Whatever a behaviour did, its
//! ledgers must verify afterwards, and again after the store was closed and opened.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]

#[path = "conformance/bell.rs"]
mod bell;
#[path = "conformance/coordinators.rs"]
mod coordinators;
#[path = "conformance/ledger.rs"]
mod ledger;
#[path = "conformance/nodes.rs"]
mod nodes;
#[path = "conformance/queue.rs"]
mod queue;
#[path = "conformance/tasks.rs"]
mod tasks;
#[allow(dead_code, reason = "shared with the other suites of this crate, which need more of it")]
#[path = "conformance/world.rs"]
mod world;

macro_rules! behaviours {
    ($($part:ident: $($name:ident),* $(,)?;)*) => {
        mod sqlite {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let world = crate::world::World::sqlite().await;
                crate::$part::$name(&world).await;
                world.finish().await;
            })*)*
        }
        mod postgres {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let world = crate::world::World::postgres(stringify!($name)).await;
                crate::$part::$name(&world).await;
                world.finish().await;
            })*)*
        }
    };
}

behaviours! {
    tasks:
        a_task_is_kept_as_it_was_submitted,
        the_same_id_is_one_task,
        the_same_key_is_one_submission,
        sixty_four_submissions_under_one_key_are_one_task,
        a_change_is_kept_whole,
        a_refused_change_writes_nothing,
        an_unknown_task_cannot_be_changed,
        an_answer_is_kept_beside_its_task,
        tasks_are_listed_page_by_page_newest_first,
        numbers_follow_the_tasks;
    queue:
        work_goes_out_by_rank_and_then_by_arrival,
        judgements_go_to_the_own_worker_and_first,
        content_goes_no_further_than_its_tier,
        work_behind_a_long_queue_of_unfit_rows_is_found,
        a_pause_is_kept,
        a_worker_holds_no_more_than_it_may,
        a_worker_learns_that_it_was_passed_by,
        no_row_is_leased_twice,
        expired_leases_go_back,
        what_a_restarted_worker_held_goes_back_without_a_try,
        a_stale_epoch_changes_nothing,
        the_next_look_is_due_at_the_first_deadline;
    bell:
        no_ring_is_lost,
        one_row_wakes_one_waiter,
        the_pulse_follows_every_commit;
    ledger:
        a_task_tells_its_events_in_order,
        entries_and_checkpoints_come_page_by_page,
        what_a_refusal_would_have_written_is_not_in_the_ledger;
    nodes:
        a_nonce_is_spent_once,
        an_expired_nonce_may_come_again,
        a_nonce_is_on_disk_with_what_it_allowed,
        a_node_is_kept_and_replaced;
    coordinators:
        two_coordinators_lease_no_row_twice,
        one_coordinator_hears_of_the_others_work;
}
