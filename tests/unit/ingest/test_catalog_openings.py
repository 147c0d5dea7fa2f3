"""Opening stock files: validated whole against the catalogue, with line numbers."""

import pytest

from ingest.catalog_openings import read_openings
from ingest.contracts.errors import CatalogError
from tests.unit.ingest.catalog_samples import catalog_of, loaded

CATALOG = loaded(catalog_of())
HEADER = b"site,sku,quantity,unit_cost_minor,effective_at\n"
GOOD = HEADER + b"S1,0042,12,250,2026-03-01T00:00:00Z\nS2,NAIL,-3,,\n"


def test_lines_become_openings() -> None:
    """Quantity, cost and date of each line; empty cells are left out."""
    found = read_openings("o.csv", GOOD, CATALOG)
    first, second = found.openings
    assert (first.sku, first.site, first.quantity_units) == ("0042", "S1", 12)
    assert (first.unit_cost_minor, first.effective_at_ms) == (250, 1_772_323_200_000)
    assert (second.quantity_units, second.unit_cost_minor, second.effective_at_ms) == (-3, 0, 0)
    assert {opening.import_id for opening in found.openings} == {found.import_id}


def test_the_import_is_named_by_its_content() -> None:
    """The same file twice is the same import; a name of one's own wins."""
    same = read_openings("other.csv", GOOD, CATALOG).import_id
    assert read_openings("o.csv", GOOD, CATALOG).import_id == same
    assert read_openings("o.csv", GOOD.replace(b"12", b"13"), CATALOG).import_id != same
    assert read_openings("o.csv", GOOD, CATALOG, import_id="mine").import_id == "mine"


def test_every_fault_is_told_with_its_line() -> None:
    """Unknown names, bad numbers, bad dates and repeats, all together."""
    content = (
        HEADER + b"S1,0042,12,,\nQ,R,1,,\nS1,0042,1,,\nS2,NAIL,many,,\nS2,0042,1,,yesterday\n"
        b"S2,0042,1,,,9\nS2,0042,1,-5,2026-03-01\n"
    )
    with pytest.raises(CatalogError) as caught:
        read_openings("o.csv", content, CATALOG)
    told = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in told] == [
        "o.csv:3",
        "o.csv:3",
        "o.csv:4",
        "o.csv:5",
        "o.csv:6",
        "o.csv:7",
        "o.csv:8",
    ]
    assert "no SKU R" in told[0]
    assert "twice" in told[2]
    assert told[3].startswith("o.csv:5: quantity: ")


@pytest.mark.parametrize("content", [b"", b"site,sku,quantity\n", b"\xff\xfe"])
def test_an_empty_or_foreign_file_is_refused(content: bytes) -> None:
    """A file without a line, or that is no text, is refused in a sentence."""
    with pytest.raises(CatalogError, match=r"o\.csv:1: "):
        read_openings("o.csv", content, CATALOG)
