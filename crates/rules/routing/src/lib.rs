//! Where a request for a completion is answered: on this machine first, then on the user's other machines, then as far
//! as the privacy tier allows, and never further. Each answer names the place, the reason, and why the others were
//! not taken ("why here").
//!
//! ```text
//! wish + places ─► choose ─┬─ Decision { chosen, why, rejected, otherwise } ─► first word? ─► may_go_on
//!                          └─ Refusal  (what blocks, by name)
//! ```
//!
//! **Invariants.** No place beyond the tier is ever chosen or named as a way out. The order of the places in the
//! argument does not matter. After the first word nothing is sent anywhere else.

pub mod choose;
pub mod failover;
pub mod latency;
pub mod place;
pub mod warmth;
pub mod wish;

pub use choose::{Decision, Limits, Refusal, Rejected, Why, WhyNot, choose};
pub use failover::{Hedge, Outcome, hedge_in, may_go_on};
pub use latency::Latency;
pub use place::{Needs, Place, PlaceId, Reach};
pub use warmth::{Prefix, Warmth};
pub use wish::{Model, Wish};
