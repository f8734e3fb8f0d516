"""The one way into the ledger: a Request as JSON, or a typed call of the extension."""

from __future__ import annotations

import json
from typing import Any

from . import _core
from ._errors import raised


class Waist:
    """What every group of methods stands on."""

    _core: _core.Handle
    _path: str = ""

    def _ask(self, command: str, **fields: Any) -> Any:
        return self._ask_as_is(command, {name: value for name, value in fields.items() if value is not None})

    def _ask_as_is(self, command: str, fields: dict[str, Any]) -> Any:
        return self._told(self._core.answer(json.dumps({command: fields}, ensure_ascii=False)))

    def _wait_for(self, command: str, **fields: Any) -> Any:
        given = {name: value for name, value in fields.items() if value is not None}
        return self._told(self._core.await_answer(json.dumps({command: given}, ensure_ascii=False)))

    @staticmethod
    def _told(text: str) -> Any:
        response = json.loads(text)
        if "error" in response:
            raise raised(response["error"])
        return response["ok"]
