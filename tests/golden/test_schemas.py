"""A contract changes only on purpose: its JSON Schema is kept, and compared."""

import pytest

from tests.golden.catalog_fields import PAGE, page_with_tables
from tests.golden.schemas import FOLDER, UPDATE, contracts, schema_text


@pytest.mark.parametrize("name", sorted(contracts()))
def test_a_contract_is_what_it_was(name: str) -> None:
    """The schema of each contract equals its golden file."""
    path = FOLDER / f"{name}.json"
    kept = path.read_text(encoding="utf-8") if path.is_file() else ""
    assert schema_text(contracts()[name]) == kept, f"{name} differs from {path.name}: {UPDATE}"


def test_every_golden_file_has_its_contract() -> None:
    """A contract that is gone leaves no golden file behind."""
    assert {path.stem for path in FOLDER.glob("*.json")} == set(contracts()), UPDATE


def test_the_page_of_the_catalogue_tells_every_field() -> None:
    """The tables of docs/catalog.md are those that the contracts give."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_with_tables(page), f"{PAGE.name} is behind the contracts: {UPDATE}"
