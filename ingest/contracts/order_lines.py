"""A line of a customer order as the stock fold reads it; an item of the input log."""

from typing import Literal

import msgspec

OrderAction = Literal["reserve", "release", "fulfil", "settle", "accept"]
ShortOrders = Literal["reserve", "wait", "refuse"]
"""What becomes of a line that finds too little available."""
OutlierOrders = Literal["flag", "hold"]
"""What becomes of a line that asks for far more than is usual."""


class OrderLineInput(msgspec.Struct, frozen=True, array_like=True, tag=10, gc=False):
    """One line of a customer order at one site."""

    order_id: str
    line: int
    sku: str
    site: str
    action: OrderAction
    """`settle`: wait no longer, and keep what is reserved. `accept`: it asks for far more than is
    usual, and is right all the same."""
    quantity_units: int
    actor: str = ""
    priority: int = 0
    """Scarce stock goes to the highest."""
    need_by_ms: int = 0
    """0: now. A line of a later date leaves today's stock alone."""
    when_short: Literal["", "reserve", "wait", "refuse"] = ""
    """Empty: as the policy `short_orders` says."""
    partial: bool = False
    """Where a short line is refused, it takes what there is."""
    answer: bool = False
    """The planning fold wants to hear what becomes of it."""
