"""The demo's picture for a terminal, and the same as one line. Pure: figures in, text out."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from simulators.live import Figures
from simulators.verification import Agreement
from simulators.views import ON_THE_WAY, StockView

LIST_ROWS: Final = (2, 8)
"""Breaches and transfers shown: as many as fit, of this range."""
SITE_ROWS_MIN: Final = 3
SITE_WIDTH: Final = 26
"""Characters that one site takes beside the next."""
WIDE: Final = 100
"""Below this width the lists leave out what can be done without."""
HEAD_ROWS: Final = 8
FRAME_ROWS: Final = 3
"""A panel's border and its column heads."""


_NARROW_BREACH: Final = ("site", "article", "units")
_NARROW_TRANSFER: Final = ("article", "from", "to", "units")


@dataclass(slots=True, kw_only=True)
class Surround:
    """What the picture says beside the stock itself."""

    lag_records: int = -1
    """Records of the input log that the stock fold has not folded; -1 where not measured."""
    influx: str = ""
    seconds_left: float | None = None
    elapsed_s: float = 0.0


def when(at_ms: int) -> str:
    """Return a time of the installation for people, UTC."""
    return datetime.fromtimestamp(at_ms / 1_000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")


def measured(milliseconds: int) -> str:
    """Return a latency for people; a dash where nothing was measured."""
    return f"{milliseconds} ms" if milliseconds >= 0 else "-"


def picture(
    view: StockView,
    figures: Figures | None,
    surround: Surround,
    *,
    size: tuple[int, int] = (140, 50),
) -> RenderableType:
    """Return the whole screen; `size` is its width and height in characters."""
    width, height = size
    columns = max(1, width // SITE_WIDTH)
    free = height - HEAD_ROWS - 2 * FRAME_ROWS
    site_rows = min(-(-len(view.sites()) // columns), max(SITE_ROWS_MIN, free - LIST_ROWS[0]))
    list_rows = min(LIST_ROWS[1], max(LIST_ROWS[0], free - site_rows))
    halves = Table.grid(expand=True)
    halves.add_column(ratio=1)
    halves.add_column(ratio=1)
    wide = width >= WIDE
    halves.add_row(_breaches(view, list_rows, wide=wide), _transfers(view, list_rows, wide=wide))
    return Group(
        _head(view, figures, surround),
        _sites(view, columns, site_rows),
        halves,
    )


def _head(view: StockView, figures: Figures | None, surround: Surround) -> RenderableType:
    totals = view.totals()
    grid = Table.grid(expand=True, padding=(0, 2))
    for _ in range(4):
        grid.add_column()
    lag = str(surround.lag_records) if surround.lag_records >= 0 else "-"
    left = "" if surround.seconds_left is None else f", {surround.seconds_left:.0f} s left"
    grid.add_row(
        f"[bold]{totals.units:,}[/] units at {totals.keys:,} keys",
        f"[bold]{totals.breaches_open}[/] open breaches",
        f"[bold]{totals.transfers_on_the_way}[/] transfers on the way "
        f"({totals.units_on_the_way} units), {totals.transfers_received} received",
        f"[bold]{totals.needs_open}[/] needs open",
    )
    if figures is not None:
        grid.add_row(
            f"[bold]{figures.accepted_events_per_s:,.0f}[/] events/s accepted",
            f"accepted p50 {measured(figures.accepted_ms_p50)}, "
            f"p99 {measured(figures.accepted_ms_p99)}",
            f"through the fold p50 {measured(view.barrier_ms_percentile(0.5))}, "
            f"p99 {measured(view.barrier_ms_percentile(0.99))}",
            f"input lag {lag} frames",
        )
        title = f"Shelfstream  {when(figures.world_ms)} UTC{left}"
    else:
        title = "Shelfstream"
    return Panel(grid, title=title, subtitle=surround.influx, border_style="cyan")


def _sites(view: StockView, columns: int, height: int) -> RenderableType:
    rows = view.sites()
    shown = rows[: columns * height]
    hidden = len(rows) - len(shown)
    table = Table(box=None, expand=True, pad_edge=False)
    for _ in range(columns):
        for name in ("site", "units", "low", "out"):
            table.add_column(name, justify="left" if name == "site" else "right", no_wrap=True)
    for place in range(height):
        cells: list[str | Text] = []
        for row in shown[place::height]:
            cells += [
                row.site,
                f"{row.units:,}",
                Text(str(row.low), style="yellow" if row.low else "dim"),
                Text(str(row.out), style="red" if row.out else "dim"),
            ]
        table.add_row(*cells)
    more = f"and {hidden} more" if hidden else None
    return Panel(table, title="Stock by site", subtitle=more, border_style="dim")


def _breaches(view: StockView, rows: int, *, wide: bool) -> RenderableType:
    table = _list(("since", "site", "article", "kind", "units") if wide else _NARROW_BREACH)
    for level, breach in view.breaches()[:rows]:
        cells = [level.site, level.sku, str(level.on_hand_units)]
        if wide:
            cells = [when(breach.since_ms)[-8:], *cells[:2], breach.kind, cells[2]]
        table.add_row(*cells)
    return Panel(table, title="Open breaches, newest first", border_style="dim")


def _transfers(view: StockView, rows: int, *, wide: bool) -> RenderableType:
    table = _list(("article", "from", "to", "state", "units") if wide else _NARROW_TRANSFER)
    for one in view.transfers()[:rows]:
        style = "green" if one.state in ON_THE_WAY else ""
        units = str(one.dispatched_units or one.quantity_units)
        state = [one.state] if wide else []
        table.add_row(one.sku, one.from_site, one.to_site, *state, units, style=style)
    return Panel(table, title="Transfers", border_style="dim")


def _list(names: tuple[str, ...]) -> Table:
    table = Table(box=None, expand=True, pad_edge=False)
    for name in names:
        table.add_column(name, justify="right" if name == "units" else "left", no_wrap=True)
    return table


def line(view: StockView, figures: Figures | None, surround: Surround) -> str:
    """Return the picture as one line, for a log."""
    totals = view.totals()
    stock = (
        f"{totals.units:,} units at {totals.keys:,} keys  breaches {totals.breaches_open}  "
        f"on the way {totals.transfers_on_the_way}  needs {totals.needs_open}"
    )
    if figures is None:
        return f"{surround.elapsed_s:5.0f} s  {stock}"
    return (
        f"{surround.elapsed_s:5.0f} s  {when(figures.world_ms)} UTC  "
        f"{figures.accepted_events_per_s:,.0f} events/s  "
        f"accepted p99 {measured(figures.accepted_ms_p99)}  "
        f"fold p99 {measured(view.barrier_ms_percentile(0.99))}  lag {surround.lag_records}  "
        f"{stock}"
    )


def agreement_table(found: Agreement, seconds: float) -> RenderableType:
    """Return what a verification found."""
    table = Table(title="Verified", title_justify="left", min_width=50)
    table.add_column("what")
    table.add_column("count", justify="right")
    rows = (
        ("keys (SKU at a site)", found.keys),
        ("agree", found.agree),
        ("differ", found.differ),
        ("  book is not the truth", found.differ_book),
        ("  book is not the sum of the ledger", found.differ_ledger),
        ("  sensors are not the truth", found.differ_sensed),
        ("extra keys", found.extra),
        ("scans emitted", found.scans),
        ("lost", found.lost),
        ("doubled", found.doubled),
        ("never emitted", found.unexpected),
        ("movements in the ledger", found.movements),
    )
    bad = {"differ", "extra keys", "lost", "doubled", "never emitted"}
    for name, count in rows:
        style = "red" if count and name in bad else ""
        table.add_row(name, f"{count:,}", style=style)
    verdict = Text(
        f"exact, checked in {seconds:.1f} s" if found.exact else "NOT exact",
        style="bold green" if found.exact else "bold red",
    )
    return Group(table, *(Text(sentence, style="red") for sentence in found.differences), verdict)
