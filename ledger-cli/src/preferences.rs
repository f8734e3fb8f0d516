//! What the command line prefers, from its options, the environment, its file, or by default: with the origin of each.
//!
//! The file holds nothing that changes a ledger's behaviour: that is stored in the ledger, for every process and
//! language.

use crate::failure::Failure;
use crate::globals::{Color, Globals};
use crate::output::pager;
use bgledger_core::config::Durability;
use bgledger_core::{Error, Setting, escape};
use bgledger_store::{Ledger, OpenOptions};
use clap::ValueEnum;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

const FLAG: &str = "flag";
const ENVIRONMENT: &str = "environment";
const FILE: &str = "file";
const LEDGER: &str = "ledger";
/// Nothing says otherwise.
pub(crate) const DEFAULT: &str = "default";

/// The variable that a handle's durability comes from, unless told.
const DURABILITY: &str = "BGLEDGER_DURABILITY";
/// The variable that names the ledger.
const DB: &str = "BGLEDGER_DB";
/// The variables that name the pager, the first before the second.
const PAGERS: [&str; 2] = ["BGLEDGER_PAGER", "PAGER"];

/// A value and where it comes from.
#[derive(Debug, Clone)]
pub(crate) struct Preferred<T> {
    pub(crate) value: T,
    origin: &'static str,
}

/// What the command line prefers.
#[derive(Debug, Clone)]
pub(crate) struct Preferences {
    /// The ledger, if anything names it but the environment, which every face heeds.
    pub(crate) ledger: Preferred<Option<PathBuf>>,
    pub(crate) owner: Preferred<Option<String>>,
    pub(crate) color: Preferred<Color>,
    pub(crate) pager: Preferred<Option<String>>,
    pub(crate) utc: Preferred<bool>,
    pub(crate) durability: Preferred<Option<Durability>>,
    pub(crate) busy_timeout: Preferred<Duration>,
    file: Option<PathBuf>,
}

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    ledger: Option<PathBuf>,
    owner: Option<String>,
    color: Option<Word>,
    pager: Option<String>,
    utc: Option<bool>,
}

/// When to colour, as a file says it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Auto,
    Always,
    Never,
}

impl Preferences {
    /// Finds them.
    ///
    /// Errors: the file cannot be read, or says what cannot be; a variable says what cannot be.
    pub(crate) fn find(globals: &Globals) -> Result<Preferences, Failure> {
        let path = file_path();
        let file = path.as_ref().map(read).transpose()?.unwrap_or_default();
        let in_environment = set(DB).is_some();
        let ledger = match &globals.ledger {
            Some(path) => Preferred { value: Some(path.clone()), origin: FLAG },
            None if in_environment => Preferred { value: None, origin: ENVIRONMENT },
            None => of_file(file.ledger.map(expanded)),
        };
        let owner = given(globals.owner.clone()).unwrap_or_else(|| of_file(file.owner));
        let color = match (globals.color, file.color) {
            (Some(color), _) => Preferred { value: color, origin: FLAG },
            (None, Some(word)) => {
                let color = match word {
                    Word::Auto => Color::Auto,
                    Word::Always => Color::Always,
                    Word::Never => Color::Never,
                };
                Preferred { value: color, origin: FILE }
            }
            (None, None) => Preferred { value: Color::Auto, origin: DEFAULT },
        };
        let utc = match (globals.utc, file.utc) {
            (true, _) => Preferred { value: true, origin: FLAG },
            (false, Some(utc)) => Preferred { value: utc, origin: FILE },
            (false, None) => Preferred { value: false, origin: DEFAULT },
        };
        let durability = match (globals.durability, durability_of_environment()?) {
            (Some(durability), _) => Preferred { value: Some(durability), origin: FLAG },
            (None, Some(durability)) => Preferred { value: Some(durability), origin: ENVIRONMENT },
            // Then the ledger says it.
            (None, None) => Preferred { value: None, origin: LEDGER },
        };
        let busy_timeout = match globals.busy_timeout {
            Some(span) => Preferred {
                value: u64::try_from(span.ms()).map_or(Duration::ZERO, Duration::from_millis),
                origin: FLAG,
            },
            None => Preferred { value: OpenOptions::default().busy_timeout, origin: DEFAULT },
        };
        let pager = pager(globals.no_pager, file.pager);
        Ok(Preferences { ledger, owner, color, pager, utc, durability, busy_timeout, file: path })
    }

    /// Each of them as `config show` tells it.
    pub(crate) fn settings(&self) -> Result<BTreeMap<&'static str, Setting>, Failure> {
        let ledger = match &self.ledger.value {
            Some(path) => path.clone(),
            None => Ledger::default_path()?,
        };
        let text = |path: &PathBuf| path.display().to_string();
        let color = self.color.value.to_possible_value().map(|word| word.get_name().to_owned());
        let has_file = self.file.as_ref().is_some_and(|path| path.exists());
        let of = |value: Option<String>, origin| Setting { value, origin };
        Ok(BTreeMap::from([
            ("ledger", of(Some(text(&ledger)), self.ledger.origin)),
            ("owner", of(self.owner.value.clone(), self.owner.origin)),
            ("color", of(color, self.color.origin)),
            ("pager", of(self.pager.value.clone(), self.pager.origin)),
            ("utc", of(Some(self.utc.value.to_string()), self.utc.origin)),
            ("durability", of(self.durability.value.map(|level| level.as_str().to_owned()), self.durability.origin)),
            ("busy_timeout", of(Some(format!("{}ms", self.busy_timeout.value.as_millis())), self.busy_timeout.origin)),
            ("file", of(self.file.as_ref().map(text), if has_file { FILE } else { DEFAULT })),
        ]))
    }
}

fn given<T>(value: Option<T>) -> Option<Preferred<Option<T>>> {
    value.map(|value| Preferred { value: Some(value), origin: FLAG })
}

fn of_file<T>(value: Option<T>) -> Preferred<Option<T>> {
    let origin = if value.is_some() { FILE } else { DEFAULT };
    Preferred { value, origin }
}

/// The pager's command; an empty one, or `cat`, is none.
fn pager(none: bool, of_file: Option<String>) -> Preferred<Option<String>> {
    let [own, common] = PAGERS.map(|name| std::env::var(name).ok());
    let found = match (none, own, of_file, common) {
        (true, _, _, _) => Preferred { value: None, origin: FLAG },
        (false, Some(command), _, _) => Preferred { value: Some(command), origin: ENVIRONMENT },
        (false, None, Some(command), _) => Preferred { value: Some(command), origin: FILE },
        (false, None, None, Some(command)) => Preferred { value: Some(command), origin: ENVIRONMENT },
        (false, None, None, None) => Preferred { value: Some(pager::DEFAULT.to_owned()), origin: DEFAULT },
    };
    let is_some = |command: &String| !["", "cat"].contains(&command.trim());
    Preferred { value: found.value.filter(is_some), origin: found.origin }
}

/// The variable's value, unless it is empty.
fn set(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// `bgledger/config.toml` in `$XDG_CONFIG_HOME`, else in `~/.config`.
fn file_path() -> Option<PathBuf> {
    use etcetera::BaseStrategy;
    etcetera::choose_base_strategy().ok().map(|base| base.config_dir().join("bgledger").join("config.toml"))
}

/// A path in which a leading `~` is the home folder.
fn expanded(path: PathBuf) -> PathBuf {
    match (path.strip_prefix("~"), etcetera::home_dir()) {
        (Ok(rest), Ok(home)) => home.join(rest),
        (_, _) => path,
    }
}

/// What a file says; one that is not there says nothing.
fn read(path: &PathBuf) -> Result<File, Failure> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(File::default());
        }
        // A folder that is closed to this user, whose environment names it, holds nothing of theirs.
        Err(error) if error.kind() == ErrorKind::PermissionDenied && std::fs::symlink_metadata(path).is_err() => {
            return Ok(File::default());
        }
        Err(error) => return Err(Failure::System { what: format!("{} cannot be read", path.display()), error }),
    };
    toml::from_str(&text).map_err(|error| {
        let line = error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
        let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
        let message = format!("{}{line}: {}", path.display(), escape(error.message().trim()));
        Failure::usage(message, "it may hold ledger, owner, color, pager (texts) and utc (true or false)")
    })
}

fn durability_of_environment() -> Result<Option<Durability>, Failure> {
    let Some(value) = set(DURABILITY) else { return Ok(None) };
    let known = value.to_str().and_then(Durability::from_word);
    let invalid = || Error::invalid(DURABILITY, format!("{value:?}"), Durability::EXPECTED);
    known.map(Some).ok_or_else(|| invalid().into())
}
