"""One line for each framework: what it runs is recorded in the ledger.

>>> from bgledger.integrations import langchain            # doctest: +SKIP
>>> langchain.install(ledger)                              # doctest: +SKIP

Each module has ``install(ledger, …)``, which gives an :class:`Installation`: ``flush()`` waits until all is recorded,
``uninstall()`` turns it off. A module imports its framework; this package imports none.

Nothing here raises into the host or lets it wait for the ledger: records are made by a thread of their own, in order,
and what cannot be recorded is logged, once for each cause, by the logger ``bgledger``. What the host has begun within
the last moments may be missing when the process is killed; a normal exit waits for it, up to ten seconds.
"""

from __future__ import annotations

from ._installation import Installation

__all__ = ["Installation"]
