"""`shelfstream ledger`: the books of a period, what stock is worth, and a journal for finance.

All are views of committed records: nothing is written. `reconcile` exits with 0 where every line
holds, 1 where one does not; 2 means that it could not be read.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from deploy.ledger_rows import (
    RowFormat,
    balance_rows,
    head_line,
    journal_rows,
    print_rows,
    print_table,
    row_line,
    show_rows,
    value_rows,
)
from deploy.terminal import ShownOption, kafka_settings
from deploy.utc import moment_ms
from deploy.wording import counted
from ingest.contracts.errors import SettingsError
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import MOVEMENTS, STOCK
from streams.contracts.ledger import MOVEMENT_FRAMES, Movement
from streams.engine.adapters.reader import read_topic
from streams.journal import Accounts, Entry, accounts_of
from streams.periods import Balance, BalanceKey, Period, TableCut, all_hold

BROKEN_CODE: Final = 1
FOR_EVER_MS: Final = (1 << 63) - 1
"""Later than every movement."""
ACCOUNTS_FILE_BYTES_MAX: Final = 1024 * 1024

app = typer.Typer(no_args_is_help=True, help="The ledger: reconcile, valuation, export.")

FromOption = Annotated[
    str, typer.Option("--from", help="Begin, recorded time: 2026-11-01 or with a time; UTC.")
]
ToOption = Annotated[str, typer.Option("--to", help="End, excluded; everything if empty.")]


@app.callback()
def ledger() -> None:
    """Views of the ledger; they write nothing."""


@app.command()
def reconcile(
    from_time: FromOption = "", to_time: ToOption = "", form: ShownOption = "table"
) -> None:
    """Check that opening + in - out + adjust = closing; 1 where it does not."""
    from_ms, to_ms = period_of(from_time, to_time)
    balances = asyncio.run(_balances(kafka_settings(), from_ms, to_ms))
    rows = list(balance_rows(balances))
    holds = all_hold(balances.values())
    if form == "table":  # the sums, and what is wrong: a person reads no million lines
        shown = [row for row in rows if not row["sku"] or not row["holds"]]
        print_table("Ledger", shown)
        lines = counted(len(balances), "line")
        typer.echo(f"{lines} compared: {'all hold' if holds else 'not all hold'}")
    else:
        print_rows(rows, form)
    if not holds:
        raise typer.Exit(BROKEN_CODE)


@app.command()
def valuation(
    at: Annotated[str, typer.Option("--at", help="As recorded before then; now if empty.")] = "",
    form: ShownOption = "table",
) -> None:
    """Show what stock on hand and on its way is worth, at moving-average cost."""
    _, at_ms = period_of("", at)
    show_rows("Valuation", value_rows(asyncio.run(_balances(kafka_settings(), 0, at_ms))), form)


@app.command()
def export(
    from_time: FromOption = "",
    to_time: ToOption = "",
    form: Annotated[RowFormat, typer.Option("--format", help="CSV, or a JSON object a line.")] = (
        "csv"
    ),
    accounts: Annotated[
        Path | None, typer.Option("--accounts", help="TOML: on_hand, in_transit, [kinds].")
    ] = None,
) -> None:
    """Write the double-entry journal; an entry has the same id whenever it is exported."""
    from_ms, to_ms = period_of(from_time, to_time)
    named = _accounts(accounts)
    asyncio.run(_export(kafka_settings(), named, form, from_ms=from_ms, to_ms=to_ms))


def period_of(from_time: str, to_time: str) -> tuple[int, int]:
    """Return begin and (excluded) end in UTC milliseconds; everything where they are empty.

    Raises:
        SettingsError: A text is no time, or the end is not after the begin.
    """
    from_ms = moment_ms(from_time) if from_time else 0
    to_ms = moment_ms(to_time) if to_time else FOR_EVER_MS
    if to_ms <= from_ms:
        raise SettingsError(f"the period ends at {to_time} and begins only at {from_time}")
    return from_ms, to_ms


def _accounts(file: Path | None) -> Accounts:
    if file is None:
        return Accounts()
    try:
        if file.stat().st_size > ACCOUNTS_FILE_BYTES_MAX:
            raise SettingsError(f"{file} is larger than {ACCOUNTS_FILE_BYTES_MAX} bytes")
        return accounts_of(str(file), file.read_bytes())
    except OSError as error:
        raise SettingsError(f"{file} can't be read: {error.strerror}") from error


async def _balances(kafka: KafkaSettings, from_ms: int, to_ms: int) -> dict[BalanceKey, Balance]:
    table = TableCut()
    async for records in read_topic(kafka, STOCK.name, until_end=True):
        for record in records:
            table.take(record.key, record.value)
    period = Period(table, from_ms, to_ms)
    async for movements in _movements(kafka):
        for movement in movements:
            period.take(movement)
    return period.balances()


async def _movements(kafka: KafkaSettings) -> AsyncIterator[list[Movement]]:
    async for records in read_topic(kafka, MOVEMENTS.name, until_end=True):
        for record in records:
            yield MOVEMENT_FRAMES.decode(record.value or b"").items


async def _export(
    kafka: KafkaSettings, accounts: Accounts, form: RowFormat, *, from_ms: int, to_ms: int
) -> None:
    if form == "csv":
        typer.echo(head_line(field.name for field in msgspec.structs.fields(Entry)))
    async for movements in _movements(kafka):
        for row in journal_rows(movements, accounts, from_ms=from_ms, to_ms=to_ms):
            typer.echo(row_line(row, form))
