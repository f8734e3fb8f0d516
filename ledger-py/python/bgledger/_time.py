"""Times and lengths of time."""

from __future__ import annotations

from datetime import datetime, timedelta

from ._base import EPOCH


def time_of_ms(ms: int) -> datetime:
    """The aware time of milliseconds since 1970."""
    return EPOCH + timedelta(milliseconds=ms)


def span_of_ms(ms: int) -> timedelta:
    """The length of time of milliseconds."""
    return timedelta(milliseconds=ms)


def parse_time(text: str) -> datetime:
    """The aware time of RFC 3339 as the ledger writes it."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
