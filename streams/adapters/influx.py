"""InfluxDB 2 by influxdb-client, synchronous writes of line protocol in a worker thread.

The client's batching mode loses data silently, so batches, retries and offsets are the sink's.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Self

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException

from ingest.contracts.settings import InfluxSettings
from streams.ports import PointsRefusedError, WriterUnavailableError

NANOSECONDS: Any = WritePrecision.NS
"""The client declares its own constant as another type."""

_REFUSALS = frozenset({400, 413, 422})
"""Answers to the lines themselves. All else is worth another try: a wrong token (401) or a bucket
that is not there (404) is no fault of the lines, and is mended without them."""


class InfluxPointWriter:
    """Writes to one bucket."""

    def __init__(self, influx: InfluxSettings, write_timeout_ms: int) -> None:
        """Open a client; nothing is sent yet."""
        self._influx = influx
        self._client = InfluxDBClient(
            url=influx.url,
            token=influx.token.get_secret_value(),
            org=influx.org,
            timeout=write_timeout_ms,
            enable_gzip=True,
        )
        self._writes = self._client.write_api(write_options=SYNCHRONOUS)

    async def write(self, lines: Sequence[str]) -> None:
        """Write all lines, nanosecond stamps; see `PointWriter.write`."""
        await asyncio.to_thread(self._write, "\n".join(lines))

    def _write(self, body: str) -> None:
        try:
            self._writes.write(
                bucket=self._influx.bucket,
                org=self._influx.org,
                record=body,
                write_precision=NANOSECONDS,
            )
        except ApiException as error:
            if error.status in _REFUSALS:
                raise PointsRefusedError(str(error.body or error.reason)) from error
            raise WriterUnavailableError(f"InfluxDB answered {error.status}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise WriterUnavailableError(f"InfluxDB can't be reached: {error}") from error

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the connections."""
        self._client.close()  # type: ignore[no-untyped-call]  # the client leaves it bare
