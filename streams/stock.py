"""The stock processor: the stock fold between the input log and the public live table."""

from ingest.contracts.topics import INPUTS, STOCK
from ingest.frames import tick_frame
from streams.domain.fold import StockFold
from streams.engine.fold import FoldSpec


def stock_spec() -> FoldSpec:
    """Return the stock fold and the topics it stands between."""
    return FoldSpec(
        name="stock",
        input_topic=INPUTS.name,
        state_topic=STOCK.name,
        create=StockFold,
        tick_frame=tick_frame,
    )
