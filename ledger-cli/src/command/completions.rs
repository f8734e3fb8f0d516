//! Completions for shells.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  bgledger completions bash > ~/.local/share/bash-completion/completions/bgledger
  bgledger completions zsh > ~/.zfunc/_bgledger
  bgledger completions fish > ~/.config/fish/completions/bgledger.fish")]
pub(crate) struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

impl Completions {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut crate::cli::command(), "bgledger", &mut script);
        context.out.text(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Done)
    }
}
