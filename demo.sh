#!/bin/sh
# Three commands at once, each recorded by a process of its own: one succeeds, one fails, one is cancelled while its
# grandchild writes a file. Then the ledger tells what happened.
#
#   sh demo.sh            in a temporary folder, removed at the end
#   sh demo.sh FOLDER     in a new folder that is kept
set -eu
repository=$(cd "$(dirname "$0")" && pwd)

if [ -z "${BGLEDGER_BIN:-}" ]; then
    cargo build --release --locked --manifest-path "$repository/Cargo.toml" -p bgledger-cli
    target=$(cargo metadata --no-deps --format-version 1 --manifest-path "$repository/Cargo.toml" |
        sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
    BGLEDGER_BIN=$target/release/bgledger
fi

if [ $# -gt 0 ]; then
    mkdir "$1"
    folder=$(cd "$1" && pwd)
else
    folder=$(mktemp -d)
fi
given=$#
cd "$folder"
bgledger() { "$BGLEDGER_BIN" "$@"; }
BGLEDGER_DB=$folder/ledger.db
export BGLEDGER_DB
unset BGLEDGER_TASK BGLEDGER_DURABILITY

leave() {
    bgledger cancel ticker --wait --timeout 10s > /dev/null 2>&1 || true
    wait
    cd "$repository"
    if [ "$given" -eq 0 ]; then rm -rf "$folder"; fi
}
trap leave EXIT
trap 'exit 1' HUP INT TERM

# Shows a command and runs it.
step() {
    printf '\n$ %s\n' "$1"
    eval "$1" || printf '(exit %s)\n' $?
}

step "bgledger run --run-id adder --label 'add two numbers' -- sh -c 'sleep 1; expr 20 + 22' &"
step "bgledger run --run-id breaker --label 'fail on purpose' -- sh -c 'sleep 1; echo no space left >&2; exit 3' &"
step "bgledger run --run-id ticker --label 'tick for ever' -- sh -c 'sh -c \"while :; do date; sleep 0.1; done >> ticks\" & wait' &"

# Until all three are recorded and the ticks come.
patience=100
until [ -s ticks ] && [ "$(bgledger list --quiet | wc -l)" -eq 3 ]; do
    patience=$((patience - 1))
    [ "$patience" -gt 0 ] || { echo "error: the three commands did not start within 10 s" >&2; exit 1; }
    sleep 0.1
done

step "bgledger wait adder breaker"
step "bgledger list"
step "bgledger cancel ticker --wait --why 'the demo has seen enough'"
stopped_at=$(wc -l < ticks)
step "wc -l < ticks"
step "sleep 1"
step "wc -l < ticks"
if [ "$(wc -l < ticks)" -ne "$stopped_at" ]; then
    echo "error: the grandchild still writes" >&2
    exit 1
fi
step "bgledger list"
step "bgledger show breaker"
step "bgledger history ticker"
step "bgledger audit"
