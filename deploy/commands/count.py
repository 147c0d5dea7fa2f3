"""`shelfstream count`: where a count pays, and count sessions.

Exit code 0: done, or accepted; 1: refused; 2: it could not be asked; 3: no answer yet, the command
stands in the log and is pending.
"""

import asyncio
from typing import Annotated

import typer

from deploy.command_send import send_plan_command
from deploy.count_rows import line_rows, newest_first, session_rows, worth_rows
from deploy.ledger_rows import print_table
from deploy.newest import newest
from deploy.terminal import (
    ActorOption,
    ReasonOption,
    asked,
    kafka_settings,
    refuse,
    tell_answer,
    wall_ms,
)
from deploy.utc import moment_ms
from ingest.contracts.count_commands import CountCommand
from ingest.contracts.counts import COUNT_LINES_MAX, CountVerb
from ingest.contracts.durations import HOUR_MS
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import PLAN_STATE, STOCK
from streams.contracts.counts import COUNT_SESSION, CountSession
from streams.contracts.ids import sku_of
from streams.count_list import CountList, CountWorth
from streams.engine.adapters.reader import read_topic

app = typer.Typer(no_args_is_help=True, help="Counts: where they pay, and sessions.")

SiteOption = Annotated[str, typer.Option("--site", help="Where it is counted.")]
SessionArgument = Annotated[str, typer.Argument(help="Such as count-SITE-3.")]
SkuArgument = Annotated[str, typer.Argument(help="The article.")]
AtOption = Annotated[
    str, typer.Option("--at", help="When the counter looked, if not now: 2026-11-01T08:05, UTC.")
]
TopOption = Annotated[
    int, typer.Option("--top", min=1, max=COUNT_LINES_MAX, help="So many of the list.")
]


@app.callback()
def count() -> None:
    """Count sessions live in the planning fold; what they find is booked by the stock fold."""


@app.command("list")
def list_worth(site: SiteOption, top: TopOption = 20) -> None:
    """Show where a count pays: expected error of the record times the value of a unit."""
    worth = asyncio.run(_ranked(kafka_settings(), site))[:top]
    print_table("Where a count pays", worth_rows(worth))


@app.command("open")
def open_session(
    site: SiteOption,
    skus: Annotated[list[str] | None, typer.Argument(help="What is counted.")] = None,
    top: Annotated[
        int, typer.Option("--top", min=0, max=COUNT_LINES_MAX, help="Also so many of the list.")
    ] = 0,
    *,
    blind: Annotated[bool, typer.Option("--blind", help="Show nobody what is expected.")] = False,
    hours: Annotated[int, typer.Option("--hours", min=1, max=336, help="Then it expires.")] = 24,
    actor: ActorOption = "",
    reason: ReasonOption = "",
) -> None:
    """Open a session for articles of a site; the answer names it."""
    wanted = list(skus or [])
    if top:
        ranked = [one.sku for one in asyncio.run(_ranked(kafka_settings(), site))]
        wanted += [sku for sku in ranked if sku not in wanted][:top]
    fields = {"skus": tuple(wanted), "blind": blind, "ttl_ms": hours * HOUR_MS}
    _send("open", site, actor, reason, **fields)


@app.command()
def enter(
    session: SessionArgument,
    sku: SkuArgument,
    units: Annotated[int, typer.Argument(min=0, help="What is there, base units.")],
    at: AtOption = "",
    actor: ActorOption = "",
) -> None:
    """Enter what was counted; it is compared with the book of that time."""
    counted_at_ms = moment_ms(at) if at else wall_ms()
    fields = {"skus": (sku,), "quantity_units": units, "counted_at_ms": counted_at_ms}
    _send_to(session, "enter", actor, "", **fields)


@app.command()
def zero(session: SessionArgument, sku: SkuArgument, actor: ActorOption = "") -> None:
    """Confirm that the shelf is empty."""
    _send_to(session, "enter", actor, "", skus=(sku,), counted_at_ms=wall_ms())


@app.command()
def confirm(session: SessionArgument, sku: SkuArgument, actor: ActorOption = "") -> None:
    """Confirm what sensors see of a prefilled line."""
    lines = _session(session).lines
    if sku not in lines or lines[sku].state != "prefilled":
        refuse(f"{sku} is not prefilled in {session}: enter what is there")
    fields = {"quantity_units": lines[sku].sensed_units, "counted_at_ms": wall_ms()}
    _send_to(session, "enter", actor, "", skus=(sku,), **fields)


@app.command()
def approve(
    session: SessionArgument, sku: SkuArgument, actor: ActorOption = "", reason: ReasonOption = ""
) -> None:
    """Book a difference that waits; whoever counted it can't."""
    _send_to(session, "approve", actor, reason, skus=(sku,))


@app.command()
def recount(
    session: SessionArgument, sku: SkuArgument, actor: ActorOption = "", reason: ReasonOption = ""
) -> None:
    """Ask for another look in place of an approval."""
    _send_to(session, "recount", actor, reason, skus=(sku,))


@app.command()
def close(session: SessionArgument, actor: ActorOption = "", reason: ReasonOption = "") -> None:
    """Close a session of which nothing waits; what was not counted is missed."""
    _send_to(session, "close", actor, reason)


@app.command()
def cancel(session: SessionArgument, actor: ActorOption = "", reason: ReasonOption = "") -> None:
    """End a session; what waits is not booked."""
    _send_to(session, "cancel", actor, reason)


@app.command()
def show(
    session: Annotated[str, typer.Argument(help="Such as count-SITE-3; all if empty.")] = "",
    site: Annotated[str, typer.Option("--site", help="Only of this site.")] = "",
    *,
    review: Annotated[
        bool, typer.Option("--review", help="For who approves: also a blind count's numbers.")
    ] = False,
) -> None:
    """Show sessions, or the lines of one."""
    if session:
        named = _session(session)
        print_table(f"{session}: {named.state}", line_rows(named, review=review))
    else:
        found = newest_first(one for one in _sessions() if site in {"", one.site})
        print_table("Counts", session_rows(found))


def _session(session_id: str) -> CountSession:
    named = [one for one in _sessions() if one.session_id == session_id]
    if not named:
        refuse(f"there is no count {session_id}")
    return named[0]


def _send_to(session: str, verb: CountVerb, actor: str, reason: str, **fields: object) -> None:
    try:
        site = sku_of(session)  # the site stands where other ids have the article
    except ValueError:
        refuse(f"{session!r} is no count such as count-SITE-3")
    _send(verb, site, actor, reason, session_id=session, **fields)


def _send(verb: CountVerb, site: str, actor: str, reason: str, **fields: object) -> None:
    wanted = asked(CountCommand, actor, verb=verb, site=site, reason=reason, **fields)
    answer = asyncio.run(send_plan_command(kafka_settings(), wanted, now_ms=wall_ms()))
    raise typer.Exit(tell_answer(answer, wanted.command_id))


async def _ranked(kafka: KafkaSettings, site: str) -> list[CountWorth]:
    table = CountList()
    async for records in read_topic(kafka, STOCK.name, until_end=True):
        for record in records:
            table.take(record.key, record.value)
    return table.ranked(site)


def _sessions() -> list[CountSession]:
    return asyncio.run(newest(kafka_settings(), PLAN_STATE.name, COUNT_SESSION, CountSession))
