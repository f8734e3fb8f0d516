//! The harnesses by name: each is a test that runs in short with all others, and in long by the front `soak`.

/// One harness.
#[derive(Debug, Clone, Copy)]
pub struct Harness {
    /// What it is called.
    pub name: &'static str,
    /// What it does.
    pub does: &'static str,
    /// The test's package.
    pub package: &'static str,
    /// The test's file, and which of its tests; an empty name: all.
    pub test: &'static str,
    /// Which of them.
    pub filter: &'static str,
    /// The variable that says how much, and the much of a long run.
    pub count: (&'static str, u64),
    /// The variable that says which; an empty name: it draws nothing.
    pub seed: &'static str,
}

/// All of them.
pub const HARNESSES: &[Harness] = &[
    Harness {
        name: "power-loss",
        does: "the power goes at any moment; the count is of losses",
        package: "bgledger-tests",
        test: "power_loss",
        filter: "",
        count: ("BGLEDGER_POWER_LOSSES", 50_000),
        seed: "BGLEDGER_POWER_SEED",
    },
    Harness {
        name: "io-faults",
        does: "each call of the file system fails; each count-th position is met",
        package: "bgledger-tests",
        test: "io_faults",
        filter: "a_fault",
        count: ("BGLEDGER_FAULT_STRIDE", 1),
        seed: "",
    },
    Harness {
        name: "full-disk",
        does: "the disk is full and has room again; the count is of times",
        package: "bgledger-tests",
        test: "io_faults",
        filter: "disk_full",
        count: ("BGLEDGER_FULL_DISKS", 1_000),
        seed: "BGLEDGER_FULL_DISK_SEED",
    },
    Harness {
        name: "kills",
        does: "writers, consumers and a sweeper are killed; the count is of kills",
        package: "bgledger-tests",
        test: "kills",
        filter: "",
        count: ("BGLEDGER_KILLS", 10_000),
        seed: "BGLEDGER_KILL_SEED",
    },
    Harness {
        name: "syscalls",
        does: "a process is killed at its system calls; each count-th position is met",
        package: "bgledger-tests",
        test: "syscalls",
        filter: "",
        count: ("BGLEDGER_SYSCALL_STRIDE", 1),
        seed: "",
    },
    Harness {
        name: "races",
        does: "eight processes make one ledger; the count is of races",
        package: "bgledger-tests",
        test: "formats",
        filter: "eight_processes",
        count: ("BGLEDGER_RACES", 1_000),
        seed: "",
    },
    Harness {
        name: "model",
        does: "requests are answered as by a second ledger, one sequence in 20 through every face; the count is of requests",
        package: "bgledger-tests",
        test: "model",
        filter: "the_ledger",
        count: ("BGLEDGER_MODEL_STEPS", 1_000_000),
        seed: "BGLEDGER_MODEL_SEED",
    },
    Harness {
        name: "core",
        does: "the state machine alone decides as a second ledger does; the count is of commands",
        package: "bgledger-tests",
        test: "model",
        filter: "the_core",
        count: ("BGLEDGER_CORE_STEPS", 10_000_000),
        seed: "BGLEDGER_CORE_SEED",
    },
    Harness {
        name: "linearizability",
        does: "eight processes ask about the same tasks, some are killed; the count is of histories of 500 calls",
        package: "bgledger-tests",
        test: "linearizability",
        filter: "",
        count: ("BGLEDGER_LINEAR_HISTORIES", 10_000),
        seed: "BGLEDGER_LINEAR_SEED",
    },
    Harness {
        name: "notices",
        does: "consumers of notices are killed; the count is of kills",
        package: "bgledger-tests",
        test: "notices",
        filter: "killed_consumers",
        count: ("BGLEDGER_NOTICE_KILLS", 5_000),
        seed: "BGLEDGER_NOTICE_SEED",
    },
    Harness {
        name: "backups",
        does: "copies under four writers; the count is of copies",
        package: "bgledger-tests",
        test: "backup",
        filter: "",
        count: ("BGLEDGER_BACKUPS", 1_000),
        seed: "BGLEDGER_BACKUP_SEED",
    },
    Harness {
        name: "damage",
        does: "files that something happened to; the count is of files",
        package: "bgledger-tests",
        test: "damaged",
        filter: "",
        count: ("BGLEDGER_DAMAGED", 10_000),
        seed: "BGLEDGER_DAMAGE_SEED",
    },
    Harness {
        name: "processes",
        does: "eight processes record at once; the count is of operations of each",
        package: "bgledger-tests",
        test: "processes",
        filter: "",
        count: ("BGLEDGER_PROCESS_OPERATIONS", 50_000),
        seed: "BGLEDGER_PROCESS_SEED",
    },
    Harness {
        name: "c-fuzz",
        does: "the C library is called with anything; the count is of inputs",
        package: "bgledger-tests",
        test: "c_fuzz",
        filter: "",
        count: ("BGLEDGER_FUZZ", 1_000_000),
        seed: "BGLEDGER_FUZZ_SEED",
    },
    Harness {
        name: "canaries",
        does: "every verb, over texts that would act on a terminal; the count is of rounds of four ledgers",
        package: "bgledger-cli",
        test: "cli",
        filter: "canaries",
        count: ("BGLEDGER_CANARIES", 600),
        seed: "BGLEDGER_CANARY_SEED",
    },
    Harness {
        name: "simulation",
        does: "clock, ids, faults and actors from one seed, each played twice; the count is of seeds",
        package: "bgledger-tests",
        test: "simulation",
        filter: "the_same_seed",
        count: ("BGLEDGER_SIMULATIONS", 1_000_000),
        seed: "BGLEDGER_SIMULATION_SEED",
    },
];
