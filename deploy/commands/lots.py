"""`shelfstream lots`: the lots of an article at its sites, their expiry, and what is held back."""

import asyncio
import os
from typing import Annotated, Final, Literal

import typer

from deploy.ledger_rows import Row, head_line, print_table, row_line
from deploy.lot_rows import LotView
from ingest.contracts.settings import KafkaSettings, load
from ingest.contracts.topics import STOCK
from streams.engine.adapters.reader import read_topic

NOTHING_CODE: Final = 1


def lots(
    sku: Annotated[str, typer.Argument(help="The article.")],
    site: Annotated[str, typer.Argument(help="Only this site; all, and the way, if empty.")] = "",
    form: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="How it is shown.")
    ] = "table",
) -> None:
    """Show lots first to expire first; exit code 1 where nothing is known of the article."""
    kafka = load(KafkaSettings, os.environ)  # noqa: TID251 - a command is a main
    rows = asyncio.run(lot_rows(kafka, sku, site))
    if not rows:
        at_site = f" at {site}" if site else ""
        typer.echo(f"there is no stock of {sku}{at_site}", err=True)
        raise typer.Exit(NOTHING_CODE)
    if form == "table":
        print_table(f"Lots of {sku}", rows)
        return
    if form == "csv":
        typer.echo(head_line(rows[0]))
    for row in rows:
        typer.echo(row_line(row, form))


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
