"""The sink's reader, which also looks how far the folds are behind: pipeline health to draw."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from ingest.contracts.settings import KafkaSettings
from streams.engine.adapters.connection import client_options
from streams.engine.adapters.group import GroupReader

_log = structlog.get_logger("sink")


class WatchedReader(GroupReader):
    """A group reader whose lags are also those of other groups."""

    def __init__(
        self,
        kafka: KafkaSettings,
        group: str,
        topics: Sequence[str],
        watched: Mapping[str, str],
        **limits: int,
    ) -> None:
        """Take the topics to read, and the other groups to look at with the topic of each."""
        super().__init__(kafka, group, topics, **limits)
        self._watched = watched
        self._admin: Any = AIOKafkaAdminClient(**client_options(kafka))

    async def __aenter__(self) -> Self:
        """Connect and join the group."""
        await self._admin.start()
        try:
            return await super().__aenter__()
        except KafkaError:
            await self._admin.close()
            raise

    async def __aexit__(self, *error: object) -> None:
        """Leave the group."""
        await self._admin.close()
        await super().__aexit__(*error)

    async def lags(self) -> dict[tuple[str, str, int], int]:
        """Return records not yet read by (group, topic, partition), of all these groups."""
        found = await super().lags()
        for group, topic in self._watched.items():
            try:
                found.update(await self._lags_of(group, topic))
            except KafkaError as error:  # a figure less to draw, and nothing else
                _log.warning("lag not known", group=group, error=str(error))
        return found

    async def _lags_of(self, group: str, topic: str) -> dict[tuple[str, str, int], int]:
        told = await self._admin.list_consumer_group_offsets(group)
        committed = {tp: at.offset for tp, at in told.items() if tp.topic == topic}
        ends = await self.end_offsets(sorted(committed))
        return {
            (group, topic, tp.partition): max(0, ends[tp] - offset)
            for tp, offset in committed.items()
        }
