"""A refusal says in words what a field should look like."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from ingest.contracts.commands import Command
from ingest.contracts.count_commands import CountCommand
from ingest.contracts.events import DeviceStatus, Reading, Scan
from ingest.contracts.order_commands import OrderCommand
from ingest.contracts.patterns import PATTERN_WORDS, refusal_words
from ingest.contracts.reference import CatalogFile

MODELS = (CatalogFile, Command, CountCommand, OrderCommand, DeviceStatus, Reading, Scan)


def _patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        for part in schema.values():
            yield from _patterns(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _patterns(part)


def test_every_pattern_has_its_words() -> None:
    """And no words are kept for a pattern that is gone."""
    used = {found for model in MODELS for found in _patterns(model.model_json_schema())}
    assert used == set(PATTERN_WORDS)


@pytest.mark.parametrize(
    ("model", "fields", "words"),
    [
        (Command, {"entity_id": "A-12"}, "should be an id such as transfer-milk-17"),
        (Scan, {"gtin": "123"}, "should be a GTIN of 8, 12, 13 or 14 digits, such as"),
        (Scan, {"quantity": "x"}, "Input should be a valid integer"),
    ],
)
def test_a_refusal_shows_no_pattern(
    model: type[BaseModel], fields: dict[str, object], words: str
) -> None:
    """Other errors are told as pydantic tells them."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(fields)
    told = [refusal_words(found) for found in caught.value.errors() if found["loc"][0] in fields]
    assert [text.startswith(words) for text in told] == [True]
