"""Barcodes: symbology, check digits, application identifiers."""

import pytest

from ingest.barcodes import Barcode, barcode_read, gtin14_of

GTIN14 = "07032069804988"


@pytest.mark.parametrize(
    ("content", "read"),
    [
        ("]E07032069804988", Barcode(GTIN14)),
        ("]E496385074", Barcode("00000096385074")),
        ("]C10107032069804988", Barcode(GTIN14)),
        ("]d20107032069804988371200", Barcode(GTIN14, count=1200)),
        ("]C1010703206980498821S-1", Barcode(GTIN14, serial="S-1")),
        (
            "]C1010703206980498810LOT7\x1d3103000195\x1d17260200",
            Barcode(GTIN14, weight_g=195, lot="LOT7", expires_at_ms=1_772_323_200_000),
        ),
    ],
)
def test_goods_are_read(content: str, read: Barcode) -> None:
    """Number, count, weight, lot and expiry come from their identifiers; day 00 ends the month."""
    assert barcode_read(content) == read


@pytest.mark.parametrize(
    "content",
    [
        "]E07032069804985",
        "]C10107032069804985",
        "]C137x",
        "]A0123",
        "]d210LOT7",
        "7032069804988",
        "]C10107032069804988\x1d3106000195",
    ],
)
def test_what_names_no_article_is_refused(content: str) -> None:
    """Wrong check digits, no symbology, no GTIN or parts of a gram give a sentence."""
    refusal = barcode_read(content)
    assert isinstance(refusal, str)
    assert refusal


def test_a_gtin_is_padded_and_its_check_digit_checked() -> None:
    """GTINs of any length become 14 digits; a wrong digit gives None."""
    assert gtin14_of("96385074") == "00000096385074"
    assert gtin14_of("7032069804988") == GTIN14
    assert gtin14_of("7032069804989") is None
