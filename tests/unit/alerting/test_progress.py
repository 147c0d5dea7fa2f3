"""Progress: what may be committed while messages finish out of order."""

from hypothesis import given
from hypothesis import strategies as st

from alerting.progress import Place, Progress


def test_only_up_to_the_lowest_unfinished_record() -> None:
    """A record counts when all its messages are finished."""
    progress = Progress()
    progress.begin(0, 4, 2)
    progress.begin(0, 5, 1)
    progress.begin(1, 0, 0)
    assert progress.changed() == {0: 4, 1: 1}
    progress.finish(Place(0, 5, 0))
    progress.finish(Place(0, 4, 1))
    assert progress.changed() == {}
    progress.finish(Place(0, 4, 0))
    progress.finish(Place(0, 4, 0))
    assert progress.changed() == {0: 6}


def test_records_that_come_again_change_nothing_under_way() -> None:
    """After a rebalance the same record is begun twice and finished once a message."""
    progress = Progress()
    progress.begin(0, 0, 2)
    progress.finish(Place(0, 0, 0))
    progress.begin(0, 0, 2)
    progress.finish(Place(0, 0, 1))
    progress.finish(Place(3, 9, 1))
    assert progress.changed() == {0: 1}


@given(st.lists(st.integers(0, 3), min_size=1, max_size=10), st.randoms(use_true_random=False))
def test_nothing_unfinished_is_ever_passed(counts: list[int], random: object) -> None:
    """Whatever the order, the committed offset stays at or below each unfinished record."""
    progress = Progress()
    places = [Place(0, o, n) for o, count in enumerate(counts) for n in range(count)]
    for offset, count in enumerate(counts):
        progress.begin(0, offset, count)
    random.shuffle(places)  # type: ignore[attr-defined] # a random.Random, named only by hypothesis
    committed = progress.changed()[0]
    while places:
        progress.finish(places.pop())
        committed = progress.changed().get(0, committed)
        assert committed <= min((it.offset for it in places), default=len(counts))
    assert committed == len(counts)
