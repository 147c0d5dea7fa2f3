"""`shelfstream atp`: what can be promised of an article at a site, now or by a date.

Exit code 0: told; 1: nothing is known of the article there; 2: it could not be looked up.
"""

import asyncio
from typing import Annotated

import msgspec
import typer

from deploy.catalog_load import installation_of, read_catalog
from deploy.order_rows import promise_lines
from deploy.terminal import kafka_settings, refuse
from deploy.utc import moment_ms
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import STOCK
from ingest.partitions import partition_of
from streams.availability import Promise, promised
from streams.engine.adapters.reader import read_topic


def atp(
    sku: Annotated[str, typer.Argument(help="The article.")],
    site: Annotated[str, typer.Argument(help="Where it is to be taken from.")],
    by: Annotated[
        str, typer.Option("--by", help="Also what arrives until then: 2026-11-01T08:00, UTC.")
    ] = "",
    *,
    json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Tell what a new order may count on, and from which numbers."""
    by_ms = moment_ms(by) if by else 0
    found = asyncio.run(_promised(kafka_settings(), sku, site, by_ms=by_ms))
    if found is None:
        refuse(f"nothing is known of {sku} at {site}")
    if json:
        typer.echo(msgspec.json.encode(found._asdict()).decode())
        return
    for line in promise_lines(found, sku, site, by):
        typer.echo(line)


async def _promised(kafka: KafkaSettings, sku: str, site: str, *, by_ms: int) -> Promise | None:
    installation = installation_of(await read_catalog(kafka))
    partition = partition_of(sku, installation.partition_count)
    state: dict[bytes, bytes] = {}
    async for records in read_topic(kafka, STOCK.name, until_end=True):
        for record in records:
            if record.partition == partition and record.key is not None:
                if record.value is None:
                    state.pop(record.key, None)
                else:
                    state[record.key] = record.value
    return promised(state, sku, site, by_ms=by_ms)
