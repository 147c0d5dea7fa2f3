"""The msgspec structs and the pydantic models are one language."""

import json
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from ingest import wire
from ingest.contracts import events

READING: dict[str, object] = {
    "source": "s",
    "boot": "b",
    "seq": 1,
    "observed_at_ms": 2,
    "channel": "c",
    "weight_g": 3,
}
SCAN: dict[str, object] = {
    "source": "s",
    "boot": "b",
    "seq": 1,
    "observed_at_ms": 2,
    "action": "sale",
    "sku": "milk",
}
STATUS: dict[str, object] = {"source": "s", "boot": "b", "state": "online"}
TIME: dict[str, object] = {"at_ms": 5}

Decode = Callable[[bytes], object]
KINDS: dict[str, tuple[dict[str, object], Decode, TypeAdapter[object], TypeAdapter[object]]] = {
    "readings": (
        READING,
        wire.READINGS.decode,
        TypeAdapter(events.Reading),
        TypeAdapter(list[events.Reading]),
    ),
    "scans": (SCAN, wire.SCANS.decode, TypeAdapter(events.Scan), TypeAdapter(list[events.Scan])),
    "status": (
        STATUS,
        wire.STATUSES.decode,
        TypeAdapter(events.DeviceStatus),
        TypeAdapter(list[events.DeviceStatus]),
    ),
    "_time": (
        TIME,
        wire.TIMES.decode,
        TypeAdapter(events.DrivenTime),
        TypeAdapter(list[events.DrivenTime]),
    ),
}
PAYLOADS = ("weight_g", "units", "distance_mm", "tags", "beam")
READINGS_MODEL = TypeAdapter(list[events.Reading])
FIELDS = sorted({*events.Reading.model_fields, *events.Scan.model_fields, "battery_pct", "state"})

TEXTS = st.one_of(
    st.text(max_size=6),
    st.text(alphabet='ab0\n\x00\x1f/+#\\"é€😀\u2028 ', max_size=8),
    st.sampled_from(
        ["", "a\n", "a" * 128, "a" * 129, "]E0123", "]d2x", "]E٣1", "12345678", "١٢٣٤٥٦٧٨"]
    ),
    st.sampled_from(["1234567", "123456789012", "1234567890123", "12345678901234", "x" * 513]),
    st.sampled_from(["sale", "adjust", "count", "online", "offline", "12345678\n", "]E0\n"]),
)
NUMBERS = st.one_of(
    st.integers(min_value=-3, max_value=3),
    st.integers(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([1.0, 1e3, 2**53 - 1, 2**53, 2**63, 2**64, -(2**63), 10**40, -0.0]),
    st.sampled_from([1_000_000, 1_000_001, -1_000_000, -1_000_001, 10_000_000, 10_000_001]),
    st.sampled_from([4_102_444_800_000, 4_102_444_800_001, 100, 101, -1]),
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    NUMBERS,
    TEXTS,
    st.lists(TEXTS, max_size=3),
    st.just({}),
)
PAIRS = st.tuples(st.sampled_from(FIELDS) | st.text(max_size=3), VALUES)


def _twin_accepts(decode: Decode, raw: bytes) -> bool:
    try:
        decode(raw)
    except wire.REFUSALS:
        return False
    return True


def _model_accepts(model: TypeAdapter[object], batch: TypeAdapter[object], raw: bytes) -> bool:
    single = raw.lstrip(b" \t\r\n")[:1] != b"["
    try:
        (model if single else batch).validate_json(raw)
    except ValidationError:
        return False
    return True


def _agree(kind: str, raw: bytes) -> bool:
    """Check that both say the same, and return it."""
    _, decode, model, batch = KINDS[kind]
    said = _twin_accepts(decode, raw)
    if kind == "_time" and raw.lstrip()[:1] == b"[":
        return said
    assert said == _model_accepts(model, batch, raw), raw
    return said


def _object(pairs: list[tuple[str, object]]) -> str:
    inner = ", ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in pairs)
    return "{" + inner + "}"


@pytest.mark.parametrize("kind", KINDS)
@given(
    changes=st.lists(PAIRS, max_size=3),
    missing=st.sets(st.sampled_from(FIELDS), max_size=1),
)
def test_changed_events(kind: str, changes: list[tuple[str, object]], missing: set[str]) -> None:
    """Wrong types, ranges, lengths, characters; unknown and missing fields."""
    event = {key: value for key, value in KINDS[kind][0].items() if key not in missing}
    event |= dict(changes)
    raw = _object(list(event.items())).encode()
    _agree(kind, raw)
    _agree(kind, b"[" + raw + b"]")


@pytest.mark.parametrize("kind", ["readings", "scans", "status"])
@given(data=st.data(), count=st.integers(min_value=0, max_value=4))
def test_batches(kind: str, data: st.DataObject, count: int) -> None:
    """An array is accepted where each of its events is."""
    events_ = [KINDS[kind][0] | dict(data.draw(st.lists(PAIRS, max_size=1))) for _ in range(count)]
    raws = [_object(list(event.items())).encode() for event in events_]
    singles = [_agree(kind, raw) for raw in raws]
    assert _agree(kind, b"[" + b",".join(raws) + b"]") == all(singles)


@pytest.mark.parametrize("kind", KINDS)
@given(cut=st.integers(min_value=0, max_value=200), insert=st.binary(max_size=3))
@example(cut=0, insert=b"\xef\xbb\xbf")
@example(cut=200, insert=b"\x00")
@example(cut=200, insert=b" \n")
@example(cut=200, insert=b"{}")
@example(cut=12, insert=b"\xff")
@example(cut=12, insert=b"\\ud800")
@example(cut=12, insert=b"\\u0000")
@example(cut=12, insert=b"\n")
def test_damaged_bytes(kind: str, cut: int, insert: bytes) -> None:
    """Bytes put in anywhere, and payloads cut short."""
    raw = _object(list(KINDS[kind][0].items())).encode()
    _agree(kind, raw[:cut] + insert + raw[cut:])
    _agree(kind, raw[:cut])


@pytest.mark.parametrize(
    ("kind", "pairs"),
    [
        ("readings", [*READING.items(), ("seq", 9)]),
        ("readings", [*READING.items(), ("weight_g", 9)]),
        ("readings", [("weight_g", None), *READING.items()]),
        ("scans", [*SCAN.items(), ("sku", "rice")]),
        ("scans", [*SCAN.items(), ("sku", 5)]),
        ("status", [*STATUS.items(), ("state", "asleep")]),
    ],
)
def test_of_a_repeated_key_the_last_counts(kind: str, pairs: list[tuple[str, object]]) -> None:
    """Both read it so."""
    _agree(kind, _object(pairs).encode())


def test_an_earlier_bad_value_of_a_repeated_key_is_refused_by_the_bridge() -> None:
    """The one difference, on the strict side: the bridge judges every occurrence."""
    raw = _object([("seq", "x"), *READING.items()]).encode()
    assert not _twin_accepts(wire.READINGS.decode, raw)
    assert wire.explain("readings", raw, ValueError("Expected `int`")) == (
        "bad_schema",
        "Expected `int`",
    )


@given(changes=st.lists(PAIRS, max_size=2))
def test_accepted_events_have_the_same_values(changes: list[tuple[str, object]]) -> None:
    """Where both accept, both read the same values, defaults included."""
    raw = _object(list((SCAN | dict(changes)).items())).encode()
    if _agree("scans", raw):
        decoded = wire.SCANS.decode(raw)
        assert msgspec.to_builtins(decoded) == events.Scan.model_validate_json(raw).model_dump()


@given(
    kinds=st.lists(st.sampled_from(PAYLOADS), min_size=1, max_size=3),
    changes=st.lists(PAIRS, max_size=1),
)
def test_readings_of_one_kind_are_read_as_any_others(
    kinds: list[str], changes: list[tuple[str, object]]
) -> None:
    """A batch that was decoded by a guess at what it measures has the values the model reads."""
    common = {key: value for key, value in READING.items() if key != "weight_g"}
    sent = [common | {kind: ["t", "t"] if kind == "tags" else 1} for kind in kinds]
    sent[-1] |= dict(changes)
    raw = ("[" + ",".join(_object(list(one.items())) for one in sent) + "]").encode()
    if not _agree("readings", raw):
        return
    read = wire.READINGS.decode(raw)
    assert isinstance(read, list)
    for event, model in zip(read, READINGS_MODEL.validate_json(raw), strict=True):
        assert all(getattr(event, name) == getattr(model, name) for name in (*common, "historical"))
        if isinstance(event, wire.Reading):
            assert all(getattr(event, name) == getattr(model, name) for name in PAYLOADS)
        else:
            assert event.value == getattr(model, event.kind)


@pytest.mark.parametrize("kind", ["weight_g", "units", "distance_mm", "beam"])
def test_a_batch_of_one_kind_is_read_the_fast_way(kind: str) -> None:
    """The guess finds what its first reading measures; tags and lone events have no such way."""
    common = {key: value for key, value in READING.items() if key != "weight_g"}
    raw = json.dumps([common | {kind: 1}] * 2).encode()
    read = wire.READINGS.decode(raw)
    assert isinstance(read, list)
    assert {one.kind for one in read if not isinstance(one, wire.Reading)} == {kind}


def test_the_models_have_the_same_fields() -> None:
    """A field added to one side only is found at once."""
    for struct, model in (
        (wire.Reading, events.Reading),
        (wire.Scan, events.Scan),
        (wire.DeviceStatus, events.DeviceStatus),
        (wire.DrivenTime, events.DrivenTime),
    ):
        assert set(struct.__struct_fields__) == set(model.model_fields)
