"""Quix Streams with its default store (RocksDB) and changelog: records, or the product's frames."""

from typing import Any, Final

from quixstreams import Application, State
from quixstreams.kafka import ConnectionConfig

from deploy.bench.events import DECODE_EVENT, FRAMES
from deploy.bench.peers.told import Progress, Told, await_go, told

TOTAL: Final = "total"


def main() -> None:
    """Count all events, commit, then say so."""
    await_go()
    my = told()
    app = create_app(my)
    topic = app.topic(my.topic, key_deserializer="bytes", value_deserializer="bytes")
    progress = Progress(my.events)

    def count_record(value: bytes, state: State) -> None:
        event = DECODE_EVENT(value)
        if event.quantity_units:
            number, units = state.get(TOTAL) or (0, 0)
            state.set(TOTAL, [number + 1, units + event.quantity_units])
        if progress.add(1):
            app.stop()

    def count_frame(value: bytes, state: State) -> None:
        items = FRAMES.decode(value).items
        for event in items:
            if event.quantity_units:
                number, units = state.get(event.sku) or (0, 0)
                state.set(event.sku, [number + 1, units + event.quantity_units])
        if progress.add(len(items)):
            app.stop()

    dataframe = app.dataframe(topic)
    dataframe.update(count_frame if my.frames else count_record, stateful=True)
    app.run()  # commits its last checkpoint when it stops
    progress.say()


def create_app(my: Told) -> Any:
    """Return the application, with Quix's defaults but for where it reads from."""
    return Application(
        broker_address=ConnectionConfig(
            bootstrap_servers=my.bootstrap,
            security_protocol=my.security_protocol.lower(),
            sasl_mechanism=my.sasl_mechanism,
            sasl_username=my.username,
            sasl_password=my.password,
        ),
        consumer_group=my.name,
        auto_offset_reset="earliest",
        state_dir=my.folder,
        processing_guarantee="exactly-once" if my.exactly_once else "at-least-once",
        loglevel="WARNING",
    )


if __name__ == "__main__":
    main()
