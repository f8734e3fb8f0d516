//! Manual pages.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use clap_mangen::Man as Page;
use std::path::{Path, PathBuf};

/// Print the manual page, or write those of all verbs into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  bgledger man ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// The folder for bgledger.1, bgledger-run.1, bgledger-flow-create.1, …; made if need be [default: print bgledger.1]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Man {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let mut command = crate::cli::plain();
        command.build();
        match self.folder {
            None => context.out.text(&String::from_utf8_lossy(&page(command, Path::new("stdout"))?))?,
            Some(folder) => {
                let failed = |error| Failure::System { what: format!("{} cannot be made", folder.display()), error };
                std::fs::create_dir_all(&folder).map_err(failed)?;
                write_all(&folder, "bgledger", command)?;
            }
        }
        Ok(Exit::Done)
    }
}

/// Writes the page of a command, and of each one below it: `bgledger-flow-create.1` too.
fn write_all(folder: &Path, name: &str, command: clap::Command) -> Result<(), Failure> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write_all(folder, &format!("{name}-{}", below.get_name()), below.clone())?;
    }
    write(folder, name, command)
}

fn write(folder: &Path, name: &str, command: clap::Command) -> Result<(), Failure> {
    let path = folder.join(format!("{name}.1"));
    let text = page(command.name(name.to_owned()), &path)?;
    let failed = |error| Failure::System { what: format!("{} cannot be written", path.display()), error };
    std::fs::write(&path, text).map_err(failed)
}

fn page(command: clap::Command, to: &Path) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let failed = |error| Failure::System { what: format!("{} cannot be made", to.display()), error };
    Page::new(command).render(&mut text).map_err(failed)?;
    Ok(text)
}
