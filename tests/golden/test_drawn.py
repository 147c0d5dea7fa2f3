"""Points and panels change only on purpose: people's own queries and dashboards stand on them."""

from streams import plan_points, points
from tests.golden.drawn import DASHBOARD, LINES, dashboard_text, lines_text
from tests.golden.schemas import UPDATE


def test_every_line_is_what_it_was() -> None:
    """Measurements, tags, fields and time stamps of one of everything equal the golden file."""
    assert lines_text() == LINES.read_text(encoding="utf-8"), UPDATE


def test_everything_that_is_drawn_is_in_the_file() -> None:
    """A new kind of event, or of state, comes with its golden line."""
    known = {line.partition(",")[0] for line in lines_text().splitlines()}
    assert len(points._EVENT_LINES) == len(points._EVENT_LINES | plan_points.EVENT_LINES)
    assert known == {
        *("stock_level", "lot_stock", "stock_movement", "breach", "transfer", "need", "device"),
        *("kpi", "customer_order", "order_line", "purchase_order", "count_session", "count_line"),
        *("lot_held", "blind_interval"),
    }


def test_the_dashboard_is_what_it_was() -> None:
    """Its JSON model equals the golden file."""
    assert dashboard_text() == DASHBOARD.read_text(encoding="utf-8"), UPDATE
