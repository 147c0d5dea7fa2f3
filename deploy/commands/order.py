"""`shelfstream order`: customer orders of one or more lines.

Exit code 0: done, or accepted; 1: refused, or `--replay` found something else; 2: it could not be
asked; 3: no answer yet, the command stands in the log and is pending.
"""

import asyncio
from typing import Annotated

import typer

from deploy.command_send import send_plan_command
from deploy.commands.explain import DIFFERENT_CODE, ReplayOption, UnknownIdError, explain_id
from deploy.ledger_rows import print_table
from deploy.newest import newest
from deploy.order_rows import (
    line_of,
    line_rows,
    newest_first,
    order_rows,
    outcome_sentence,
)
from deploy.terminal import (
    REFUSED_CODE,
    ActorOption,
    ReasonOption,
    asked,
    kafka_settings,
    refuse,
    tell_answer,
    wall_ms,
)
from deploy.utc import moment_ms
from ingest.contracts.durations import HOUR_MS
from ingest.contracts.order_commands import OrderCommand
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import EVENTS, PLAN_STATE
from streams.contracts.orders import ORDER, CustomerOrder

OUTCOME_LOOKS_MAX = 10
OUTCOME_PAUSE_S = 0.2

app = typer.Typer(
    no_args_is_help=True, help="Customer orders: place, hand over, cancel, accept, show."
)

OrderArgument = Annotated[str, typer.Argument(help="The order's own id.")]


@app.callback()
def order() -> None:
    """Orders live in the planning fold; their lines are held by the stock fold."""


@app.command()
def place(  # noqa: PLR0917 - typer makes arguments of them
    order_id: OrderArgument,
    lines: Annotated[list[str], typer.Argument(help="SKU@SITE=UNITS, one a line.")],
    priority: Annotated[
        int, typer.Option("--priority", min=0, help="Scarce stock goes to the highest.")
    ] = 0,
    need_by: Annotated[
        str, typer.Option("--need-by", help="When it is needed: 2026-11-01T08:00, UTC.")
    ] = "",
    hours: Annotated[
        int, typer.Option("--hours", min=1, max=8_784, help="So long it waits for stock.")
    ] = 168,
    actor: ActorOption = "",
    reason: ReasonOption = "",
    *,
    partial: Annotated[
        bool, typer.Option("--partial", help="Take what there is; otherwise all or nothing.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Short lines wait for stock.")] = False,
) -> None:
    """Place an order: its lines are reserved, all of them or what there is."""
    try:
        given = tuple(line_of(text) for text in lines)
    except ValueError as error:
        refuse(str(error))
    code = _sent(
        "place",
        order_id,
        actor,
        reason,
        lines=given,
        priority=priority,
        need_by_ms=moment_ms(need_by) if need_by else 0,
        ttl_ms=hours * HOUR_MS,
        fulfilment="partial" if partial else "whole",
        back_order=wait,
    )
    order = asyncio.run(outcome(kafka_settings(), order_id)) if not code else None
    if order is not None:
        refused = order.state == "refused"
        typer.echo(outcome_sentence(order), err=refused)
        code = REFUSED_CODE if refused else code
    raise typer.Exit(code)


@app.command()
def fulfil(order_id: OrderArgument, actor: ActorOption = "", reason: ReasonOption = "") -> None:
    """Hand a confirmed order over: its units leave the book."""
    _send("fulfil", order_id, actor, reason)


@app.command()
def cancel(order_id: OrderArgument, actor: ActorOption = "", reason: ReasonOption = "") -> None:
    """Cancel an order that was not handed over: all it holds is given back."""
    _send("cancel", order_id, actor, reason)


@app.command()
def accept(order_id: OrderArgument, actor: ActorOption = "", reason: ReasonOption = "") -> None:
    """Take lines that ask for far more than is usual as right; held ones then ask for stock."""
    _send("accept", order_id, actor, reason)


@app.command()
def show(
    order_id: Annotated[str, typer.Argument(help="The order's own id; all if empty.")] = "",
) -> None:
    """Show orders, or the lines of one."""
    found = asyncio.run(_orders(kafka_settings()))
    if not order_id:
        print_table("Orders", order_rows(newest_first(found)))
        return
    named = [one for one in found if one.order_id == order_id]
    if not named:
        refuse(f"there is no order {order_id}")
    print_table(f"{order_id}: {named[0].state}", line_rows(named[0]))


@app.command()
def explain(order_id: OrderArgument, replay: ReplayOption = False) -> None:
    """Tell what became of an order and its lines, with the numbers each was decided from."""
    try:
        agrees = asyncio.run(explain_id(kafka_settings(), f"order-{order_id}", replay=replay))
    except UnknownIdError:
        refuse(f"no event of order {order_id} is in {EVENTS.name}, which is kept for 35 days")
    if not agrees:
        raise typer.Exit(DIFFERENT_CODE)


def _send(verb: str, order_id: str, actor: str, reason: str, **fields: object) -> None:
    raise typer.Exit(_sent(verb, order_id, actor, reason, **fields))


def _sent(verb: str, order_id: str, actor: str, reason: str, **fields: object) -> int:
    wanted = asked(OrderCommand, actor, verb=verb, order_id=order_id, reason=reason, **fields)
    answer = asyncio.run(send_plan_command(kafka_settings(), wanted, now_ms=wall_ms()))
    return tell_answer(answer, wanted.command_id)


async def outcome(kafka: KafkaSettings, order_id: str) -> CustomerOrder | None:
    """Return a placed order once its lines were answered, or None where that takes too long."""
    for _ in range(OUTCOME_LOOKS_MAX):
        for one in await _orders(kafka):
            if one.order_id == order_id and one.state != "reserving":
                return one
        await asyncio.sleep(OUTCOME_PAUSE_S)
    return None


async def _orders(kafka: KafkaSettings) -> list[CustomerOrder]:
    return await newest(kafka, PLAN_STATE.name, ORDER, CustomerOrder)
