"""`shelfstream supplier`: what a supplier is shown, and the orders it gets.

Exit codes of what changes an order, as of `shelfstream command`: 0 accepted; 1 refused; 2 it could
not be asked; 3 no answer yet.
"""

import asyncio
import re
import uuid
from collections.abc import Iterable
from typing import Annotated, Final

import typer

from deploy.command_send import send_plan_command
from deploy.ledger_rows import Row, show_rows
from deploy.supplier_feed import SupplyView
from deploy.terminal import (
    ActorOption,
    ReasonOption,
    ShownOption,
    VersionOption,
    kafka_settings,
    login_name,
    refuse,
    tell_answer,
    wall_ms,
)
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import PLAN_STATE, STOCK
from streams.contracts.purchases import PurchaseCommand, PurchaseVerb
from streams.engine.adapters.reader import read_topic

app = typer.Typer(no_args_is_help=True, help="A supplier's feed, and purchase orders.")

_ORDER_ID: Final = re.compile(r"purchase-[^\x00-\x1f]+-\d+")

OrderArgument = Annotated[str, typer.Argument(help="Such as purchase-MILL-12.")]
NeedArgument = Annotated[str, typer.Argument(help="The line, by its request: need-MILK-7.")]
UnitsArgument = Annotated[int, typer.Argument(min=1, help="Base units.")]

_TABLE_COLUMNS: Final = (
    *("order_id", "state", "need_id", "sku", "site"),
    *("quantity_units", "received_units", "flags"),
)
"""What of an order's row fits on a screen."""

ORDER_WORDS: Final[dict[str, tuple[PurchaseVerb, str]]] = {
    "approve": ("approve_purchase", "Let an order go out now, whatever its minimum or limits."),
    "cancel": ("cancel_purchase", "Cancel an order of which nothing has come."),
    "close": ("close_purchase", "Close an order of which the rest does not come."),
}
"""What takes nothing but an order's id: the word, the verb and the help."""
LINE_WORDS: Final[dict[str, tuple[PurchaseVerb, str]]] = {
    "edit": ("edit_purchase", "Change the quantity of a line; not below what of it has come."),
    "receive": ("receive_purchase", "Book what has come of a line, where nobody scans it."),
}
"""What takes a line and units too."""


@app.callback()
def supplier() -> None:
    """Suppliers: what they are shown, and purchase orders."""


@app.command()
def feed(
    name: Annotated[str, typer.Argument(metavar="SUPPLIER", help="Whose articles.")],
    form: ShownOption = "csv",
) -> None:
    """Write stock, position and what is wanted of a supplier's articles (VMI), a row a site."""
    rows = list(asyncio.run(_view(kafka_settings())).feed_rows(name))
    show_rows("Feed", rows, form)
    if not rows and form != "table":  # an empty table says so itself
        typer.echo(f"no site keeps an article of supplier {name}", err=True)


@app.command()
def orders(
    name: Annotated[str, typer.Argument(metavar="SUPPLIER", help="All if left out.")] = "",
    ended: Annotated[bool, typer.Option("--all", help="Ended orders too.")] = False,
    form: ShownOption = "table",
) -> None:
    """Show purchase orders, a row a line."""
    rows: Iterable[Row] = asyncio.run(_view(kafka_settings())).order_rows(name, ended=ended)
    if form == "table":
        rows = [{column: row[column] for column in _TABLE_COLUMNS} for row in rows]
    show_rows("Purchase orders", rows, form)


def _add_word(word: str, verb: PurchaseVerb, help_text: str) -> None:
    @app.command(word, help=help_text)
    def _(
        order_id: OrderArgument,
        actor: ActorOption = "",
        reason: ReasonOption = "",
        expected_version: VersionOption = None,
    ) -> None:
        _send(verb, order_id, actor, reason, expected_version=expected_version)


for _word, (_verb, _help_text) in ORDER_WORDS.items():
    _add_word(_word, _verb, _help_text)


def _add_line_word(word: str, verb: PurchaseVerb, help_text: str) -> None:
    @app.command(word, help=help_text)
    def _(  # noqa: PLR0917 - typer makes arguments of them
        order_id: OrderArgument,
        need_id: NeedArgument,
        units: UnitsArgument,
        actor: ActorOption = "",
        reason: ReasonOption = "",
        expected_version: VersionOption = None,
    ) -> None:
        _send(
            verb,
            order_id,
            actor,
            reason,
            need_id=need_id,
            units=units,
            expected_version=expected_version,
        )


for _word, (_verb, _help_text) in LINE_WORDS.items():
    _add_line_word(_word, _verb, _help_text)


def _send(
    verb: PurchaseVerb,
    order_id: str,
    actor: str,
    reason: str,
    *,
    need_id: str = "",
    units: int = 0,
    expected_version: int | None = None,
) -> None:
    if not _ORDER_ID.fullmatch(order_id):
        refuse(f"{order_id!r} is no order such as purchase-MILL-12")
    asked = PurchaseCommand(
        command_id=str(uuid.uuid4()),
        verb=verb,
        order_id=order_id,
        actor=actor or login_name(),
        reason=reason,
        expected_version=-1 if expected_version is None else expected_version,
        need_id=need_id,
        quantity_units=units,
    )
    answer = asyncio.run(send_plan_command(kafka_settings(), asked, now_ms=wall_ms()))
    raise typer.Exit(tell_answer(answer, asked.command_id))


async def _view(kafka: KafkaSettings) -> SupplyView:
    view = SupplyView()
    async for records in read_topic(kafka, STOCK.name, until_end=True):
        for record in records:
            view.take_stock(record.key or b"", record.value)
    async for records in read_topic(kafka, PLAN_STATE.name, until_end=True):
        for record in records:
            view.take_plan(record.key or b"", record.value)
    return view
