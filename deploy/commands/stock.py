"""`shelfstream stock`: opening stock and cost."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer

from deploy.catalog_load import import_openings, read_catalog
from deploy.terminal import kafka_settings, wall_ms
from deploy.wording import counted
from ingest.catalog_openings import StockFile, read_openings
from ingest.contracts.errors import CatalogError
from ingest.contracts.settings import KafkaSettings

STOCK_FILE_BYTES_MAX: Final = 64 * 1024 * 1024

app = typer.Typer(no_args_is_help=True, help="Opening stock: import.")


@app.callback()
def stock() -> None:
    """Opening stock and cost of articles at sites."""


@app.command("import")
def import_stock(
    file: Annotated[Path, typer.Argument(help="CSV: site, sku, quantity, unit_cost_minor.")],
    import_id: Annotated[
        str, typer.Option(help="Names the import; the same id applies once. From the content.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only validate it.")] = False,
) -> None:
    """Import opening stock as `opening` movements; the same file twice changes nothing."""
    kafka, now_ms = kafka_settings(), wall_ms()
    content = _content(file)
    found = asyncio.run(
        stock_imported(
            kafka, str(file), content, import_id=import_id, now_ms=now_ms, dry_run=dry_run
        )
    )
    valid = "is valid" if len(found.openings) == 1 else "are valid"
    done = valid if dry_run else f"imported as {found.import_id}"
    typer.echo(f"{counted(len(found.openings), 'line')} {done}")


async def stock_imported(
    kafka: KafkaSettings,
    name: str,
    content: bytes,
    *,
    now_ms: int,
    import_id: str = "",
    dry_run: bool = False,
) -> StockFile:
    """Read an opening stock file against the catalogue and write it into the inputs.

    Raises:
        CatalogError: The file is refused, with line numbers.
        FencedError: Another import began meanwhile; nothing of this one is visible.
        InstallationError: The installation was never recorded.
        KafkaError: Kafka can't be read or written.
    """
    catalog = await read_catalog(kafka)
    found = read_openings(name, content, catalog, import_id=import_id)
    if not dry_run:
        await import_openings(kafka, found.openings, catalog, now_ms=now_ms)
    return found


def _content(file: Path) -> bytes:
    try:
        if file.stat().st_size > STOCK_FILE_BYTES_MAX:
            raise CatalogError(f"{file} is larger than {STOCK_FILE_BYTES_MAX} bytes")
        return file.read_bytes()
    except OSError as error:
        raise CatalogError(f"{file} can't be read: {error.strerror}") from error
