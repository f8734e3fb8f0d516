//! What is wrong.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::table::{Fit, Table};
use crate::output::{Output, time, tint};
use bgledger_core::audit::{Finding, RULES, Severity};
use bgledger_core::{Audit as Request, AuditReport, bounds, escape};
use clap::builder::PossibleValuesParser;
use std::collections::{BTreeMap, BTreeSet};

/// Say what is wrong, and what to do about it; exits 6 if there are errors
#[derive(Debug, clap::Args)]
pub(crate) struct Audit {
    /// Errors only, without warnings
    #[arg(long, conflicts_with = "severity")]
    errors: bool,
    /// Only findings at least so bad
    #[arg(long, value_name = "WORD", value_parser = PossibleValuesParser::new(["warning", "error"]))]
    severity: Option<String>,
    /// Only this kind of finding
    #[arg(long, value_parser = PossibleValuesParser::new(RULES.map(|rule| rule.word)))]
    code: Option<String>,
    #[arg(long, short = 'n', value_name = "N", default_value_t = 1_000, help = format!("List at most so many, up to {}; all are counted", bounds::LIST_MOST))]
    limit: u32,
    /// List those that somebody acknowledged too
    #[arg(long)]
    acknowledged: bool,
    /// Prove every row by its history as well, and look for loose ends: takes time with the length of the history
    #[arg(long)]
    deep: bool,
}

impl Audit {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let severity = match (self.errors, self.severity.as_deref()) {
            (true, _) | (false, Some("error")) => Some(Severity::Error),
            (false, _) => None,
        };
        let report = context.reading()?.call(Request {
            severity,
            code: self.code,
            limit: Some(self.limit),
            acknowledged: self.acknowledged,
            deep: self.deep,
        })?;
        if context.out.quiet {
            let ids = report.findings.iter().filter_map(|finding| finding.id);
            let ids: String = ids.map(|id| format!("{id}\n")).collect();
            context.out.text(&ids)?;
        } else {
            context.out.paged(&report, [], |out| findings(out, &report))?;
        }
        Ok(if report.summary.errors > 0 { Exit::Findings } else { Exit::Done })
    }
}

fn findings(out: &Output, report: &AuditReport) -> String {
    let known = match report.summary.acknowledged {
        0 => String::new(),
        known => format!("; {known} acknowledged"),
    };
    if report.summary.total == 0 && report.findings.is_empty() {
        return format!("Nothing is wrong{known}.\n");
    }
    let mut table = Table::new(&[
        ("SEVERITY", Fit::Keep),
        ("ABOUT", Fit::Keep),
        ("FINDING", Fit::Keep),
        ("SINCE", Fit::Spare(8)),
        ("LABEL", Fit::Cut(10)),
        ("WHAT", Fit::Cut(16)),
    ]);
    for finding in &report.findings {
        let (word, style) = tint::of_severity(finding.severity);
        let cells = vec![
            word.to_owned(),
            escape(&finding.subject).to_string(),
            finding.code.to_owned(),
            finding.since.map(|since| time::relative(since, out.now)).unwrap_or_default(),
            escape(finding.label.as_deref().unwrap_or_default()).to_string(),
            said(finding),
        ];
        table.row(cells, 0, style);
    }
    let count = |many: u64, one: &str| if many == 1 { format!("1 {one}") } else { format!("{many} {one}s") };
    let summary = &report.summary;
    let mut text = table.render(out);
    text.push_str(&format!("{}, {}", count(summary.errors, "error"), count(summary.warnings, "warning")));
    let told = report.findings.iter().filter(|finding| finding.acknowledged.is_none()).count() as u64;
    let hidden = summary.total.saturating_sub(told);
    if hidden > 0 {
        text.push_str(&format!("; {hidden} not listed"));
    }
    text.push_str(&known);
    text.push('\n');
    text.push_str(&by_cause(out, report));
    text.push_str(&what_to_do(out, report));
    text
}

/// The commands that help; of many for one cause the first, and how many more there are.
fn what_to_do(out: &Output, report: &AuditReport) -> String {
    let mut seen = BTreeSet::new();
    // What somebody has acknowledged is well as it is.
    let open = report.findings.iter().filter(|finding| finding.acknowledged.is_none());
    let commands = open.filter_map(|finding| Some((finding.code, finding.command.as_deref()?)));
    let commands: Vec<(&str, &str)> = commands.filter(|(_, command)| seen.insert(*command)).collect();
    if commands.is_empty() {
        return String::new();
    }
    let most = if commands.len() < MANY as usize { usize::MAX } else { ALIKE };
    let mut text = format!("\n{}\n", tint::styled(out.styled, tint::STRONG, "What to do:"));
    let mut of_code: BTreeMap<&str, usize> = BTreeMap::new();
    for (code, command) in &commands {
        let told = of_code.entry(code).or_default();
        *told += 1;
        if *told <= most {
            text.push_str(&format!("  {command}\n"));
        }
    }
    for (code, told) in of_code.iter().filter(|(_, told)| **told > most) {
        let more = told - most;
        text.push_str(&format!("  and {more} more for {code}: bgledger audit --code {code} --json has each command\n"));
    }
    text
}

fn said(finding: &Finding) -> String {
    let known = finding.acknowledged.as_ref().map(|known| {
        let note = known.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        format!(" (known until {}{note})", known.until)
    });
    escape(&format!("{}{}", finding.message, known.unwrap_or_default())).to_string()
}

/// Commands for one cause that are told, of many.
const ALIKE: usize = 3;
/// From so many findings on they are counted by cause.
const MANY: u64 = 10;

fn by_cause(out: &Output, report: &AuditReport) -> String {
    if report.summary.total < MANY {
        return String::new();
    }
    let mut table =
        Table::new(&[("COUNT", Fit::Right), ("CAUSE", Fit::Keep), ("OLDEST", Fit::Keep), ("MEANING", Fit::Cut(10))]);
    for cause in &report.causes {
        let since = cause.since.map(|since| time::relative(since, out.now)).unwrap_or_default();
        let cells = vec![cause.count.to_string(), cause.code.to_owned(), since, cause.meaning.to_owned()];
        table.row(cells, 1, tint::of_severity(cause.severity).1);
    }
    format!("\n{}", table.render(out))
}
