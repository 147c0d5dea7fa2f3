"""Commands and order lines: what is refused before it is sent, and how the fold reads the rest."""

from typing import Any

import pytest
from pydantic import ValidationError

from ingest.contracts.commands import COMMAND_VERBS, Command, command_input, command_sku
from ingest.contracts.orders import OrderLine, order_line_input


def command(**fields: Any) -> Command:
    """Return a command of somebody."""
    return Command.model_validate({"command_id": "c", "actor": "ann", **fields})


def test_the_entity_names_the_sku() -> None:
    """A SKU with dashes is found between the kind and the running number."""
    asked = command(verb="approve_transfer", entity_id="transfer-A-1-b-12", expected_version=3)
    assert command_sku(asked) == "A-1-b"
    sent = command_input(asked)
    assert (sent.sku, sent.entity_id, sent.expected_version) == ("A-1-b", "transfer-A-1-b-12", 3)


def test_no_expected_version_asks_for_no_check() -> None:
    """The fold reads -1."""
    assert command_input(command(verb="close_need", entity_id="need-X-1")).expected_version == -1


def test_a_transfer_may_be_ordered_by_sku() -> None:
    """SKU, two sites and a quantity make a transfer that has no id yet."""
    sent = command_input(
        command(verb="order_transfer", sku="X", site="A", to_site="B", quantity_units=5)
    )
    assert (sent.sku, sent.site, sent.to_site, sent.quantity_units) == ("X", "A", "B", 5)
    assert sent.entity_id == ""


@pytest.mark.parametrize(
    "fields",
    [
        {"verb": "approve_transfer"},
        {"verb": "approve_transfer", "entity_id": "need-X-1"},
        {"verb": "approve_transfer", "entity_id": "transfer-X"},
        {"verb": "approve_transfer", "entity_id": "transfer-X-1", "sku": "X"},
        {"verb": "close_need", "entity_id": "transfer-X-1"},
        {"verb": "edit_transfer", "entity_id": "transfer-X-1"},
        {"verb": "order_transfer", "sku": "X", "site": "A", "quantity_units": 1},
        {"verb": "order_transfer", "sku": "X", "site": "A", "to_site": "A", "quantity_units": 1},
        {"verb": "order_transfer", "sku": "X", "site": "A", "to_site": "B"},
        {"verb": "release_buffer", "sku": "X"},
        {"verb": "dance", "sku": "X"},
        {"verb": "release_buffer", "sku": "X", "site": "A", "actor": ""},
    ],
)
def test_half_a_command_is_refused(fields: dict[str, Any]) -> None:
    """What a verb needs must be there, and nothing that contradicts it."""
    with pytest.raises(ValidationError):
        command(**fields)


def test_every_verb_is_known() -> None:
    """Verbs are those of the input log."""
    assert "approve_transfer" in COMMAND_VERBS
    assert len(COMMAND_VERBS) == len(set(COMMAND_VERBS))


def test_an_order_line_reads_as_an_input() -> None:
    """Field by field the same; a quantity of nothing is refused."""
    line = OrderLine(
        order_id="o", line=1, sku="X", site="S", action="reserve", quantity_units=2, actor="erp"
    )
    sent = order_line_input(line)
    assert {name: getattr(sent, name) for name in OrderLine.model_fields} == line.model_dump()
    with pytest.raises(ValidationError):
        OrderLine.model_validate({**line.model_dump(), "quantity_units": 0})
