"""Reading order logs: columns, codes verbatim, refusals with their line, and the plain sum."""

import re

import msgspec
import pytest

from ingest.contracts.events import Scan
from simulators.orderlog import (
    OrderLine,
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


def lines_of(*rows: str) -> list[OrderLine]:
    """Return the lines of a file with the usual header."""
    return list(order_lines([HEADER, *rows], columns_read(""), 20, Skipped()))


def a_row(
    at: str = "2010-12-01 08:26:00", code: str = "TEA", quantity: object = 1, customer: str = "1"
) -> str:
    """Return one line of the file."""
    return f"{at},536365,{code},{quantity},2.55,{customer},France\n"


def test_blank_lines_are_no_lines() -> None:
    """Neither in the middle nor at the end, and they do not count for a limit."""
    rows = [HEADER, "\n", a_row(), "\r\n", a_row(), "\n"]
    assert len(list(order_lines(rows, columns_read(""), 1, Skipped()))) == 2
    assert len(list(order_lines(rows, columns_read(""), 1, Skipped(), limit=2))) == 2
    assert survey(rows, columns_read(""), 1, limit=1).lines == 1


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("2010-12-01 08:26:00,536365,TEA\n", "line 2 has fewer columns than the first"),
        (a_row(at="12/1/2010 8:26"), "line 2: Invalid isoformat string: '12/1/2010 8:26'"),
        (a_row(at="1969-12-31 23:59:59"), "line 2: '1969-12-31 23:59:59' is before 1970 or after"),
        (a_row(at="2100-01-02"), "line 2: '2100-01-02' is before 1970 or after 2100"),
        (a_row(at="0001-01-01"), "line 2: '0001-01-01' is before 1970 or after 2100"),
        (a_row(quantity="6.0"), "line 2: invalid literal for int"),
        (a_row(quantity=""), "line 2: invalid literal for int"),
        (a_row(quantity="9" * 5_000), "line 2: Exceeds the limit"),
        (a_row(code="x" * 140_000), "line 2: field larger than field limit"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(row: str, sentence: str) -> None:
    """One sentence with the line's number; nothing is guessed and nothing is left out silently."""
    with pytest.raises(OrderLogError, match=re.escape(sentence)):
        lines_of(row)


def test_the_first_and_the_last_moment_are_read() -> None:
    """1970 and the last millisecond that a device may send."""
    first, last = lines_of(a_row(at="1970-01-01"), a_row(at="2100-01-01T00:00:00+00:00"))
    assert (first.at_ms, last.at_ms) == (0, 4_102_444_800_000)
    found = survey([HEADER, a_row(), a_row(at="1970-01-01")], columns_read(""), 1)
    assert (found.first_at_ms, found.last_at_ms) == (0, 1_291_191_960_000)


def test_a_zone_is_respected() -> None:
    """What names its zone is turned into UTC; what names none is UTC."""
    named, plain = lines_of(a_row(at="2010-12-01T09:26:00+01:00"), a_row())
    assert named.at_ms == plain.at_ms


@pytest.mark.parametrize(
    ("code", "kept"),
    [
        ("x" * 128, True),
        ("x" * 129, False),
        ("", False),
        ('"a\nb"', False),
        ('"a\tb"', False),
        ('" "', True),
        ('"a,""b"""', True),
        ("ß/+#|€", True),
    ],
)
def test_codes_are_verbatim_or_counted(code: str, kept: bool) -> None:
    """Commas, quotes and any sign but control characters, also those MQTT gives a meaning to."""
    skipped = Skipped()
    lines = list(order_lines([HEADER, a_row(code=code)], columns_read(""), 1, skipped))
    assert (len(lines), skipped.bad_code) == (int(kept), int(not kept))


@pytest.mark.parametrize(("quantity", "kept"), [(1_000_000, 1), (-1_000_000, 1), (1_000_001, 0)])
def test_absurd_quantities_are_counted(quantity: int, kept: int) -> None:
    """The wire's own limit, on both sides of nothing."""
    skipped = Skipped()
    lines = list(order_lines([HEADER, a_row(quantity=quantity)], columns_read(""), 1, skipped))
    assert (len(lines), skipped.absurd_quantity) == (kept, 1 - kept)


def test_every_line_is_a_scan_the_bridge_takes() -> None:
    """What is not skipped passes the wire's own language, odd codes and largest quantities too."""
    for line in lines_of(a_row(code="ß/+#|€"), a_row(quantity=-1_000_000), a_row(at="1970-01-01")):
        scan = {
            "source": "g",
            "boot": "b",
            "seq": 0,
            "observed_at_ms": line.at_ms,
            "action": "sale",
            "quantity": abs(line.quantity),
            "sku": line.sku,
        }
        Scan.model_validate_json(msgspec.json.encode(scan))


def test_a_file_with_nothing_to_move_is_refused() -> None:
    """Before anything is loaded or sent; an empty one says that it is."""
    with pytest.raises(OrderLogError, match="no line of the file moves stock"):
        survey([HEADER, a_row(quantity=0)], columns_read(""), 20)
    with pytest.raises(OrderLogError, match="it has none: it is empty"):
        survey([], columns_read(""), 20)


def test_a_column_by_another_name_is_found() -> None:
    """The same file under other names reads the same."""
    header = HEADER.replace("stock_code", "StockCode").replace("customer_id", "Customer ID")
    columns = columns_read("sku=StockCode,customer=Customer ID")
    assert list(order_lines([header, a_row()], columns, 20, Skipped())) == lines_of(a_row())


def test_the_survey_counts_each_site_by_itself() -> None:
    """Sold is minus, returned is plus, and the scans of a site are its lines."""
    rows = [HEADER, a_row(quantity=5), a_row(quantity=-2), a_row(quantity=7, customer="2")]
    found = survey(rows, columns_read(""), 1_000)
    first, second = site_number_of("1", "", 1_000), site_number_of("2", "", 1_000)
    assert found.stock == {(first, "TEA"): -3, (second, "TEA"): -7}
    assert found.lines_by_site == {first: 2, second: 1}
    assert (found.lines, found.quantity_max, list(found.skus)) == (3, 7, ["TEA"])
