"""Reconciliations, valuations and journals as rows; rows as CSV, JSON lines or a table. Pure."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from streams.contracts.ledger import Movement
from streams.domain.arithmetic import half_even
from streams.journal import Accounts, Entry, entry_of
from streams.periods import Balance, BalanceKey, totals_by_site

RowFormat = Literal["csv", "json"]
ShownFormat = Literal["table", "csv", "json"]
Row = Mapping[str, str | int | bool]
NETWORK: Final = ""
"""The site of the row that sums all sites, and the SKU of every row that sums all SKUs."""
_COLUMNS_MAX: Final = 1_000
_SUMMED: Final = {"site": "network", "sku": "all"}


def balance_rows(balances: dict[BalanceKey, Balance]) -> Iterator[Row]:
    """Yield a row for each site, SKU and place, then one for each site, and for the network."""
    for (site, sku, place), balance in balances.items():
        yield _balance_row(site, sku, place, balance)
    for (site, place), balance in totals_by_site(balances).items():
        yield _balance_row(site, NETWORK, place, balance)


def _balance_row(site: str, sku: str, place: str, balance: Balance) -> Row:
    row: dict[str, str | int | bool] = {"site": site, "sku": sku, "place": place}
    amounts = {
        "opening": balance.opening,
        "in": balance.incoming,
        "out": balance.outgoing,
        "adjust": balance.adjusted,
        "closing": balance.closing,
        "difference": balance.difference,
    }
    for name, amount in amounts.items():
        row[f"{name}_units"] = amount.units
        row[f"{name}_minor"] = amount.minor
    return {**row, "chain_breaks": balance.chain_breaks, "holds": balance.holds}


def value_rows(balances: dict[BalanceKey, Balance]) -> Iterator[Row]:
    """Yield what was there at the end of a period: each key that is not empty, sites, network."""
    for (site, sku, place), balance in balances.items():
        if balance.closing.units or balance.closing.minor:
            yield _value_row(site, sku, place, balance)
    for (site, place), balance in totals_by_site(balances).items():
        yield _value_row(site, NETWORK, place, balance)


def _value_row(site: str, sku: str, place: str, balance: Balance) -> Row:
    units, minor = balance.closing.units, balance.closing.minor
    return {
        "site": site,
        "sku": sku,
        "place": place,
        "units": units,
        "value_minor": minor,
        "unit_cost_minor": half_even(minor, units) if units and sku else 0,
    }


def journal_rows(
    movements: Iterable[Movement], accounts: Accounts, *, from_ms: int, to_ms: int
) -> Iterator[Row]:
    """Yield the entries of the movements recorded in a period, its end excluded."""
    for movement in movements:
        if from_ms <= movement.recorded_at_ms < to_ms:
            entry = entry_of(movement, accounts)
            if entry is not None:
                yield _entry_row(entry)


def _entry_row(entry: Entry) -> Row:
    return msgspec.structs.asdict(entry)


def head_line(names: Iterable[str]) -> str:
    """Return the first line of a CSV."""
    return _csv_line(names)


def row_line(row: Row, form: RowFormat) -> str:
    """Return one row as a line of CSV (RFC 4180, true as 1) or as a JSON object."""
    if form == "json":
        return msgspec.json.encode(row).decode()
    return _csv_line(int(value) if isinstance(value, bool) else value for value in row.values())


def _csv_line(values: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue()


def show_rows(title: str, rows: Iterable[Row], form: ShownFormat) -> None:
    """Show rows as a table for people, or print them as CSV or JSON lines."""
    if form == "table":
        print_table(title, rows)
    else:
        print_rows(rows, form)


def print_rows(rows: Iterable[Row], form: RowFormat) -> None:
    """Print rows as CSV with a head line, or as JSON lines."""
    headed = form == "json"
    for row in rows:
        if not headed:
            typer.echo(head_line(row))
            headed = True
        typer.echo(row_line(row, form))


def print_table(title: str, rows: Iterable[Row]) -> None:
    """Show rows for people, each on one line, wider than the terminal where they have to be."""
    table = rows_table(title, rows)
    if not table.columns:
        Console().print(f"{title}: nothing")
        return
    console = Console()
    needed = Measurement.get(console, console.options.update(max_width=_COLUMNS_MAX), table).maximum
    Console(width=max(console.width, needed), soft_wrap=True).print(table)


def rows_table(title: str, rows: Iterable[Row]) -> Table:
    """Return rows for people; the network's row and totals say so."""
    table = Table(title=title, title_justify="left")
    for row in rows:
        if not table.columns:
            for name, value in row.items():
                table.add_column(name, justify="right" if isinstance(value, int) else "left")
        shown = {name: value or _SUMMED.get(name, value) for name, value in row.items()}
        table.add_row(*(escape(str(one)) for one in shown.values()))
    return table
