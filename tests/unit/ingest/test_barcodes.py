"""Barcodes: symbology, check digits, application identifiers."""

import pytest

from ingest.barcodes import Barcode, barcode_read, gtin14_of, is_sscc

GTIN14 = "07032069804988"
SSCC = "376104250021234569"


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


def test_a_logistic_unit_alone_names_no_article() -> None:
    """An SSCC (AI 00), also beside its contents' 02 and 37, has no GTIN; beside a 01 it is kept."""
    assert barcode_read(f"]C100{SSCC}") == Barcode("", sscc=SSCC)
    assert barcode_read(f"]C100{SSCC}02{GTIN14}3712") == Barcode("", sscc=SSCC)
    assert barcode_read(f"]C100{SSCC}01{GTIN14}") == Barcode(GTIN14, sscc=SSCC)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (SSCC, True),
        ("376104250021234560", False),
        (SSCC[1:], False),
        ("", False),
        ("٣76104250021234569", False),
        ("37610425002123456x", False),
    ],
)
def test_an_sscc_has_eighteen_digits_and_a_right_check_digit(text: str, *, right: bool) -> None:
    """Typed in by hand it is looked at like a scanned one."""
    assert is_sscc(text) == right


@pytest.mark.parametrize("rest", ["", f"01{GTIN14}"])
def test_a_logistic_unit_s_check_digit_must_be_right(rest: str) -> None:
    """A misread number is refused, whatever stands beside it."""
    refused = barcode_read(f"]C100376104250021234560{rest}")
    assert isinstance(refused, str)
    assert "check digit" in refused


def test_a_gtin_is_padded_and_its_check_digit_checked() -> None:
    """GTINs of any length become 14 digits; a wrong digit gives None."""
    assert gtin14_of("96385074") == "00000096385074"
    assert gtin14_of("7032069804988") == GTIN14
    assert gtin14_of("7032069804989") is None
