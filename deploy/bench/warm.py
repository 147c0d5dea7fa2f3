"""Warms what every engine with transactions needs of a broker, before a clock runs.

A broker that was started a moment before interprets its code. Its first commits take so long that
an engine folds most of a short log before its second: each key is then written once or twice, and
what an event costs is told far too small.
"""

from typing import Final

from deploy.bench.preload import PARTITIONS
from deploy.bench.state_log import StateTopics
from ingest.contracts.settings import KafkaSettings

KEYS: Final = 2_000
TRANSACTIONS: Final = 40
"""Of each partition, by this engine's own code, into topics that nobody reads."""
RECORDS: Final = 500
"""Of a transaction."""


async def warm_transactions(kafka: KafkaSettings) -> None:
    """Commit throw-away transactions."""
    topics = StateTopics(kafka, "bench-warm", KEYS)
    await topics.create()
    await topics.update(TRANSACTIONS * PARTITIONS * RECORDS, RECORDS)
