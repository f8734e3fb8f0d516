"""asyncio: the loop's tasks are recorded, and the loop works as before."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import bgledger
import pytest
from bgledger.integrations import Installation, asyncio_tasks

from .conftest import Records


async def answer(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def fail() -> None:
    raise LookupError("nothing there")


async def sleep_long() -> None:
    await asyncio.sleep(60)


def test_each_task_ends_as_it_ends(ledger: bgledger.Ledger, records: Records) -> None:
    async def main() -> None:
        with asyncio_tasks.install(ledger):
            assert await asyncio.create_task(answer(3)) == 3
            with pytest.raises(LookupError):
                await asyncio.create_task(fail())
            sleeping = asyncio.create_task(sleep_long())
            await asyncio.sleep(0)
            sleeping.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sleeping
        await asyncio.create_task(answer(4))

    asyncio.run(main())
    told = records()
    assert {label: str(task.status) for label, task in told.items()} == {
        "answer": "succeeded",
        "fail": "failed",
        "sleep_long": "cancelled",
    }
    assert (told["answer"].runtime, told["answer"].kind) == ("asyncio", "coroutine")
    error = told["fail"].error
    assert error is not None and (error.type, error.message) == ("LookupError", "nothing there")


def test_tasks_nest_as_they_were_created(ledger: bgledger.Ledger, records: Records) -> None:
    async def outer() -> None:
        await asyncio.gather(answer(1), inner())

    async def inner() -> None:
        async with ledger.task("inside"):
            pass

    async def main() -> None:
        async with ledger.task("around"):
            with asyncio_tasks.install(ledger):
                await asyncio.create_task(outer())

    asyncio.run(main())
    told = records()
    above = {
        label: next((name for name, each in told.items() if each.id == task.parent), None)
        for label, task in told.items()
    }
    short = {label.rpartition(".")[2]: above and above.rpartition(".")[2] for label, above in above.items()}
    assert short == {"around": None, "outer": "around", "answer": "outer", "inner": "outer", "inside": "inner"}


def test_only_those_that_are_chosen_and_none_of_asyncio_itself(ledger: bgledger.Ledger, records: Records) -> None:
    async def main() -> None:
        with asyncio_tasks.install(ledger, only=lambda work: "answer" in repr(work)):
            await asyncio.wait_for(asyncio.create_task(answer(1)), 30)
            await asyncio.to_thread(int)
            await asyncio.gather(fail(), return_exceptions=True)
            await asyncio.get_running_loop().shutdown_default_executor()

    asyncio.run(main())
    assert list(records()) == ["answer"]


def test_a_factory_that_was_there_makes_the_tasks(ledger: bgledger.Ledger, records: Records) -> None:
    made: list[Any] = []

    def factory(loop: Any, work: Any, **options: Any) -> Any:
        made.append(work)
        return asyncio.Task(work, loop=loop, **options)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)
        with asyncio_tasks.install(ledger):
            await asyncio.create_task(answer(1))
        assert loop.get_task_factory() is factory and len(made) == 1

    asyncio.run(main())
    assert list(records()) == ["answer"]


def test_the_loop_still_warns_of_an_exception_that_nobody_saw(ledger: bgledger.Ledger, records: Records) -> None:
    warned: list[str] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: warned.append(context["message"]))
        with asyncio_tasks.install(ledger):
            asyncio.create_task(fail())
            await asyncio.sleep(0.01)
            gc.collect()

    asyncio.run(main())
    assert warned == ["Task exception was never retrieved"]
    assert records()["fail"].status == "failed"


def test_the_host_finishes_while_the_ledger_is_locked(
    ledger: bgledger.Ledger, records: Records, release: Callable[[], None]
) -> None:
    async def main() -> Installation:
        installed = asyncio_tasks.install(ledger)
        assert await asyncio.gather(*(answer(value) for value in range(1))) == [0]
        return installed

    installed = asyncio.run(main())
    assert list(records()) == ["before"]
    release()
    assert installed.flush()
    assert records()["answer"].status == "succeeded"


def test_an_unusable_ledger_is_logged_once_and_the_host_goes_on(
    unusable: bgledger.Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> list[int]:
        with asyncio_tasks.install(unusable):
            return await asyncio.gather(*(answer(value) for value in range(20)))

    assert asyncio.run(main()) == list(range(20))
    assert len([each for each in caplog.records if each.name == "bgledger"]) == 1
