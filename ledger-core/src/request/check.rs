//! What each request may say: every text, list and map within its bound, every word and number one that can be.
//!
//! Fields are named from the request on; the command's word is put before them.

use super::bounded::{
    artifacts, attempt, counts, executor, failure, fill, limit, lookup, metadata, names, note, notes, optional, output,
    result, usage, word, words,
};
use super::*;
use crate::text;
use crate::{Lookup, NoticeState, Recipient, Status, bounds};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

impl Create {
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.label.trim().is_empty() {
            return Err(Error::invalid("label", text::quote(&self.label), "a short title"));
        }
        bounds::text("label", &self.label, bounds::LABEL_BYTES)?;
        optional("task", &self.task, bounds::TASK_BYTES)?;
        word("runtime", &self.runtime)?;
        names([
            ("key", &self.key),
            ("kind", &self.kind),
            ("source_id", &self.source_id),
            ("run_id", &self.run_id),
            ("owner", &self.owner),
            ("requester_session", &self.requester_session),
            ("session", &self.session),
            ("agent", &self.agent),
            ("requester_agent", &self.requester_agent),
        ])?;
        self.parent.as_ref().map_or(Ok(()), |parent| lookup("parent", parent))?;
        self.retry_of.as_ref().map_or(Ok(()), |retry_of| lookup("retry_of", retry_of))?;
        metadata("metadata", &self.metadata)?;
        if let Some(claim) = &self.start {
            executor(&claim.executor).map_err(|error| error.within("start.executor"))?;
        }
        self.finish.as_ref().map_or(Ok(()), |end| end.check().map_err(|error| error.within("finish")))
    }
}

impl EndSpec {
    fn check(&self) -> Result<(), Error> {
        executors_end(self.status)?;
        words(self.status, &self.outcome, &self.reason)?;
        failure(&self.error)?;
        optional("summary", &self.summary, bounds::SUMMARY_BYTES)?;
        result(&self.result)?;
        output(&self.output)?;
        usage("usage", self.usage.as_ref())?;
        artifacts("artifacts", &self.artifacts)
    }
}

impl Start {
    pub(super) fn check(&self) -> Result<(), Error> {
        lookup("lookup", &self.lookup)?;
        executor(&self.executor).map_err(|error| error.within("executor"))?;
        fill(&self.fill).map_err(|error| error.within("fill"))
    }
}

impl ProgressRequest {
    pub(super) fn check(&self) -> Result<(), Error> {
        lookup("lookup", &self.lookup)?;
        attempt(self.attempt)?;
        names([("nonce", &self.nonce), ("unit", &self.unit)])?;
        note("text", &self.text)?;
        if let Some(waiting_on) = &self.waiting_on {
            word("waiting_on", waiting_on)?;
        }
        counts([("current", self.current), ("total", self.total)])?;
        if let (Some(current), Some(total)) = (self.current, self.total)
            && current > total
        {
            return Err(Error::invalid("current", current.to_string(), format!("at most total, {total}")));
        }
        usage("usage", self.usage.as_ref())?;
        artifacts("artifacts", &self.artifacts)?;
        fill(&self.fill).map_err(|error| error.within("fill"))
    }
}

impl Heartbeat {
    pub(super) fn check(&self) -> Result<(), Error> {
        lookup("lookup", &self.lookup)?;
        attempt(self.attempt)?;
        names([("nonce", &self.nonce)])
    }
}

impl Finish {
    pub(super) fn check(&self) -> Result<(), Error> {
        lookup("lookup", &self.lookup)?;
        attempt(self.attempt)?;
        names([("nonce", &self.nonce)])?;
        executors_end(self.status)?;
        words(self.status, &self.outcome, &self.reason)?;
        failure(&self.error)?;
        optional("summary", &self.summary, bounds::SUMMARY_BYTES)?;
        result(&self.result)?;
        output(&self.output)?;
        usage("usage", self.usage.as_ref())?;
        artifacts("artifacts", &self.artifacts)
    }
}

/// `lost` is for settlements and evidence.
fn executors_end(status: Status) -> Result<(), Error> {
    match status {
        Status::Lost => Err(Error::invalid(
            "status",
            "\"lost\" is a presumption, not an executor's word",
            "one of succeeded, failed, timed_out, cancelled",
        )),
        Status::Queued
        | Status::Running
        | Status::Succeeded
        | Status::Failed
        | Status::TimedOut
        | Status::Cancelled => Ok(()),
    }
}

impl Settle {
    pub(super) fn check(&self) -> Result<(), Error> {
        lookup("lookup", &self.lookup)?;
        names([("by", &self.by)])?;
        note("why", &self.why)?;
        let said = self.summary.is_some() || self.result.is_some() || self.error.is_some();
        if self.status == Status::Lost && said {
            let expected = "a final status: lost work has said nothing";
            return Err(Error::invalid("status", "\"lost\" with a report", expected));
        }
        words(self.status, &self.outcome, &self.reason)?;
        failure(&self.error)?;
        optional("summary", &self.summary, bounds::SUMMARY_BYTES)?;
        result(&self.result)
    }
}

impl CancelRequest {
    pub(super) fn check(&self) -> Result<(), Error> {
        lookup("lookup", &self.lookup)?;
        names([("by", &self.by)])?;
        note("why", &self.why)
    }
}

impl Notify {
    pub(super) fn check(&self) -> Result<(), Error> {
        lookup("lookup", &self.lookup)
    }
}

fn recipient(field: &str, name: Option<&str>) -> Result<(), Error> {
    name.map_or(Ok(()), |name| Recipient::parse(field, name).map(drop))
}

impl Notices {
    pub(super) fn check(&self) -> Result<(), Error> {
        recipient("recipient", self.recipient.as_deref())?;
        bounds::count("state", self.state.len(), NoticeState::ALL.len())?;
        self.task.as_ref().map_or(Ok(()), |task| lookup("task", task))?;
        limit(self.limit)
    }
}

impl NoticesClaim {
    pub(super) fn check(&self) -> Result<(), Error> {
        bounds::count("recipients", self.recipients.len(), bounds::NOTICES)?;
        self.recipients.iter().try_for_each(|name| recipient("recipients", Some(name)))?;
        names([("consumer", &self.consumer)])?;
        if self.lease == Some(crate::Span::ZERO) {
            return Err(Error::invalid("lease", "0 ms", "a length of time to deliver them in"));
        }
        match self.limit {
            Some(limit) if limit == 0 || limit as usize > bounds::NOTICES => {
                Err(Error::invalid("limit", limit.to_string(), alloc::format!("1 to {}", bounds::NOTICES)))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl NoticesAck {
    pub(super) fn check(&self) -> Result<(), Error> {
        bounds::name("claim", &self.claim)?;
        bounds::count("notices", self.notices.len(), bounds::NOTICES)
    }
}

impl NoticesNack {
    pub(super) fn check(&self) -> Result<(), Error> {
        bounds::name("claim", &self.claim)?;
        bounds::text("reason", &self.reason, bounds::NOTE_BYTES)?;
        bounds::count("notices", self.notices.len(), bounds::NOTICES)
    }
}

impl NoticesRetry {
    pub(super) fn check(&self) -> Result<(), Error> {
        bounds::count("notices", self.notices.len(), bounds::NOTICES)
    }
}

impl NoticesDrop {
    pub(super) fn check(&self) -> Result<(), Error> {
        bounds::count("notices", self.notices.len(), bounds::NOTICES)
    }
}

impl NoticesDismiss {
    pub(super) fn check(&self) -> Result<(), Error> {
        note("reason", &self.reason)?;
        bounds::count("notices", self.notices.len(), bounds::NOTICES)
    }
}

impl FlowCreate {
    pub(super) fn check(&self) -> Result<(), Error> {
        names([("key", &self.key), ("owner", &self.owner), ("controller", &self.controller)])?;
        if let Some(task) = &self.mirrors {
            lookup("mirrors", task)?;
            let said = self.goal.is_some() || self.controller.is_some() || self.key.is_some() || self.step.is_some();
            return match said || self.state.is_some() || self.running {
                true => {
                    let expected = "`mirrors` alone: everything else is read from the task";
                    Err(Error::invalid("mirrors", "more than that is given", expected))
                }
                false => Ok(()),
            };
        }
        match &self.goal {
            Some(goal) if !goal.trim().is_empty() => bounds::text("goal", goal, bounds::GOAL_BYTES)?,
            Some(_) | None => return Err(Error::invalid("goal", "nothing", "what the flow is for")),
        }
        if self.controller.is_none() {
            return Err(Error::invalid("controller", "nothing", "a name by which its host finds it again"));
        }
        note("step", &self.step)?;
        flow_state("state", &self.state)
    }
}

fn flow_state(field: &str, value: &Option<crate::Json>) -> Result<(), Error> {
    value.as_ref().map_or(Ok(()), |json| bounds::json(field, json.as_str(), bounds::FLOW_STATE_BYTES))
}

fn moved(step: &Option<Option<String>>, state: &Option<Option<crate::Json>>) -> Result<(), Error> {
    step.as_ref().map_or(Ok(()), |step| note("step", step))?;
    state.as_ref().map_or(Ok(()), |state| flow_state("state", state))
}

fn blocked(task: &Option<Lookup>, summary: &Option<String>) -> Result<(), Error> {
    task.as_ref().map_or(Ok(()), |task| lookup("blocked_task", task))?;
    note("blocked_summary", summary)
}

impl FlowList {
    pub(super) fn check(&self) -> Result<(), Error> {
        bounds::count("status", self.status.len(), crate::FlowStatus::ALL.len())?;
        names([("controller", &self.controller), ("after", &self.after)])?;
        limit(self.limit)
    }
}

impl FlowShow {
    pub(super) fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl FlowWait {
    pub(super) fn check(&self) -> Result<(), Error> {
        counts([("revision", Some(self.revision))])?;
        moved(&self.step, &self.state)?;
        self.wait.as_ref().map_or(Ok(()), |wait| flow_state("wait", wait))?;
        blocked(&self.blocked_task, &self.blocked_summary)
    }
}

impl FlowResume {
    pub(super) fn check(&self) -> Result<(), Error> {
        counts([("revision", Some(self.revision))])?;
        moved(&self.step, &self.state)
    }
}

impl FlowFinish {
    pub(super) fn check(&self) -> Result<(), Error> {
        counts([("revision", Some(self.revision))])?;
        moved(&self.step, &self.state)
    }
}

impl FlowFail {
    pub(super) fn check(&self) -> Result<(), Error> {
        counts([("revision", Some(self.revision))])?;
        moved(&self.step, &self.state)?;
        blocked(&self.blocked_task, &self.blocked_summary)
    }
}

impl FlowCancelRequest {
    pub(super) fn check(&self) -> Result<(), Error> {
        names([("by", &self.by)])?;
        note("why", &self.why)
    }
}

impl List {
    pub(super) fn check(&self) -> Result<(), Error> {
        bounds::count("status", self.status.0.len(), Status::ALL.len())?;
        word("runtime", &self.runtime)?;
        names([
            ("kind", &self.kind),
            ("session", &self.session),
            ("agent", &self.agent),
            ("run_id", &self.run_id),
            ("after", &self.after),
        ])?;
        notes([("label", &self.label), ("search", &self.search)])?;
        metadata("metadata", &self.metadata)?;
        self.parent.as_ref().map_or(Ok(()), |parent| lookup("parent", parent))?;
        limit(self.limit)
    }
}

impl Show {
    pub(super) fn check(&self) -> Result<(), Error> {
        lookup("lookup", &self.lookup)?;
        recipient("ack", self.ack.as_deref())
    }
}

impl History {
    pub(super) fn check(&self) -> Result<(), Error> {
        lookup("lookup", &self.lookup)?;
        limit(self.limit)
    }
}

impl Tree {
    pub(super) fn check(&self) -> Result<(), Error> {
        lookup("lookup", &self.lookup)
    }
}

impl Watch {
    pub(super) fn check(&self) -> Result<(), Error> {
        self.lookup.as_ref().map_or(Ok(()), |task| lookup("lookup", task))?;
        if let Some(after) = self.after
            && i64::try_from(after.0).is_err()
        {
            return Err(Error::invalid("after", after.0.to_string(), "the `seq` of an event, or 0"));
        }
        limit(self.limit)
    }
}

impl Wait {
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.lookups.is_empty() {
            return Err(Error::invalid("lookups", "none", "at least one task"));
        }
        bounds::count("lookups", self.lookups.len(), bounds::WAIT_LOOKUPS)?;
        self.lookups.iter().try_for_each(|task: &Lookup| lookup("lookups", task))?;
        recipient("ack", self.ack.as_deref())
    }
}

impl Stats {
    pub(super) fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

fn code(word: &str) -> Result<(), Error> {
    match crate::audit::Code::from_word(word) {
        Some(_) => Ok(()),
        None => {
            let words: Vec<&str> = crate::audit::RULES.iter().map(|rule| rule.word).collect();
            Err(Error::invalid("code", text::quote(word), format!("one of {}", words.join(", "))))
        }
    }
}

impl Audit {
    pub(super) fn check(&self) -> Result<(), Error> {
        self.code.as_deref().map_or(Ok(()), code)?;
        limit(self.limit)
    }
}

impl Acknowledge {
    pub(super) fn check(&self) -> Result<(), Error> {
        code(&self.code)?;
        bounds::text("subject", &self.subject, bounds::RECIPIENT_BYTES)?;
        if self.subject.is_empty() {
            return Err(Error::invalid("subject", "nothing", "what the finding says that it is about"));
        }
        names([("by", &self.by)])?;
        note("note", &self.note)
    }
}

impl Maintenance {
    pub(super) fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Reconcile {
    pub(super) fn check(&self) -> Result<(), Error> {
        bounds::word("runtime", &self.runtime)?;
        names([("by", &self.by)])?;
        bounds::count("owned", self.owned.len(), bounds::RECONCILED)?;
        bounds::count("ended", self.ended.len(), bounds::RECONCILED)?;
        self.owned.iter().try_for_each(|task| lookup("owned", task))?;
        self.ended.iter().enumerate().try_for_each(|(place, known)| {
            lookup("lookup", &known.lookup)
                .and_then(|()| known.end.check().map_err(|error| error.within("end")))
                .map_err(|error| error.within(&format!("ended[{place}]")))
        })
    }
}

impl Drain {
    pub(super) fn check(&self) -> Result<(), Error> {
        word("runtime", &self.runtime)
    }
}

impl Prune {
    pub(super) fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Config {
    pub(super) fn check(&self) -> Result<(), Error> {
        if let Some(name) = &self.get {
            crate::config::key(name)?;
        }
        self.set.iter().try_for_each(|(name, value)| match value {
            Some(value) => crate::config::value(name, value).map(drop),
            None => crate::config::key(name).map(drop),
        })
    }
}

impl Doctor {
    pub(super) fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Backup {
    pub(super) fn check(&self) -> Result<(), Error> {
        path("to", &self.to)
    }
}

impl Recover {
    pub(super) fn check(&self) -> Result<(), Error> {
        self.from.as_ref().map_or(Ok(()), |from| path("from", from))?;
        path("to", &self.to)
    }
}

impl Migrate {
    pub(super) fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// The path of a file, for the system to judge.
fn path(field: &str, path: &str) -> Result<(), Error> {
    if path.is_empty() || path.contains('\0') {
        return Err(Error::invalid(field, text::quote(path), "the path of a file"));
    }
    bounds::text(field, path, bounds::PATH_BYTES)
}

impl Verify {
    pub(super) fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}
