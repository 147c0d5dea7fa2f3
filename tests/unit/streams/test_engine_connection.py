"""How aiokafka's consumers are stopped, also while their broker is away."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import aiokafka
import pytest
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import KafkaConnectionError

from streams.engine.adapters.connection import ended

End = Callable[[aiokafka.AIOKafkaConsumer], Awaitable[None]]


async def _pausing(closed: list[str]) -> aiokafka.AIOKafkaConsumer:
    """Return a consumer that never connected, whose fetcher pauses after a fetch that failed."""
    consumer = aiokafka.AIOKafkaConsumer(bootstrap_servers="127.0.0.1:9")
    close = consumer._client.close

    async def closing() -> None:
        closed.append("connections")
        await close()

    async def refused(*_: object) -> None:
        raise KafkaConnectionError("the broker is away")

    consumer._client.close = closing
    consumer._client.send = refused
    fetcher = Fetcher(consumer._client, SubscriptionState(), retry_backoff_ms=60_000)
    await asyncio.sleep(0)  # until it waits for partitions: it would end the fetch itself
    request: Any = SimpleNamespace(topics=[])
    fetch = asyncio.create_task(fetcher._proc_fetch_request(None, 0, request))
    fetcher._pending_tasks.add(fetch)
    consumer._fetcher = fetcher
    await asyncio.sleep(0)
    return consumer


async def _stop(end: End, closed: list[str]) -> None:
    await end(await _pausing(closed))


def test_a_pause_that_is_cut_off_cancels_nobody() -> None:
    """Aiokafka's own `stop` lets it out; the connections are closed all the same."""
    closed: list[str] = []
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(_stop(lambda consumer: consumer.stop(), closed))
    assert closed == []
    asyncio.run(_stop(ended, closed))
    assert closed == ["connections"]


def test_who_is_cancelled_while_it_stops_a_consumer_stays_so() -> None:
    """A cancellation of the caller itself goes through."""

    async def cancelled() -> None:
        consumer = await _pausing([])
        task = asyncio.create_task(ended(consumer))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
