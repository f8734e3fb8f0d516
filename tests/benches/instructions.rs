//! Instructions of one operation of the program as it is released, beside those that are kept in
//! `tests/counts/instructions.json`; fails if they differ by more than 3 %.
//!
//! ```sh
//! cargo bench --package bgledger-tests --bench instructions
//! ```
//!
//! With `BGLEDGER_BLESS=1` what is counted is kept. It needs valgrind, which `tests/prepare` installs.

use bgledger_tests::bench::wanted;
use bgledger_tests::instructions;

fn main() {
    if wanted().is_some() {
        instructions::compare("release");
    }
}
