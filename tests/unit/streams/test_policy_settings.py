"""A setting of a policy stands in its model, its record, the rules and the drawn policies alike."""

from random import Random

from ingest.contracts.policies import PolicyRecord
from ingest.contracts.policy_reference import Policy
from streams.domain.catalogue import Rules
from tests.property.drawn_policies import drawn_policy

SCOPE = {"scope", "site", "category", "sku"}
SETTINGS = set(Policy.model_fields) - SCOPE


def test_every_setting_reaches_the_rules() -> None:
    """Fields are handed on by name: one that is missing further down would be ignored."""
    assert set(PolicyRecord.__struct_fields__) == SETTINGS | SCOPE
    assert set(Rules.__struct_fields__) >= SETTINGS


def test_every_setting_is_drawn() -> None:
    """A property test that never sees a setting says nothing of it."""
    drawn = [drawn_policy(Random(seed), ["shop"], ["sku"]) for seed in range(200)]
    unseen = [name for name in SETTINGS if all(getattr(one, name) is None for one in drawn)]
    assert not unseen
