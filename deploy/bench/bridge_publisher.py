"""`python -m deploy.bench.bridge_publisher LOAD`: publishes the load of the bridge's benchmark.

A process of its own. Every packet is made before the first is due, so that what is measured shares
the machine with a sender that only writes. It says `begun NS` (wall clock, nanoseconds), `sent N
LATE_MS` and `acknowledged N`, as `deploy.bench.publisher` does.
"""

import os
import sys
import time

import msgspec

from deploy.bench.bridge_load import BridgeLoad, packets
from deploy.bench.open_loop import NS_PER_MS, Load
from deploy.bench.publisher import LEAD_S, logged_in, send
from ingest.contracts.settings import MqttSettings, load


def main(words: list[str]) -> int:
    """Publish what the one argument says, and tell when."""
    work = msgspec.json.decode(words[0], type=BridgeLoad)
    mqtt = load(MqttSettings, os.environ)  # noqa: TID251 - main reads the environment
    made = list(packets(work, time.time_ns() // NS_PER_MS))  # noqa: TID251 - the devices' clock
    client, sock = logged_in(mqtt, f"bench-{work.boot}")
    pace = Load(
        rate_per_s=work.rate_per_s, seconds=work.messages / work.rate_per_s, crossings_per_s=1
    )
    begun_s = time.monotonic() + LEAD_S
    print(f"begun {time.time_ns()}", flush=True)  # noqa: T201, TID251 - heard by who started it
    late_s, acknowledged = send(sock, pace, iter(made), begun_s)
    print(f"sent {work.messages} {late_s * 1_000:.1f}", flush=True)  # noqa: T201 - the same
    print(f"acknowledged {acknowledged}", flush=True)  # noqa: T201 - the same
    client.disconnect()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
