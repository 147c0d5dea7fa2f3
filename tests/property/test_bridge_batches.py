"""A batch means what its events mean one by one."""

from collections import defaultdict
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from ingest.clocks import CLOCK_SPAN_MS_MIN, CLOCK_TOLERANCE_MS, CLOCK_WINDOW_MS, SourceClocks
from ingest.frames import InputItem, ReadingInput, ScanInput, StatusInput
from ingest.normalise import Normalised, Normaliser, Range, Rejected
from tests.unit.ingest.doubles import FakeCatalog, Watched, as_json, inputs_of, reading, scan

BEGUN_MS = 1_700_000_000_000
MOVED_MS = BEGUN_MS + CLOCK_SPAN_MS_MIN
"""When a channel's article is exchanged."""
ROOT = "stock/v1/oslo/scale-1"

DELAYS = st.one_of(
    st.integers(-20, 40),
    st.sampled_from([CLOCK_TOLERANCE_MS, CLOCK_TOLERANCE_MS + 1, 3_600_000, -3_600_000]),
    st.integers(-CLOCK_WINDOW_MS, CLOCK_WINDOW_MS),
)
GAPS = st.one_of(st.integers(0, 50), st.sampled_from([CLOCK_SPAN_MS_MIN, CLOCK_WINDOW_MS]))
SAID = st.one_of(
    st.just({"weight_g": 500}),
    st.sampled_from([{"units": 3}, {"beam": 1}, {"tags": ["x", "y", "x"]}, {"weight_g": 10**9}]),
)
READINGS = st.fixed_dictionaries(
    {"channel": st.sampled_from(["milk", "milk", "rice", "bread", "unknown"])},
    optional={
        "historical": st.just(True),
        "said": SAID,
        "source": st.just("scale-2"),
        "boot": st.just("b/2"),
    },
)
BATCHES = st.lists(
    st.tuples(GAPS, DELAYS, st.lists(st.tuples(st.integers(-5, 5), READINGS), min_size=1)),
    max_size=12,
)


class Told:
    """What a bridge made of all that it was told."""

    def __init__(self, *, driven: bool) -> None:
        """Begin with nothing."""
        milk = [Watched("milk", "milk"), Watched("soup", "milk", valid_from_ms=MOVED_MS)]
        others = [Watched(one, one) for one in ("rice", "bread")]
        self.clocks = SourceClocks(driven=driven)
        self._normaliser = Normaliser(
            FakeCatalog(channels={"scale-1": milk + others}), self.clocks, partition_count=4
        )
        self.inputs = defaultdict[int, list[InputItem]](list)
        self.rejected: list[Rejected] = []
        self.numbers: list[tuple[str, int]] = []

    def hear(self, leaf: str, payload: object, received_at_ms: int) -> Normalised:
        """Take a message."""
        made = self._normaliser.normalise(f"{ROOT}/{leaf}", as_json(payload), received_at_ms)
        for partition, item in inputs_of(made):
            self.inputs[partition].append(item)
        self.rejected += made.rejected
        self.numbers += numbers_in(made.ranges)
        return made


def numbers_in(ranges: list[Range]) -> list[tuple[str, int]]:
    """Return each number of some ranges."""
    return [(boot, seq) for boot, first, last in ranges for seq in range(first, last + 1)]


def same(batched: Told, singly: Told) -> None:
    """Hold one against the other."""
    assert batched.inputs == singly.inputs
    assert batched.rejected == singly.rejected
    assert batched.numbers == singly.numbers
    assert batched.clocks.offset_ms("scale-1") == singly.clocks.offset_ms("scale-1")


def ahead(delay_ms: int, count: int) -> list[tuple[int, int, list[tuple[int, dict[str, Any]]]]]:
    """Return messages of a clock that is soon known, with new lowest delays in their midst."""
    milk = {"channel": "milk"}
    known = [(CLOCK_SPAN_MS_MIN, delay_ms, [(0, milk)] * 9)] * 2
    seen = [(off_ms, milk) for off_ms in (0, 1, 2, 3, 4, 5, 0)]
    return [*known, *[(5, delay_ms + 2 - place, seen) for place in range(count)]]


@given(driven=st.booleans(), batches=BATCHES)
@example(driven=False, batches=ahead(3_600_000, 3))
@example(driven=False, batches=ahead(-3_600_000, 3))
@example(driven=True, batches=ahead(7_200_000, 3))
@example(driven=False, batches=ahead(12, 3))
def test_readings_in_a_batch_are_taken_as_those_of_their_own_messages(
    driven: bool, batches: list[tuple[int, int, list[tuple[int, dict[str, Any]]]]]
) -> None:
    """The same inputs, refusals, numbers and clock, and the times that the clock's rule gives."""
    batched, singly, clocks = Told(driven=driven), Told(driven=driven), SourceClocks(driven=driven)
    received_at_ms = BEGUN_MS
    seq, times = 0, dict[int, int]()
    for gap_ms, delay_ms, seen in batches:
        received_at_ms += gap_ms
        events = []
        for off_ms, about in seen:
            about = dict(about)  # noqa: PLW2901 - one of its keys is taken out
            said = about.pop("said", {"weight_g": 500})
            observed_at_ms = received_at_ms - delay_ms + off_ms
            at = {"observed_at_ms": observed_at_ms, "weight_g": None}
            events.append(reading(seq, **(at | about | said)))
            if "source" not in about and "boot" not in about and said != {"weight_g": 10**9}:
                times[seq] = clocks.corrected_ms(
                    "scale-1", observed_at_ms, "historical" in about, received_at_ms
                )
            seq += 1
        batched.hear("readings", events, received_at_ms)
        for event in events:
            singly.hear("readings", event, received_at_ms)
    same(batched, singly)
    for items in batched.inputs.values():
        for item in items:
            assert isinstance(item, ReadingInput)
            assert item.observed_at_ms == times[item.seq]


@given(
    scans=st.lists(
        st.sampled_from(
            [{}, {"sku": "rice"}, {"sku": "nothing"}, {"quantity": 5_000}, {"source": "scale-2"}]
        ),
        min_size=1,
        max_size=9,
    ),
    states=st.lists(st.sampled_from(["online", "offline", "asleep"]), min_size=1, max_size=9),
)
def test_scans_and_statuses_in_a_batch_are_taken_as_those_of_their_own_messages(
    scans: list[dict[str, object]], states: list[str]
) -> None:
    """The same inputs and refusals, in the same order of each partition."""
    batched, singly = Told(driven=False), Told(driven=False)
    messages: dict[str, list[dict[str, Any]]] = {
        "scans": [scan(seq, **about) for seq, about in enumerate(scans)],
        "status": [{"source": "scale-1", "boot": "b", "state": state} for state in states],
    }
    for leaf, some in messages.items():
        made = batched.hear(leaf, some, BEGUN_MS)
        kind = ScanInput if leaf == "scans" else StatusInput
        assert all(isinstance(item, kind) for _, item in inputs_of(made))
        for event in some:
            singly.hear(leaf, event, BEGUN_MS)
    same(batched, singly)
