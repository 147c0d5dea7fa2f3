"""`shelfstream lots`: the lots of an article at its sites, their expiry, and what is held back."""

import asyncio
from typing import Annotated

import typer

from deploy.ledger_rows import Row, show_rows
from deploy.lot_rows import LotView
from deploy.terminal import ShownOption, kafka_settings, refuse
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import STOCK
from streams.engine.adapters.reader import read_topic


def lots(
    sku: Annotated[str, typer.Argument(help="The article.")],
    site: Annotated[str, typer.Argument(help="Only this site; all, and the way, if empty.")] = "",
    form: ShownOption = "table",
) -> None:
    """Show lots first to expire first; exit code 1 where nothing is known of the article."""
    rows = asyncio.run(lot_rows(kafka_settings(), sku, site))
    if not rows:
        at_site = f" at {site}" if site else ""
        refuse(f"there is no stock of {sku}{at_site}")
    show_rows(f"Lots of {sku}", rows, form)


async def lot_rows(kafka: KafkaSettings, sku: str, site: str) -> list[Row]:
    """Return the rows of an article's lots from the committed live table.

    Raises:
        InstallationError: There is no such topic.
        KafkaError: Kafka can't be read.
    """
    view = LotView(sku, site)
    async for records in read_topic(kafka, STOCK.name, until_end=True):
        for record in records:
            view.take(record.key, record.value)
    return list(view.rows())
