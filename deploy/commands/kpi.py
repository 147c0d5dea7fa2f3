"""`shelfstream kpi`: turnover, days on hand, stockouts, fill rate, accuracy; by level to network.

A view of committed records: nothing is written. Closed days come from the events, the open one from
the live table.
"""

import asyncio
from collections.abc import Iterator
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from deploy.terminal import kafka_settings, refuse
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import EVENTS, STOCK
from streams.engine.adapters.reader import read_topic
from streams.kpi_figures import DAYS_TOLD_MAX, Figure, Figures, LevelKey, Totals


def kpi(
    sku: Annotated[str, typer.Option("--sku", help="One SKU only.")] = "",
    site: Annotated[str, typer.Option("--site", help="One site only.")] = "",
    days: Annotated[
        int, typer.Option("--days", min=1, max=DAYS_TOLD_MAX, help="How far back; events are kept.")
    ] = 28,
    levels: Annotated[bool, typer.Option("--levels", help="A row for each SKU, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a row.")] = False,
) -> None:
    """Show the key figures of the network, its sites and, if asked for, each SKU."""
    totals = asyncio.run(_totals(kafka_settings(), Figures(sku=sku, site=site), days))
    if not totals:
        what = "stock of that name" if sku or site else "stock"
        refuse(f"no {what} was kept in these days")
    rows = list(_rows(totals, levels=levels or bool(sku)))
    if as_json:
        for row in rows:
            typer.echo(msgspec.json.encode(row).decode())
    else:
        Console(soft_wrap=True).print(_table(rows, days))


async def _totals(kafka: KafkaSettings, figures: Figures, days: int) -> dict[LevelKey, Totals]:
    async for records in read_topic(kafka, EVENTS.name, until_end=True):
        for record in records:
            figures.take_events(record.value)
    async for records in read_topic(kafka, STOCK.name, until_end=True):
        for record in records:
            figures.take_state(record.partition, record.key, record.value)
    return figures.totals(days)


def _rows(totals: dict[LevelKey, Totals], *, levels: bool) -> Iterator[dict[str, Figure | str]]:
    for (site, sku), total in totals.items():
        if levels or not sku:
            yield {"site": site, "sku": sku, **total.figures()}


def _table(rows: list[dict[str, Figure | str]], days: int) -> Table:
    table = Table(title=f"Key figures, {days} days", title_justify="left")
    table.add_column("figure")
    for row in rows:
        table.add_column(f"{row['site'] or 'network'} {row['sku']}".strip(), justify="right")
    for name in rows[0]:
        if name not in {"site", "sku"}:
            table.add_row(name, *("-" if row[name] is None else str(row[name]) for row in rows))
    return table
