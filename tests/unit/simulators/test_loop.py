"""The deterministic loop: virtual time, seeded order, freezing, killing, and its errors."""

import asyncio
from random import Random

import pytest

from simulators.whole.loop import (
    DeadlockError,
    Process,
    StepLimitError,
    current_process,
    virtual_loop,
)


def _order(seed: int) -> list[int]:
    seen: list[int] = []

    async def one(number: int) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
            seen.append(number)

    async def main() -> None:
        await asyncio.gather(*(one(number) for number in range(5)))

    with virtual_loop(Random(seed)) as loop:
        loop.run(main())
    return seen


def test_time_is_virtual() -> None:
    """An hour of sleep takes no time and ends exactly on time."""

    async def main() -> float:
        await asyncio.sleep(3_600)
        return asyncio.get_running_loop().time()

    with virtual_loop(Random(1)) as loop:
        assert loop.run(main()) == 3_600


def test_order_is_the_seeds() -> None:
    """One seed is one order; other seeds give other orders."""
    assert _order(7) == _order(7)
    assert len({tuple(_order(seed)) for seed in range(20)}) > 10


def test_without_dice_the_order_is_asyncios() -> None:
    """With no generator callbacks run first in, first out."""
    seen: list[int] = []

    async def main() -> None:
        for number in range(10):
            asyncio.get_running_loop().call_soon(seen.append, number)
        await asyncio.sleep(1)

    with virtual_loop(None) as loop:
        loop.run(main())
    assert seen == list(range(10))


def test_timeouts_work() -> None:
    """`asyncio.timeout` cancels at its virtual time."""

    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.sleep(100)
        return asyncio.get_running_loop().time()

    with virtual_loop(Random(1)) as loop:
        assert loop.run(main()) == 5


def test_deadlock_is_an_error() -> None:
    """Waiting for what nobody will do is told, with the names of who waits."""

    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with virtual_loop(Random(1)) as loop, pytest.raises(DeadlockError):
        loop.run(main())


def test_steps_are_bounded() -> None:
    """A loop that never ends is cut off."""

    async def main() -> None:
        for _ in range(1_000):
            await asyncio.sleep(0)

    with virtual_loop(Random(1), steps_max=100) as loop, pytest.raises(StepLimitError):
        loop.run(main())


def test_no_threads() -> None:
    """Code that asks for a thread fails at once."""

    async def main() -> None:
        await asyncio.to_thread(lambda: None)

    with virtual_loop(Random(1)) as loop, pytest.raises(NotImplementedError):
        loop.run(main())


def test_frozen_process_waits_and_goes_on() -> None:
    """A frozen process does nothing, then everything, in the belief that no time has passed."""
    seen: list[tuple[str, float]] = []
    process = Process("worker")

    async def work() -> None:
        assert current_process() is process
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1)
            seen.append(("woke", loop.time()))

    async def main() -> None:
        loop.spawn(process, work(), name="work")
        await asyncio.sleep(2.5)
        loop.freeze(process)
        await asyncio.sleep(10)
        seen.append(("thaw", loop.time()))
        loop.thaw(process)
        await asyncio.sleep(1.1)

    with virtual_loop(Random(1)) as loop:
        loop.run(main())
    assert seen == [
        ("woke", 1.0),
        ("woke", 2.0),
        ("thaw", 12.5),
        ("woke", 12.5),
        ("woke", 13.5),
    ]


def test_killed_process_runs_nothing_more() -> None:
    """Not even a `finally` runs while the simulation goes on."""
    seen: list[str] = []
    process = Process("worker")

    async def child() -> None:
        await asyncio.sleep(2)
        seen.append("child")

    async def work() -> None:
        task = asyncio.create_task(child())
        try:
            await task
        finally:
            seen.append("finally")

    async def main() -> list[str]:
        loop.spawn(process, work(), name="work")
        await asyncio.sleep(1)
        loop.kill(process)
        await asyncio.sleep(10)
        return list(seen)

    with virtual_loop(Random(1)) as loop:
        assert loop.run(main()) == []
