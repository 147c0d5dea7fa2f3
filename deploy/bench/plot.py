"""A bar chart as SVG, for results: readable in a browser and in a document, without a library."""

from collections.abc import Sequence
from html import escape
from typing import Final, NamedTuple

_LABEL_PX: Final = 300
_BAR_PX: Final = 480
_ROW_PX: Final = 26
_VALUE_PX: Final = 110


class Bar(NamedTuple):
    """One bar, and a thin line from the smallest to the largest round."""

    label: str
    value: float
    low: float
    high: float


def bar_chart(title: str, bars: Sequence[Bar]) -> str:
    """Return the picture; bars begin at 0 and share one scale."""
    scale = _BAR_PX / (max((bar.high for bar in bars), default=0) or 1)
    width = _LABEL_PX + _BAR_PX + _VALUE_PX
    height = _ROW_PX * (len(bars) + 2)
    rows = [_row(bar, _ROW_PX * (place + 2), scale) for place, bar in enumerate(bars)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="12">\n'
        f'<rect width="{width}" height="{height}" fill="white"/>\n'
        f'<text x="8" y="20" font-size="15">{escape(title)}</text>\n' + "".join(rows) + "</svg>\n"
    )


def _row(bar: Bar, y: int, scale: float) -> str:
    middle = y + _ROW_PX // 2 - 6
    low, high = (_LABEL_PX + figure * scale for figure in (bar.low, bar.high))
    return (
        f'<text x="{_LABEL_PX - 8}" y="{middle + 4}" text-anchor="end">{escape(bar.label)}</text>\n'
        f'<rect x="{_LABEL_PX}" y="{y - 1}" width="{bar.value * scale:.1f}" height="16" '
        f'fill="#4878a8"/>\n'
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}" stroke="black"/>\n'
        f'<text x="{high + 6:.1f}" y="{middle + 4}">{bar.value:,.0f}</text>\n'
    )
