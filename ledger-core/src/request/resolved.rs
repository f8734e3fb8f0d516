//! Requests as the commands they mean.

use super::recording::{EndSpec, Finish, Heartbeat, ProgressRequest, Settle};
use crate::command::{ClaimToken, End};
use crate::event::Progress;
use crate::event::Report;
use crate::{Failure, Output, Status, bounds};
use alloc::format;

impl ProgressRequest {
    /// Whose word it is.
    pub fn token(&self) -> ClaimToken {
        ClaimToken { attempt: self.attempt, nonce: self.nonce.clone() }
    }

    /// What it says.
    pub fn progress(&self) -> Progress {
        Progress {
            text: self.text.clone(),
            current: self.current,
            total: self.total,
            unit: self.unit.clone(),
            waiting_on: self.waiting_on.clone(),
            usage: self.usage.clone(),
            artifacts: self.artifacts.clone(),
            fill: self.fill.clone(),
            reported_at: None,
        }
    }
}

impl Heartbeat {
    /// Whose word it is.
    pub fn token(&self) -> ClaimToken {
        ClaimToken { attempt: self.attempt, nonce: self.nonce.clone() }
    }
}

impl Finish {
    /// Whose word it is.
    pub fn token(&self) -> ClaimToken {
        ClaimToken { attempt: self.attempt, nonce: self.nonce.clone() }
    }

    /// How it ended. Details over their bound are cut to their end, which says so.
    pub fn end(&self) -> End {
        End {
            status: self.status,
            outcome: self.outcome.clone(),
            reason: self.reason.clone(),
            report: Report {
                error: self.error.clone().map(cut_failure),
                summary: self.summary.clone(),
                result: self.result.clone(),
                exit_code: self.exit_code,
                signal: self.signal,
                output: self.output.clone().map(cut_output),
                artifacts: self.artifacts.clone(),
                usage: self.usage.clone(),
            },
            ended_at: self.ended_at,
        }
    }
}

impl From<EndSpec> for End {
    fn from(spec: EndSpec) -> End {
        End {
            status: spec.status,
            outcome: spec.outcome,
            reason: spec.reason,
            report: Report {
                error: spec.error.map(cut_failure),
                summary: spec.summary,
                result: spec.result,
                exit_code: spec.exit_code,
                signal: spec.signal,
                output: spec.output.map(cut_output),
                artifacts: spec.artifacts,
                usage: spec.usage,
            },
            ended_at: spec.ended_at,
        }
    }
}

impl Settle {
    /// How it ended. Without an error of its own, the author's reason is what went wrong.
    pub fn end(&self) -> End {
        let why = || self.why.clone().map(|message| Failure { message: Some(message), ..Failure::default() });
        let error = match self.status {
            Status::Failed | Status::TimedOut | Status::Cancelled => self.error.clone().or_else(why),
            Status::Queued | Status::Running | Status::Succeeded | Status::Lost => self.error.clone(),
        };
        End {
            status: self.status,
            outcome: self.outcome.clone(),
            reason: self.reason.clone(),
            report: Report {
                error: error.map(cut_failure),
                summary: self.summary.clone(),
                result: self.result.clone(),
                ..Report::default()
            },
            ended_at: self.ended_at,
        }
    }
}

fn cut_failure(mut failure: Failure) -> Failure {
    failure.detail = failure.detail.map(|detail| match bounds::tail(&detail, bounds::ERROR_DETAIL_BYTES) {
        (_, false) => detail,
        (_, true) => {
            let mark = "[… cut …]\n";
            let room = bounds::ERROR_DETAIL_BYTES.saturating_sub(mark.len());
            format!("{mark}{}", bounds::tail(&detail, room).0)
        }
    });
    failure
}

fn cut_output(mut output: Output) -> Output {
    output.bytes = output.bytes.max(output.tail.len() as u64);
    if let (tail, true) = bounds::tail(&output.tail, bounds::OUTPUT_TAIL_BYTES) {
        output.tail = tail.into();
        output.truncated = true;
    }
    output
}
