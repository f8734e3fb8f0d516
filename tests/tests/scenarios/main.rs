//! What went wrong in other ledgers, told again: each story must end well here.

mod a_run_leaves_one_truth;
mod cancel_reaches_hosts_by_a_hook;
mod cancel_tells_the_truth;
mod durable_evidence_beats_presumption;
mod failed_writes_leave_one_truth;
mod healthy_systems_audit_clean;
mod live_work_is_left_alone;
mod one_useful_notice;
mod restarts_are_fenced;
mod retention_is_per_aggregate;
mod the_past_costs_nothing;
mod unreadable_is_not_empty;
mod what_survives_is_stopped;
