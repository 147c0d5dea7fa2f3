"""Reading order logs: columns, codes verbatim, refusals with their line, and the plain sum."""

import pytest

from simulators.orderlog import (
    OrderLogError,
    Skipped,
    columns_read,
    order_lines,
    site_number_of,
    survey,
    time_ms_of,
)

HEADER = "invoiced_at,invoice,stock_code,quantity,unit_price,customer_id,country\n"
ROWS = [
    HEADER,
    "2010-12-01 08:26:00,536365,85123A,6,2.55,17850,United Kingdom\n",
    "2010-12-01 08:27:00,536366, 85123a ,2,2.55,,France\n",
    "2010-12-01 08:28:00,C36367,85123A,-1,2.55,17850,United Kingdom\n",
    "2010-12-01 08:29:00,536368,BANK CHARGES,0,2.55,17850,United Kingdom\n",
    '2010-12-01 08:30:00,536369,"a,""b""\x1f",1,2.55,17850,United Kingdom\n',
]


def test_lines_are_read_by_default_columns() -> None:
    """Codes stay verbatim; zero lines and codes that can be no code are counted."""
    skipped = Skipped()
    lines = list(order_lines(ROWS, columns_read(""), 20, skipped))
    assert [(line.sku, line.quantity) for line in lines] == [
        ("85123A", 6),
        (" 85123a ", 2),
        ("85123A", -1),
    ]
    assert lines[0].at_ms == 1_291_191_960_000
    assert (skipped.zero_quantity, skipped.bad_code, skipped.total) == (1, 1, 2)


def test_a_customer_keeps_its_site() -> None:
    """The hash is stable; where no customer is named the invoice decides."""
    lines = list(order_lines(ROWS, columns_read(""), 20, Skipped()))
    assert lines[0].site_number == lines[2].site_number == site_number_of("17850", "x", 20)
    assert lines[1].site_number == site_number_of("", "536366", 20)


def test_the_survey_is_a_plain_sum() -> None:
    """Sales leave, returns come back, from nothing."""
    found = survey(ROWS, columns_read(""), 1)
    assert found.stock == {(0, "85123A"): -5, (0, " 85123a "): -2}
    assert (found.lines, found.quantity_max, list(found.skus)) == (3, 6, ["85123A", " 85123a "])
    assert found.last_at_ms - found.first_at_ms == 120_000


def test_a_limit_stops_reading() -> None:
    """Only so many lines after the header are read."""
    assert survey(ROWS, columns_read(""), 1, limit=1).lines == 1


def test_columns_are_mapped_by_name() -> None:
    """Given pairs replace the defaults, the others stay."""
    assert columns_read("sku=code, customer=who") == {
        "invoiced_at": "invoiced_at",
        "quantity": "quantity",
        "sku": "code",
        "customer": "who",
        "invoice": "invoice",
    }


@pytest.mark.parametrize("text", ["sku", "colour=red"])
def test_a_map_that_maps_nothing_is_refused(text: str) -> None:
    """A pair without = or with an unknown name."""
    with pytest.raises(OrderLogError, match="maps nothing"):
        columns_read(text)


def test_a_missing_column_is_named() -> None:
    """The sentence says which column, and which there are."""
    with pytest.raises(OrderLogError, match="no column 'code'"):
        survey(ROWS, columns_read("sku=code"), 1)


@pytest.mark.parametrize(
    "row",
    ["2010-12-01,1,A,many,1,1,F\n", "yesterday,1,A,1,1,1,F\n", "2010-12-01,1\n"],
)
def test_a_bad_line_is_named(row: str) -> None:
    """Quantities, times and columns that can't be read stop with the line's number."""
    with pytest.raises(OrderLogError, match="line 2"):
        survey([HEADER, row], columns_read(""), 1)


def test_times_without_a_zone_are_utc() -> None:
    """And those with one are converted."""
    assert time_ms_of("1970-01-01 00:00:01") == 1_000
    assert time_ms_of("1970-01-01T01:00:01.250+01:00") == 1_250
