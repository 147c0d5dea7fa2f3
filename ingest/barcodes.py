"""Barcodes of goods, as GS1 has them: which article, how many or how much, which lot.

The symbology identifier (`]C1`, `]d2`, `]E0` ...) is demanded: without it a mistyped EAN-13 would
be read as a GS1 message. Wrong check digits are refused.
"""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import biip
from biip.gs1_messages import GS1Message

from ingest.contracts.durations import DAY_MS
from ingest.contracts.units import SSCC_LENGTH

_SSCC: Final = "00"
_LOT: Final = "10"
_EXPIRY: Final = "17"
_SERIAL: Final = "21"
_COUNT: Final = "37"
_NET_WEIGHT_KG: Final = "310"
_EPOCH_DAY: Final = dt.date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Barcode:
    """What a barcode says of the goods it is on."""

    gtin14: str
    """The article's number, padded to 14 digits; empty where only a logistic unit is named."""
    count: int = 1
    """How many trade items are inside (AI 37)."""
    weight_g: int = 0
    """Net weight in grams (AI 310n); 0 where it is not given."""
    lot: str = ""
    expires_at_ms: int = 0
    """End of the expiry day, UTC (AI 17); 0 where it is not given."""
    serial: str = ""
    """Serial number of this one item (AI 21)."""
    sscc: str = ""
    """Serial shipping container code of the logistic unit (AI 00)."""


def barcode_read(content: str) -> Barcode | str:
    """Return what a barcode says, or why it is refused.

    Args:
        content: Raw content with its symbology identifier, groups ended by the byte 0x1d.
    """
    try:
        parsed = biip.parse(content)
    except biip.ParseError as error:
        return _sentence(str(error))
    if parsed.symbology_identifier is None:
        return "the symbology identifier is missing"
    if parsed.gtin_error:
        return _sentence(parsed.gtin_error)
    if parsed.gs1_message and parsed.sscc_error:
        return _sentence(parsed.sscc_error)
    if parsed.gtin is None:
        return _nameless(parsed)
    gtin14 = parsed.gtin.as_gtin_14()
    return _message_read(gtin14, parsed.gs1_message) if parsed.gs1_message else Barcode(gtin14)


def _nameless(parsed: biip.ParseResult) -> Barcode | str:
    if parsed.sscc is not None:
        return Barcode("", sscc=parsed.sscc.value)
    return _sentence(parsed.gs1_message_error or "it names no article")


def gtin14_of(gtin: str) -> str | None:
    """Return a GTIN of 8, 12, 13 or 14 digits padded to 14; None where its check digit is wrong."""
    digits = gtin.zfill(14)
    return digits if _is_checked(digits) else None


def is_sscc(text: str) -> bool:
    """Tell whether a text is a serial shipping container code with the right check digit."""
    digits = len(text) == SSCC_LENGTH and text.isascii() and text.isdigit()
    return digits and _is_checked(text)


def _is_checked(digits: str) -> bool:
    """Tell whether the last of an even number of digits is the others' check digit (GS1)."""
    total = sum((3 if place % 2 == 0 else 1) * int(digit) for place, digit in enumerate(digits))
    return total % 10 == 0


def _message_read(gtin14: str, message: GS1Message) -> Barcode | str:
    count, weight_g, lot, expires_at_ms, serial, sscc = 1, 0, "", 0, "", ""
    for element in message.element_strings:
        code = element.ai.ai
        if code == _LOT:
            lot = element.value
        elif code == _SERIAL:
            serial = element.value
        elif code == _SSCC:
            sscc = element.value
        elif code == _EXPIRY and element.date is not None:
            expires_at_ms = (element.date.toordinal() - _EPOCH_DAY + 1) * DAY_MS
        elif code == _COUNT:
            count = int(element.value)
        elif code[:3] == _NET_WEIGHT_KG and element.decimal is not None:
            grams = element.decimal * Decimal(1000)
            if grams != int(grams):
                return f"a net weight of {element.decimal} kg is no whole number of grams"
            weight_g = int(grams)
    return Barcode(gtin14, count, weight_g, lot, expires_at_ms, serial, sscc)


def _sentence(text: str) -> str:
    return text.replace("\n", " ")[:300]
