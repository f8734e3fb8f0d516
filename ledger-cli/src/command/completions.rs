//! Completions for shells.

use crate::complete::VARIABLE;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use clap_complete::env::Shells;

/// Print the script that completes in a shell
///
/// It completes verbs, options, files, and the tasks, flows and settings that there are: it asks `bgledger`, which has to
/// be in PATH, and so need not be printed again after an update.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  echo 'source <(bgledger completions bash)' >> ~/.bashrc
  echo 'source <(bgledger completions zsh)' >> ~/.zshrc
  bgledger completions fish > ~/.config/fish/completions/bgledger.fish")]
pub(crate) struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

impl Completions {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        let failed = |error| Failure::System { what: "the script cannot be made".to_owned(), error };
        if let Some(shell) = Shells::builtins().completer(&self.shell.to_string()) {
            shell.write_registration(VARIABLE, "bgledger", "bgledger", "bgledger", &mut script).map_err(failed)?;
        }
        context.out.text(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Done)
    }
}
