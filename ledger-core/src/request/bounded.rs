//! The bounds of the parts that requests share.

use super::recording::ExecutorSpec;
use crate::event::Fill;
use crate::text;
use crate::{Artifact, Error, Executor, Failure, Json, Lookup, Metadata, Output, Status, Usage, bounds};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};

pub(super) fn optional(field: &str, value: &Option<String>, most: usize) -> Result<(), Error> {
    value.as_ref().map_or(Ok(()), |value| bounds::text(field, value, most))
}

pub(super) fn names<'a>(fields: impl IntoIterator<Item = (&'static str, &'a Option<String>)>) -> Result<(), Error> {
    fields.into_iter().try_for_each(|(field, value)| value.as_ref().map_or(Ok(()), |value| bounds::name(field, value)))
}

pub(super) fn note(field: &str, value: &Option<String>) -> Result<(), Error> {
    optional(field, value, bounds::NOTE_BYTES)
}

pub(super) fn notes<'a>(fields: impl IntoIterator<Item = (&'static str, &'a Option<String>)>) -> Result<(), Error> {
    fields.into_iter().try_for_each(|(field, value)| note(field, value))
}

pub(super) fn word(field: &str, value: &Option<String>) -> Result<(), Error> {
    value.as_ref().map_or(Ok(()), |value| bounds::word(field, value))
}

/// Lookups are read without a bound, so that an error can name the field.
pub(super) fn lookup(field: &str, lookup: &Lookup) -> Result<(), Error> {
    match lookup {
        Lookup::Number(_) | Lookup::Id(_) => Ok(()),
        Lookup::Run(text) | Lookup::Session(text) | Lookup::Text(text) => bounds::name(field, text),
    }
}

pub(super) fn attempt(attempt: Option<u32>) -> Result<(), Error> {
    match attempt {
        Some(0) => Err(Error::invalid("attempt", "0", "an attempt's number, from 1")),
        Some(_) | None => Ok(()),
    }
}

/// A success has an outcome, every other end a reason.
pub(super) fn words(status: Status, outcome: &Option<String>, reason: &Option<String>) -> Result<(), Error> {
    word("outcome", outcome)?;
    word("reason", reason)?;
    match (status, outcome, reason) {
        (Status::Queued | Status::Running, _, _) => Err(Error::invalid(
            "status",
            format!("{:?} is not an end", status.as_str()),
            "one of succeeded, failed, timed_out, cancelled",
        )),
        (Status::Succeeded, _, Some(reason)) => {
            Err(Error::invalid("reason", text::quote(reason), "none: a success has an outcome"))
        }
        (Status::Failed | Status::TimedOut | Status::Cancelled | Status::Lost, Some(outcome), _) => {
            Err(Error::invalid("outcome", text::quote(outcome), "none: only a success has an outcome"))
        }
        (Status::Succeeded, _, None)
        | (Status::Failed | Status::TimedOut | Status::Cancelled | Status::Lost, None, _) => Ok(()),
    }
}

/// A detail over its bound is no error: it is cut.
pub(super) fn failure(failure: &Option<Failure>) -> Result<(), Error> {
    let Some(failure) = failure else { return Ok(()) };
    optional("error.type", &failure.kind, bounds::NAME_BYTES)?;
    optional("error.message", &failure.message, bounds::ERROR_MESSAGE_BYTES)?;
    optional("error.detail", &failure.detail, bounds::REQUEST_BYTES)
}

pub(super) fn result(result: &Option<Json>) -> Result<(), Error> {
    result.as_ref().map_or(Ok(()), |result| bounds::json("result", result.as_str(), bounds::RESULT_BYTES))
}

/// A tail over its bound is no error: it is cut.
pub(super) fn output(output: &Option<Output>) -> Result<(), Error> {
    let Some(output) = output else { return Ok(()) };
    bounds::text("output.tail", &output.tail, bounds::REQUEST_BYTES)?;
    counts([("output.bytes", Some(output.bytes))])
}

pub(super) fn metadata(field: &str, metadata: &Metadata) -> Result<(), Error> {
    bounds::count(field, metadata.len(), bounds::METADATA_ENTRIES)?;
    metadata.iter().try_for_each(|(name, value)| {
        bounds::name("(a name)", name)
            .and_then(|()| bounds::text(name, value.as_str(), bounds::METADATA_VALUE_BYTES))
            .map_err(|error| error.within(field))
    })
}

pub(super) fn artifacts(field: &str, artifacts: &BTreeMap<String, Artifact>) -> Result<(), Error> {
    bounds::count(field, artifacts.len(), bounds::ARTIFACTS)?;
    artifacts.iter().try_for_each(|(name, one)| {
        bounds::name("(a name)", name)
            .and_then(|()| artifact(one).map_err(|error| error.within(name)))
            .map_err(|error| error.within(field))
    })
}

fn artifact(artifact: &Artifact) -> Result<(), Error> {
    bounds::text("uri", &artifact.uri, bounds::URI_BYTES)?;
    counts([("size", artifact.size)])?;
    optional("media_type", &artifact.media_type, bounds::NAME_BYTES)?;
    match &artifact.sha256 {
        Some(hash) if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Err(Error::invalid("sha256", text::quote(hash), "64 hexadecimal digits"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Counts fit the signed integers of storage and of other languages.
pub(super) fn counts<'a>(counts: impl IntoIterator<Item = (&'a str, Option<u64>)>) -> Result<(), Error> {
    counts.into_iter().try_for_each(|(field, count)| match count {
        Some(count) if i64::try_from(count).is_err() => {
            Err(Error::invalid(field, count.to_string(), "a count below 2^63"))
        }
        Some(_) | None => Ok(()),
    })
}

pub(super) fn usage(field: &str, usage: Option<&Usage>) -> Result<(), Error> {
    let Some(usage) = usage else { return Ok(()) };
    let spent = || {
        counts([
            ("tokens_in", Some(usage.tokens_in)),
            ("tokens_out", Some(usage.tokens_out)),
            ("tokens_cached", Some(usage.tokens_cached)),
            ("tool_calls", Some(usage.tool_calls)),
        ])?;
        bounds::count("cost", usage.cost.len(), bounds::CURRENCIES)?;
        usage.cost.iter().try_for_each(|(currency, micros)| {
            bounds::name("cost.(a currency)", currency)?;
            counts([("cost", Some(*micros))])
        })
    };
    spent().map_err(|error| error.within(field))
}

pub(super) fn fill(fill: &Fill) -> Result<(), Error> {
    names([
        ("kind", &fill.kind),
        ("source_id", &fill.source_id),
        ("run_id", &fill.run_id),
        ("requester_session", &fill.requester_session),
        ("session", &fill.session),
        ("agent", &fill.agent),
        ("requester_agent", &fill.requester_agent),
    ])?;
    match fill.root {
        Some(_) => Err(Error::invalid("root", "a root", "none: it follows from the parent")),
        None => Ok(()),
    }
}

pub(super) fn executor(executor: &Option<ExecutorSpec>) -> Result<(), Error> {
    match executor {
        Some(ExecutorSpec::Identity(identity)) => host_named(identity).map_err(|error| error.within("identity")),
        Some(ExecutorSpec::Process { pid, group }) => {
            process_id("pid", Some(*pid)).and_then(|()| process_id("group", *group)).map_err(|e| e.within("process"))
        }
        Some(ExecutorSpec::External | ExecutorSpec::This) | None => Ok(()),
    }
}

fn host_named(executor: &Executor) -> Result<(), Error> {
    names([("machine", &executor.machine), ("boot", &executor.boot), ("nonce", &executor.nonce)])?;
    process_id("pid", executor.pid)?;
    process_id("group.id", executor.group.map(|group| group.id))?;
    counts([
        ("pid_namespace", executor.pid_namespace),
        ("started", executor.started),
        ("group.started", executor.group.map(|group| group.started)),
    ])
}

fn process_id(field: &str, pid: Option<u32>) -> Result<(), Error> {
    match pid {
        Some(pid) if pid == 0 || i32::try_from(pid).is_err() => {
            Err(Error::invalid(field, pid.to_string(), "a process id"))
        }
        Some(_) | None => Ok(()),
    }
}

pub(super) fn limit(limit: Option<u32>) -> Result<(), Error> {
    match limit {
        Some(limit) if limit == 0 || limit > bounds::LIST_MOST => {
            Err(Error::invalid("limit", limit.to_string(), format!("1 to {}", bounds::LIST_MOST)))
        }
        Some(_) | None => Ok(()),
    }
}
