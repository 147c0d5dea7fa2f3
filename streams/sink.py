"""The InfluxDB sink: committed records in, line protocol out, offsets committed after the write.

A sink that falls over writes some lines twice with the same time stamps, which overwrites them:
nothing is lost and nothing is doubled. It never feeds anything back to the folds.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec
import stamina
import structlog

from ingest.contracts import topics
from ingest.contracts.errors import FrameError
from streams import points
from streams.engine.ports import LogRecord
from streams.ports import (
    LetterBox,
    PointsRefusedError,
    PointWriter,
    RecordSource,
    WriterUnavailableError,
)
from streams.settings import SinkSettings

SINK_GROUP: Final = "shelfstream-sink"

FOLD_GROUPS: Final = {
    "shelfstream-stock": topics.INPUTS.name,
    "shelfstream-planning": topics.PLANS.name,
    "shelfstream-alerts": topics.ALERT_INPUTS.name,
}
"""The folds' consumer groups and what each reads: how far they are behind is drawn too."""

MAPPERS: Final[dict[str, Callable[[bytes | None, bytes | None], list[str]]]] = {
    topics.STOCK.name: points.stock_lines,
    topics.MOVEMENTS.name: points.movement_lines,
    topics.EVENTS.name: points.event_lines,
}
"""What is drawn, by topic."""


class Sink:
    """Maps and writes one poll at a time."""

    def __init__(
        self,
        source: RecordSource,
        writer: PointWriter,
        letters: LetterBox,
        settings: SinkSettings,
        now_ms: Callable[[], int],
    ) -> None:
        """Take the ports; `now_ms` stamps health points only."""
        self._source = source
        self._writer = writer
        self._letters = letters
        self._settings = settings
        self._now_ms = now_ms
        self._health_at_ms = 0
        self._log = structlog.get_logger("sink")
        self.records = 0
        self.lines = 0
        self.refused = 0

    async def step(self) -> int:
        """Poll once, write what came, commit; return the number of records handled."""
        records = await self._source.poll()
        started_ms = self._now_ms()
        if records:
            lines = [line for record in records for line in await self._mapped(record)]
            for batch in _cut(lines, self._settings.batch_lines_max):
                await self._write(batch)
            await self._source.commit()
            self.records += len(records)
            self.lines += len(lines)
        await self._tell_health(self._now_ms() - started_ms)
        return len(records)

    async def _mapped(self, record: LogRecord) -> list[str]:
        try:
            return MAPPERS[record.topic](record.key, record.value)
        except (FrameError, msgspec.MsgspecError) as error:
            origin = f"{record.topic}/{record.partition}/{record.offset}"
            await self._refuse(origin, record.value or b"", str(error))
            return []

    async def _write(self, lines: Sequence[str]) -> None:
        """Write lines; on a refusal bisect, so that only the bad line goes to the dead letters."""
        try:
            await self._write_patiently(lines)
        except PointsRefusedError as error:
            if len(lines) == 1:
                await self._refuse("influxdb", lines[0].encode(), str(error))
                return
            middle = len(lines) // 2
            await self._write(lines[:middle])
            await self._write(lines[middle:])

    async def _write_patiently(self, lines: Sequence[str]) -> None:
        async for attempt in stamina.retry_context(
            on=WriterUnavailableError,
            attempts=None,
            timeout=None,
            wait_max=self._settings.retry_delay_ms_max / 1_000,
        ):
            with attempt:
                await self._writer.write(lines)

    async def _refuse(self, origin: str, payload: bytes, detail: str) -> None:
        self.refused += 1
        self._log.warning("refused", origin=origin, detail=detail)
        await self._letters.put(origin, payload, detail)

    async def _tell_health(self, write_ms: int) -> None:
        now_ms = self._now_ms()
        if now_ms - self._health_at_ms < self._settings.health_interval_ms:
            return
        self._health_at_ms = now_ms
        lags = await self._source.lags()
        lines = [
            points.lag_line(group, topic, partition, lag, now_ms)
            for (group, topic, partition), lag in sorted(lags.items())
        ]
        lines.append(points.sink_line(self.records, self.lines, write_ms, self.refused, now_ms))
        await self._write(lines)


def _cut(lines: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(lines), size):
        yield lines[start : start + size]
