"""Dead letters and the hold of unknown devices."""

import base64

import pytest

from ingest import letters
from ingest.letters import HELD_AGE_MS_MAX, LETTER_BYTES_MAX, UnknownDevices, letter_of
from ingest.normalise import Rejected


def test_a_letter_is_whole_and_its_id_repeats() -> None:
    """The same refusal of the same bytes has the same id, whenever it comes."""
    rejected = Rejected("bad_json", "why", b"\x00raw")
    letter = letter_of(rejected, "stock/v1/a/b/readings", 5)
    assert base64.b64decode(letter.payload_base64) == b"\x00raw"
    assert letter.letter_id == letter_of(rejected, "stock/v1/a/b/readings", 9).letter_id
    assert letter.letter_id != letter_of(rejected, "stock/v1/a/c/readings", 5).letter_id


def test_a_huge_payload_is_cut_with_its_hash() -> None:
    """A letter fits a Kafka record, and says what it was cut from."""
    raw = b"x" * (LETTER_BYTES_MAX + 1)
    letter = letter_of(Rejected("oversize", "big", raw), "o", 5)
    assert len(base64.b64decode(letter.payload_base64)) == LETTER_BYTES_MAX
    assert str(len(raw)) in letter.detail
    assert "sha256" in letter.detail


@pytest.mark.parametrize("bytes_over", [0, 1])
def test_a_letter_is_cut_beyond_the_limit_only(bytes_over: int) -> None:
    """Exactly the limit is whole, with no word of a cut."""
    raw = b"x" * (LETTER_BYTES_MAX + bytes_over)
    letter = letter_of(Rejected("oversize", "big", raw), "o", 5)
    assert ("cut from" in letter.detail) == bool(bytes_over)


def test_an_endless_detail_is_cut() -> None:
    """The contract's limit would refuse the letter and end the bridge."""
    letter = letter_of(Rejected("bad_schema", "d" * 100_000, b"x" * (LETTER_BYTES_MAX + 1)), "o", 5)
    assert len(letter.detail) <= 2_000
    assert "sha256" in letter.detail


def test_two_refusals_of_the_same_bytes_are_two_letters() -> None:
    """The reason is a part of the id: a catalogue that grew may refuse for another one."""
    ids = {
        letter_of(Rejected(reason, "", b"x"), "o", 5).letter_id
        for reason in ("unknown_device", "unknown_article")
    }
    assert len(ids) == 2


@pytest.mark.parametrize(("age_ms", "found"), [(HELD_AGE_MS_MAX, 1), (HELD_AGE_MS_MAX + 1, 0)])
def test_what_is_too_old_is_not_tried_again(age_ms: int, found: int) -> None:
    """It stays in the dead letters, for a person to replay."""
    held = UnknownDevices()
    held.hold("oslo", "a", "readings", b"1", 0)
    assert len(held.known_now(lambda *_: True, age_ms)) == found
    assert len(held) == 0


def test_held_messages_come_back_when_their_device_is_known() -> None:
    """Only those of devices now known, once."""
    held = UnknownDevices()
    held.hold("oslo", "a", "readings", b"1", 0)
    held.hold("oslo", "b", "scans", b"2", 0)
    assert held.known_now(lambda _site, device: device == "b", 1) == [
        ("stock/v1/oslo/b/scans", b"2")
    ]
    assert held.known_now(lambda _site, device: device == "b", 2) == []
    assert len(held) == 1


def test_the_hold_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count, bytes and age let the oldest go; they stay in the dead letters."""
    monkeypatch.setattr(letters, "HELD_LETTERS_MAX", 2)
    monkeypatch.setattr(letters, "HELD_BYTES_MAX", 10)
    held = UnknownDevices()
    for size in (1, 1, 1, 9):
        held.hold("s", "d", "scans", b"x" * size, 0)
    assert len(held) == 2
    held.hold("s", "d", "scans", b"x" * 2, 1)
    assert len(held) == 1
    assert held.known_now(lambda *_: True, HELD_AGE_MS_MAX + 2) == []
    assert len(held) == 0
