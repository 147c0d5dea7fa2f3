"""Serial numbers of a SKU at a site, and what is told of one that comes or goes twice."""

from typing import Final, Literal

import msgspec


class SerialBook(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """Serial numbers seen of one SKU at one site, each list oldest first and bounded by policy."""

    sku: str
    site: str
    present: list[str] = []
    gone: list[str] = []
    """Those that left; the site they went to takes them off."""


SerialFault = Literal["received_twice", "left_twice"]


class SerialFlagged(msgspec.Struct, frozen=True, array_like=True, tag=41, kw_only=True):
    """A serial number was received though it is there, or left though it had left."""

    flag_id: str
    """`serial-{sku}-{running number}`."""
    sku: str
    site: str
    serial: str
    fault: SerialFault
    other_site: str
    """Where it was known to be, or had left from."""
    counted: bool
    """False where the policy refuses such a scan: the book did not move."""
    cause: str
    """`{source}/{boot}/{seq}` of the scan."""
    at_ms: int


SERIALS: Final = "serials"
"""Kind of state key: of SKU and site."""
