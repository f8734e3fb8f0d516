from os import PathLike
from pathlib import Path
from typing import Any, Final, final

from ._types import Task

__all__ = ["Handle", "LONGEST_SPAN", "Told", "VERSION", "default_lease", "default_path", "span"]

VERSION: Final[str]
LONGEST_SPAN: Final = 3162240000000

def default_lease() -> int | None: ...
def default_path() -> Path: ...
def span(text: str) -> int | None: ...
@final
class Told:
    def fields(self) -> dict[str, Any]: ...

@final
class Handle:
    def __new__(
        cls,
        path: str | PathLike[str],
        owner: str | None,
        durability: str | None,
        readonly: bool,
        busy_timeout: int | None,
        allow_network_fs: bool,
        scripted: bool,
    ) -> Handle: ...
    @property
    def path(self) -> Path: ...
    def close(self) -> None: ...
    def answer(self, request: str, /) -> str: ...
    def await_answer(self, request: str, /) -> str: ...
    def listen(self, after: int | None, timeout: int, /) -> tuple[int, list[int]]: ...
    def rouse(self) -> None: ...
    def create_as(self, request: str, kept: list[tuple[bool, int]] | None, /) -> tuple[bool, Task]: ...
    def create(
        self,
        label: str,
        task: str | None,
        runtime: str | None,
        kind: str | None,
        run_id: str | None,
        session: str | None,
        agent: str | None,
        parent: int | str | None,
        notify: str | None,
        timeout: int | None,
        start: bool,
        lease: int | None,
        kept: list[tuple[bool, int]] | None,
        /,
    ) -> tuple[bool, Task]: ...
    def start(self, task: int | str, lease: int | None, /) -> tuple[bool, bool, bool, Task]: ...
    def claim(self, task: int | str, lease: int | None, kept: list[tuple[bool, int]], /) -> Task: ...
    def progress(
        self,
        task: int | str,
        attempt: int | None,
        nonce: str | None,
        text: str | None,
        current: int | None,
        total: int | None,
        unit: str | None,
        /,
    ) -> tuple[bool, bool, bool, Task]: ...
    def heartbeat(
        self, task: int | str, attempt: int | None, nonce: str | None, lease: int | None, /
    ) -> tuple[bool, bool, bool, Task]: ...
    def finish(
        self,
        task: int | str,
        attempt: int | None,
        nonce: str | None,
        status: str,
        summary: str | None,
        result: str | None,
        ended_at: int | None,
        /,
    ) -> tuple[bool, bool, bool, Task]: ...
    def show(self, task: int | str, /) -> Task: ...
