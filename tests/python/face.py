"""A face of the conformance tests: answers each line with what the package's waist answers. It adds nothing."""

import sys

from bgledger import Ledger

ledger = Ledger(sys.argv[1], owner=sys.argv[2] if len(sys.argv) > 2 else None, _scripted=True)
for line in sys.stdin.buffer:
    answer = ledger._core.answer(line.decode().rstrip("\n"))
    sys.stdout.buffer.write(answer.encode() + b"\n")
    sys.stdout.buffer.flush()
