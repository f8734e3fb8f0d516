//! What is wrong.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::table::{Fit, Table};
use crate::output::{Output, time, tint};
use bgledger_core::audit::{RULES, Severity};
use bgledger_core::{Audit as Request, AuditReport, bounds, escape};
use clap::builder::PossibleValuesParser;
use std::collections::BTreeSet;

/// Say what is wrong, and what to do about it; exits 6 if there are errors
#[derive(Debug, clap::Args)]
pub(crate) struct Audit {
    /// Errors only, without warnings
    #[arg(long)]
    errors: bool,
    /// Only this kind of finding
    #[arg(long, value_parser = PossibleValuesParser::new(RULES.map(|rule| rule.word)))]
    code: Option<String>,
    #[arg(long, short = 'n', value_name = "N", default_value_t = 1_000, help = format!("List at most so many, up to {}; all are counted", bounds::LIST_MOST))]
    limit: u32,
}

impl Audit {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let severity = self.errors.then_some(Severity::Error);
        let report = context.reading()?.call(Request { severity, code: self.code, limit: Some(self.limit) })?;
        if context.out.quiet {
            let ids = report.findings.iter().filter_map(|finding| finding.id);
            let ids: String = ids.map(|id| format!("{id}\n")).collect();
            context.out.text(&ids)?;
        } else {
            context.out.result(&report, [], |out| findings(out, &report))?;
        }
        Ok(if report.summary.errors > 0 { Exit::Findings } else { Exit::Done })
    }
}

fn findings(out: &Output, report: &AuditReport) -> String {
    if report.summary.total == 0 {
        return "Nothing is wrong.\n".to_owned();
    }
    let mut table = Table::new(&[
        ("SEVERITY", Fit::Keep),
        ("#", Fit::Right),
        ("FINDING", Fit::Keep),
        ("SINCE", Fit::Keep),
        ("LABEL", Fit::Cut(8)),
        ("WHAT", Fit::Cut(10)),
    ]);
    for finding in &report.findings {
        let (word, style) = tint::of_severity(finding.severity);
        let cells = vec![
            word.to_owned(),
            finding.number.map(|number| number.0.to_string()).unwrap_or_default(),
            finding.code.to_owned(),
            finding.since.map(|since| time::relative(since, out.now)).unwrap_or_default(),
            escape(finding.label.as_deref().unwrap_or_default()).to_string(),
            escape(&finding.message).to_string(),
        ];
        table.row(cells, 0, style);
    }
    let count = |many: u64, one: &str| if many == 1 { format!("1 {one}") } else { format!("{many} {one}s") };
    let summary = &report.summary;
    let mut text = table.render(out);
    text.push_str(&format!("{}, {}", count(summary.errors, "error"), count(summary.warnings, "warning")));
    let hidden = summary.total.saturating_sub(report.findings.len() as u64);
    if hidden > 0 {
        text.push_str(&format!("; {hidden} not listed"));
    }
    text.push('\n');
    let mut seen = BTreeSet::new();
    let commands = report.findings.iter().filter_map(|finding| finding.command.as_deref());
    let commands: Vec<&str> = commands.filter(|command| seen.insert(*command)).collect();
    if !commands.is_empty() {
        text.push_str(&format!("\n{}\n", tint::styled(out.styled, tint::STRONG, "What to do:")));
        commands.iter().for_each(|command| text.push_str(&format!("  {command}\n")));
    }
    text
}
