//! The `bgledger` command.

fn main() -> std::process::ExitCode {
    bgledger_cli::main()
}
