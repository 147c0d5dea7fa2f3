"""The picture and the line show what the view holds."""

import msgspec
import pytest
from rich.console import Console

from simulators.live import Figures
from simulators.screen import Surround, agreement_table, line, measured, picture
from simulators.verification import Agreement
from simulators.views import StockView
from streams.contracts.state import LEVEL, TRANSFER, Breach, Level, Transfer, key

FIGURES = Figures(
    world_ms=1_291_191_960_000,
    seconds=1.0,
    published_events=10,
    accepted_events=9,
    unaccepted_events=1,
    resent_events=0,
    accepted_events_per_s=1234.5,
    accepted_ms_p50=12,
    accepted_ms_p99=34,
    scans=3,
    lost_sales_units=0,
    in_transit_units=0,
)


def a_view() -> StockView:
    """Return a view of one low shelf and one transfer to it."""
    view = StockView()
    breach = Breach("low_stock", 1_291_191_960_000, breach_id="breach-TEA-1")
    level = Level(sku="TEA", site="shop-02", on_hand_units=3, breaches=(breach,))
    view.take(key(LEVEL, "TEA", "shop-02"), msgspec.msgpack.encode(level))
    transfer = Transfer(
        transfer_id="transfer-TEA-2",
        sku="TEA",
        from_site="shop-01",
        to_site="shop-02",
        state="in_transit",
        quantity_units=7,
        dispatched_units=7,
    )
    view.take(key(TRANSFER, transfer.transfer_id), msgspec.msgpack.encode(transfer))
    return view


def shown(renderable: object) -> str:
    """Return a picture as plain text."""
    console = Console(width=140, height=50, record=True, file=None, quiet=False)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


def test_the_picture_names_what_moves() -> None:
    """Sites, breaches, transfers, rates and latencies are all in it."""
    text = shown(picture(a_view(), FIGURES, Surround(lag_records=4, influx="InfluxDB: building")))
    for part in ("shop-02", "low_stock", "in_transit", "1,234", "p99 34 ms", "lag 4", "building"):
        assert part in text


def test_the_first_picture_needs_no_figures() -> None:
    """Before anything was measured it is shown too."""
    assert "Shelfstream" in shown(picture(StockView(), None, Surround()))


def test_the_line_says_the_same() -> None:
    """One line, with what was measured."""
    text = line(a_view(), FIGURES, Surround(elapsed_s=5, lag_records=4))
    assert "\n" not in text
    assert "1,234 events/s" in text
    assert "breaches 1  on the way 1" in text


def test_what_was_not_measured_is_a_dash() -> None:
    """No latency is ever assumed."""
    assert (measured(-1), measured(0)) == ("-", "0 ms")


def test_the_verdict_is_shown() -> None:
    """Exact, or not exact with the differences."""
    assert "exact, checked in 1.0 s" in shown(agreement_table(Agreement(keys=1, agree=1), 1.0))
    wrong = Agreement(keys=1, differ=1, differences=["'TEA' at shop-02: the book says 3, truly 4"])
    text = shown(agreement_table(wrong, 1.0))
    assert "NOT exact" in text
    assert "truly 4" in text


def many_sites(count: int) -> StockView:
    """Return a view of so many sites with one article each."""
    view = StockView()
    for number in range(1, count + 1):
        site = f"shop-{number:02d}"
        level = Level(sku="TEA", site=site, on_hand_units=1_000 + number)
        view.take(key(LEVEL, "TEA", site), msgspec.msgpack.encode(level))
    return view


def lines_at(view: StockView, width: int, height: int) -> list[str]:
    """Return the picture's lines on a terminal of this size."""
    console = Console(width=width, height=height)
    with console.capture() as captured:
        console.print(picture(view, FIGURES, Surround(lag_records=4), size=(width, height)))
    return captured.get().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (140, 50), (200, 60)])
def test_the_picture_of_the_demo_fits_usual_terminals(width: int, height: int) -> None:
    """Twenty sites, and both lists below them, with nothing wider or higher than the screen."""
    lines = lines_at(many_sites(20), width, height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert "shop-20" in text
    assert "Transfers" in text
    assert "more" not in text


@pytest.mark.parametrize("width", [1, 20, 40, 60])
def test_a_narrow_terminal_breaks_nothing(width: int) -> None:
    """It becomes ugly and long, never an error, and never wider than the terminal."""
    assert max(map(len, lines_at(many_sites(20), width, 24))) <= width


def test_sites_that_do_not_fit_are_counted() -> None:
    """A hundred sites on a small terminal: the first ones, and how many more there are."""
    lines = lines_at(many_sites(100), 80, 24)
    assert len(lines) <= 24
    shown = sum(line.count("shop-") for line in lines)
    assert f"and {100 - shown} more" in "\n".join(lines)


def test_a_narrow_list_leaves_out_what_can_be_done_without() -> None:
    """Site, article and units stay whole at 80 characters."""
    lines = lines_at(a_view(), 80, 24)
    assert any("shop-02" in line and "TEA" in line and "shop-01" in line for line in lines)
    assert not any("low_stock" in line for line in lines)


def test_the_line_without_figures_says_what_stands() -> None:
    """While the stack still loads there is stock, and no rate is made up."""
    text = line(a_view(), None, Surround(elapsed_s=3))
    assert text == "    3 s  3 units at 1 keys  breaches 1  on the way 1  needs 0"


def test_an_unmeasured_lag_is_a_dash() -> None:
    """Before the log was asked there is no number, not even nought."""
    assert "input lag - frames" in shown(picture(a_view(), FIGURES, Surround()))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("differ", Agreement(keys=1, differ=3)),
        ("lost", Agreement(keys=1, lost=3)),
        ("doubled", Agreement(keys=1, doubled=3)),
        ("extra keys", Agreement(keys=1, extra=3)),
        ("never emitted", Agreement(keys=1, unexpected=3)),
    ],
)
def test_every_way_to_be_wrong_is_shown_as_wrong(name: str, found: Agreement) -> None:
    """Each count has its row, and any of them alone spoils the verdict."""
    rows = shown(agreement_table(found, 1.0)).splitlines()
    row = next(row for row in rows if name in row)
    assert row.rstrip(" │").endswith(" 3")
    assert "NOT exact" in rows
