"""One ledger for a pool of processes: a handle is pickled as its path, and forked children may use their copy."""

import multiprocessing

import bgledger


def work(ledger: bgledger.Ledger, piece: int) -> int:
    with ledger.task(f"piece {piece}", kind="piece"):
        return piece * piece


if __name__ == "__main__":
    with bgledger.open("ledger.db") as ledger:
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            assert pool.starmap(work, [(ledger, piece) for piece in range(4)]) == [0, 1, 4, 9]
        assert all(task.status == "succeeded" for task in ledger.all(kind="piece"))
        print(ledger.stats().total)
