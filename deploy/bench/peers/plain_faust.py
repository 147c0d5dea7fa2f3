"""Plain Faust as its documentation writes it: one record an event, one table; at least once."""

import sys
from typing import Final

import faust

from deploy.bench.events import DECODE_EVENT
from deploy.bench.peers.told import Progress, Told, await_go, told

TABLE: Final = "totals"


def create_app(my: Told) -> faust.App:
    """Return the app: an agent that counts into a table with a changelog."""
    app = faust.App(
        my.name,
        broker=f"kafka://{my.bootstrap}",
        broker_credentials=faust.SASLCredentials(
            username=my.username, password=my.password, mechanism=my.sasl_mechanism
        ),
        store="memory://",
        datadir=my.folder,
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        worker_redirect_stdouts=False,  # its progress is read there
        topic_replication_factor=1,
        consumer_auto_offset_reset="earliest",
    )
    topic = app.topic(
        my.topic,
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
    )
    table = app.Table(TABLE, partitions=my.partition_count, key_type=str, value_type=list)
    progress = Progress(my.events)

    async def count(stream: faust.StreamT[bytes]) -> None:
        async for value in stream:
            event = DECODE_EVENT(value)
            if event.quantity_units:
                number, units = table.get(event.sku) or (0, 0)
                table[event.sku] = [number + 1, units + event.quantity_units]
            if progress.add(1):
                await app.producer.flush()
                progress.say()

    app.agent(topic)(count)
    return app


def main() -> None:
    """Run one worker until it is ended."""
    await_go()
    app = create_app(told())
    faust.Worker(app, loglevel="WARNING", logfile=sys.stderr).execute_from_commandline()


if __name__ == "__main__":
    main()
