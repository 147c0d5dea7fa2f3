"""What the bridge's events cost by themselves: JSON decoded, frames encoded, nothing else.

No bridge in Python that reads what it carries can be faster, so a rate beside this one tells what
all the rest costs, on whatever machine.
"""

import time
from typing import Final

from deploy.bench.bridge_load import UNITS, BridgeLoad, packets
from ingest import wire
from ingest.adapters.mqtt_lane import PacketParser
from ingest.frames import FRAME_ITEMS_MAX, INPUT_FRAMES, InputItem, ReadingInput

MESSAGES: Final = 500
TURNS: Final = 5
"""The fastest counts: others were disturbed."""


def codec_events_per_cpu_s(batch_events: int) -> int:
    """Return how many events a CPU-second decodes from messages of so many and encodes again."""
    work = BridgeLoad(boot="limit", messages=MESSAGES, rate_per_s=1_000, batch_events=batch_events)
    parser = PacketParser()
    parser.feed(b"".join(packets(work, 0)))
    payloads = [payload for _, _, payload in parser.publishes]
    return round(
        work.events / min(_decoded_s(payloads) + _encoded_s(payloads) for _ in range(TURNS))
    )


def _decoded_s(payloads: list[bytes]) -> float:
    decode = wire.READINGS.decode
    begun_s = time.process_time()
    for payload in payloads:
        decode(payload)
    return time.process_time() - begun_s


def _encoded_s(payloads: list[bytes]) -> float:
    """Return the CPU-seconds of frames that carry as many readings, of the same names."""
    decoded = [wire.READINGS.decode(payload) for payload in payloads]
    events = [one for made in decoded for one in (made if isinstance(made, list) else [made])]
    inputs: list[InputItem] = [
        ReadingInput(
            sku="sku-0",
            site="site-0",
            location="shelf 0",
            source=event.source,
            channel=event.channel,
            boot=event.boot,
            seq=event.seq,
            observed_at_ms=event.observed_at_ms,
            historical=False,
            kind="units",
            value=UNITS,
        )
        for event in events
    ]
    frames = [inputs[at : at + FRAME_ITEMS_MAX] for at in range(0, len(inputs), FRAME_ITEMS_MAX)]
    begun_s = time.process_time()
    for items in frames:
        INPUT_FRAMES.encode(items, received_at_ms=0)
    return time.process_time() - begun_s
