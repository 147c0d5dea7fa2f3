"""The labelled shelves: true shortages are told, hands are not, and a seed is a seed."""

import pytest

from simulators.sensing_score import Score, report, scored
from simulators.shelves import FAULTS, Fault

PRECISION_MIN = 0.98
RECALL_MIN = 0.99


@pytest.mark.parametrize("seed", [1, 2])
def test_noise_drift_and_hands_cost_nothing(seed: int) -> None:
    """Shelves without faults: no false breach from a hand, no shortage missed."""
    score = scored(seed, shelves=8, hours=2, faults=frozenset())
    assert score.shortages > 5
    assert (score.false_keys, score.missed_keys) == ([], [])
    assert (score.precision, score.recall) == (1.0, 1.0)


def test_the_targets_hold_at_default_noise_and_faults() -> None:
    """0.98 of the breaches are right and 0.99 of the shortages found."""
    score = scored(1, shelves=12, hours=4, faults=frozenset(FAULTS))
    assert score.shortages > 30
    assert score.precision >= PRECISION_MIN
    assert score.recall >= RECALL_MIN


@pytest.mark.parametrize("fault", ["repeats", "disorder"])
def test_repeats_and_disorder_cost_no_recall(fault: Fault) -> None:
    """What the fold takes in stride must not show."""
    score = scored(1, shelves=8, hours=1, faults=frozenset({fault}))
    assert score.missed_keys == []


def test_a_seed_gives_the_same_report() -> None:
    """Chance comes from the seed alone; each fault stands in it."""
    once, again = (report(5, shelves=4, hours=0.5).to_json() for _ in range(2))
    assert once == again
    costs = once["costs"]
    assert isinstance(costs, dict)
    assert set(costs) == set(FAULTS)


def test_a_score_of_nothing_is_no_failure() -> None:
    """No breach and no shortage: nothing was wrong."""
    assert (Score().precision, Score().recall) == (1.0, 1.0)
    assert Score(shortages=4, found=3, opened=2, right=1).to_json()["recall"] == 0.75
