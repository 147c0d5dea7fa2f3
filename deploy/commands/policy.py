"""`shelfstream policy`: what a catalogue would change before it is loaded, and who changed what."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.console import Console
from rich.markup import escape

from deploy.catalog_audit import AuditedChange, AuditedLoad, audited
from deploy.catalog_load import committed_records, planned_load
from deploy.terminal import kafka_settings, wall_ms
from deploy.wording import counted
from ingest.catalog_file import read_catalog_path
from ingest.contracts.settings import KafkaSettings
from ingest.contracts.topics import STOCK
from streams.engine.adapters.reader import read_topic
from streams.policy_preview import LevelPreview, preview

ROWS_SHOWN_MAX: Final = 100
RESERVED_KEY: Final = b"\x00"
"""The engine's own records begin with it."""

app = typer.Typer(no_args_is_help=True, help="Policies: preview a file, audit what was loaded.")

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.callback()
def policy() -> None:
    """Rules as data: seen before they hold, and known afterwards."""


@app.command("preview")
def preview_file(
    file: Annotated[Path, typer.Argument(help="A catalogue: a YAML file, or a folder.")],
    as_json: JsonOption = False,
) -> None:
    """Say which rules, breaches, transfers and requests a catalogue would change; write nothing."""
    kafka, now_ms = kafka_settings(), wall_ms()
    rows, version = asyncio.run(_previewed(kafka, file, now_ms))
    if as_json:
        for row in rows:
            typer.echo(msgspec.json.encode(row).decode())
        return
    console = Console(soft_wrap=True, highlight=False)
    for row in rows[:ROWS_SHOWN_MAX]:
        for line in preview_lines(row):
            console.print(escape(line))
    if len(rows) > ROWS_SHOWN_MAX:
        console.print(f"... and {len(rows) - ROWS_SHOWN_MAX} more; --json has all")
    console.print(summary(rows, version))


@app.command()
def audit(
    loads: Annotated[int, typer.Option("--loads", min=1, help="How many, newest last.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show who loaded what, when and why, and each policy and promotion that it changed."""
    kafka = kafka_settings()
    found = asyncio.run(_audited(kafka))[-loads:]
    for one, changes in found:
        if as_json:
            row = {
                **one.model_dump(),
                "changes": [c.model_dump(exclude={"version"}) for c in changes],
            }
            typer.echo(msgspec.json.encode(row).decode())
        else:
            for line in audit_lines(one, changes):
                typer.echo(line)
    if not found and not as_json:
        typer.echo("no load was audited yet")


def preview_lines(row: LevelPreview) -> list[str]:
    """Return what changes at one level, for people."""
    lines = [f"{row.sku} at {row.site}"]
    lines += [f"  {name}: {_text(old)} -> {_text(new)}" for name, (old, new) in row.rules.items()]
    for what, kinds in (("opens", row.opens), ("opens after its dwell", row.waits)):
        lines += [f"  {what}: {kind}" for kind in kinds]
    lines += [f"  clears: {kind}" for kind in row.clears]
    lines += [f"  clears after its window: {kind}" for kind in row.settles]
    lines += [f"  transfer {text}" for text in row.transfers]
    lines += [f"  request {text}" for text in row.needs]
    return lines


def summary(rows: list[LevelPreview], version: int) -> str:
    """Return how much changes in all."""
    names = ("opens", "waits", "clears", "settles", "transfers", "needs")
    counts = Counter({name: sum(len(getattr(row, name)) for row in rows) for name in names})
    levels = counted(sum(1 for row in rows if row.rules), "level")
    breaches = counted(counts["opens"], "breach", "breaches")
    transfers, needs = counted(counts["transfers"], "transfer"), counted(counts["needs"], "request")
    return (
        f"version {version} would change the rules of {levels},"
        f" open {breaches} at once and {counts['waits']} after their dwell,"
        f" clear {counts['clears']} and {counts['settles']} after their window, change"
        f" {transfers} and {needs}; nothing was written"
    )


def audit_lines(one: AuditedLoad, changes: list[AuditedChange]) -> list[str]:
    """Return a load and its changes, for people."""
    at = datetime.fromtimestamp(one.at_ms / 1_000, UTC).isoformat(timespec="seconds")
    counts = ", ".join(f"{count} {kind}" for kind, count in one.changed.items())
    lines = [f"version {one.version}  {at}  {one.actor or '-'}  {one.reason or '-'}  ({counts})"]
    for change in changes:
        names = sorted({*change.before, *change.after})
        told = [
            f"{name} {_text(change.before.get(name))} -> {_text(change.after.get(name))}"
            for name in names
        ]
        lines.append(f"  {change.kind} {change.name}: {', '.join(told)}")
    return lines


def _text(value: Any) -> str:
    return "-" if value is None else str(value)


async def _previewed(
    kafka: KafkaSettings, file: Path, now_ms: int
) -> tuple[list[LevelPreview], int]:
    source = read_catalog_path(file)
    planned = await planned_load(kafka, source.catalog, now_ms=now_ms, marks=source.marks)
    tables: dict[int, dict[bytes, bytes]] = {partition: {} for partition in planned.frames}
    async for records in read_topic(kafka, STOCK.name, until_end=True):
        for record in records:
            table = tables.get(record.partition)
            if table is None or record.key is None or record.key.startswith(RESERVED_KEY):
                continue
            if record.value is None:
                table.pop(record.key, None)
            else:
                table[record.key] = record.value
    count = planned.installation.partition_count
    rows = [
        row
        for partition, table in sorted(tables.items())
        for row in preview(table, planned.frames[partition], partition, count)
    ]
    return sorted(rows, key=lambda row: (row.sku, row.site)), planned.version


async def _audited(kafka: KafkaSettings) -> list[tuple[AuditedLoad, list[AuditedChange]]]:
    return audited([record async for record in committed_records(kafka)])
