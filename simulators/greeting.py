"""Waits until every bridge knows a catalogue load, before the first event of a run is sent.

A bridge stamps each frame with the newest load it has read. Devices say that they are online until
a frame tells so for each of them under that load or a newer one.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from ingest.contracts.errors import FrameError, ShelfstreamError
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import INPUTS
from ingest.frames import INPUT_FRAMES, StatusInput
from simulators.gateway import Gateway
from simulators.ports import BrokerLink
from simulators.simulation import Outgoing, status_message
from streams.engine.adapters.reader import TopicReader, end_offsets

GREETING_S_MAX: Final = 60.0
GREETING_EVERY_S: Final = 0.5
_POLL_MS: Final = 100


class BridgeSilentError(ShelfstreamError):
    """No bridge took the devices' greeting in time."""


async def greeted(
    kafka: KafkaSettings,
    link: BrokerLink,
    gateways: Iterable[Gateway],
    *,
    reference_version: int,
    clock: Callable[[], float],
    first: Iterable[Outgoing] = (),
) -> None:
    """Say "online" for all devices until the input log has it under the wanted load.

    Args:
        kafka: Where the input log is.
        link: An entered connection of the devices.
        gateways: The devices.
        reference_version: The catalogue load that the bridges must know.
        clock: Seconds, never going back.
        first: What is published before, such as the driven time.

    Raises:
        BridgeSilentError: No answer within `GREETING_S_MAX` seconds.
        InstallationError: The topics are not there.
        KafkaError: Kafka could not be asked.
    """
    missing = {gateway.source: gateway for gateway in gateways}
    deadline_s = clock() + GREETING_S_MAX
    said_s = clock() - GREETING_EVERY_S
    offsets = await end_offsets(kafka, INPUTS.name)
    unsent = list(first)
    async with TopicReader(kafka, INPUTS.name, from_offsets=offsets) as reader:
        while missing:
            if clock() > deadline_s:
                raise BridgeSilentError(
                    f"no bridge took the status of {min(missing)} within "
                    f"{GREETING_S_MAX:g} s under catalogue load {reference_version}: "
                    "see `shelfstream status` and `shelfstream dlq list`"
                )
            if link.ready and clock() - said_s >= GREETING_EVERY_S:
                said_s = clock()
                for message in (*unsent, *map(_online, missing.values())):
                    link.publish(message.topic, message.payload, retain=message.retain)
                unsent = []
            for record in await reader.poll(timeout_ms=_POLL_MS):
                for source in _sources_in(record.value, reference_version):
                    missing.pop(source, None)
            await asyncio.sleep(0)


def _online(gateway: Gateway) -> Outgoing:
    return status_message(gateway, online=True)


def _sources_in(value: bytes | None, reference_version: int) -> list[str]:
    try:
        frame = INPUT_FRAMES.decode(value or b"")
    except FrameError:
        return []
    if frame.reference_version < reference_version:
        return []
    return [item.device for item in frame.items if isinstance(item, StatusInput)]
