"""`shelfstream catalog`: load a catalogue, and see the one that holds."""

import asyncio
import os
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.catalog_load import LoadResult, load_catalog, read_catalog
from deploy.catalog_tables import kind_table, kinds_table, one_table
from deploy.terminal import ActorOption, ReasonOption, kafka_settings, login_name, wall_ms
from deploy.wording import counted
from ingest.catalog import Catalog
from ingest.catalog_changes import Change
from ingest.catalog_file import read_catalog_path
from ingest.contracts.errors import CatalogError, SettingsError
from ingest.contracts.reference import ENTITY_MODELS, entity_name

CHANGES_SHOWN_MAX: Final = 100
_SIGNS: Final = {"added": "[green]+[/]", "changed": "[yellow]~[/]", "removed": "[red]-[/]"}

app = typer.Typer(no_args_is_help=True, help="Sites, lanes, SKUs, devices, policies: load, show.")


@app.callback()
def catalog() -> None:
    """Reference data: what there is, and by which rules."""


@app.command("load")
def load_file(
    file: Annotated[Path, typer.Argument(help="A YAML file, or a folder of YAML and CSV files.")],
    restate: Annotated[
        bool, typer.Option("--restate", help="Change what channels watched in the past.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would change.")
    ] = False,
    actor: ActorOption = "",
    reason: ReasonOption = "",
) -> None:
    """Bring the catalogue to what a file says; what is not in the file is removed."""
    kafka, now_ms = kafka_settings(), wall_ms()
    source = read_catalog_path(file)
    result = asyncio.run(
        load_catalog(
            kafka,
            source.catalog,
            now_ms=now_ms,
            marks=source.marks,
            restate=restate,
            dry_run=dry_run,
            actor=actor or _login_name(),
            reason=reason,
        )
    )
    _show_result(Console(), result)


@app.command()
def show(
    kind: Annotated[str, typer.Argument(help=f"Of {', '.join(ENTITY_MODELS)}.")] = "",
    name: Annotated[str, typer.Argument(help="One entity, such as the SKU.")] = "",
) -> None:
    """Show the catalogue that holds: all kinds, one kind, or one entity."""
    console = Console()
    check_kind(kind)
    kafka = kafka_settings()
    found = asyncio.run(read_catalog(kafka))
    for table in _tables(found, kind, name):
        console.print(table)


@app.command()
def example() -> None:
    """Print a small catalogue to begin with."""
    text = files("deploy").joinpath("catalogs", "example.yaml").read_text(encoding="utf-8")
    typer.echo(text, nl=False)


def _login_name() -> str:
    try:
        return login_name()
    except SettingsError:  # in a container: a load goes on as before
        return f"user {os.getuid()}"


def check_kind(kind: str) -> None:
    """Refuse a word that names no kind of entity; an empty one means all.

    Raises:
        CatalogError: It lists the kinds.
    """
    if kind and kind not in ENTITY_MODELS:
        raise CatalogError(f"{kind} is no kind; the kinds are {', '.join(ENTITY_MODELS)}")


def _tables(found: Catalog, kind: str, name: str) -> list[Table]:
    if not kind:
        return [kinds_table(found)]
    if not name:
        return [kind_table(found, kind)]
    tables = one_table(found, kind, name)
    if not tables:
        raise CatalogError(f"there is no {kind} {name}")
    return tables


def _show_result(console: Console, result: LoadResult) -> None:
    for change in result.changes[:CHANGES_SHOWN_MAX]:
        console.print(_line(change), highlight=False)
    more = len(result.changes) - CHANGES_SHOWN_MAX
    if more > 0:
        console.print(f"... and {more} more", highlight=False)
    counts = Counter(change.kind for change in result.changes)
    told = ", ".join(f"{counts[kind]} {kind}" for kind in ("added", "changed", "removed"))
    if not result.changes:
        text = f"nothing changes: version {result.version} holds"
    elif result.written:
        text = f"version {result.version}: {told}"
    else:
        text = f"would be version {result.version}: {told}; nothing was written"
    console.print(text, highlight=False)


def _line(change: Change) -> str:
    fields = ", ".join(
        f"{name} {escape(_short(getattr(change.before, name)))} -> "
        f"{escape(_short(getattr(change.entity, name)))}"
        for name in change.fields
    )
    return f"{_SIGNS[change.kind]} {escape(entity_name(change.key))}" + (
        f": {fields}" if fields else ""
    )


def _short(value: object) -> str:
    return counted(len(value), "entry", "entries") if isinstance(value, tuple) else str(value)
