"""RFID: which tags are on a shelf, though a round of reading misses many of them.

In the field a mean of 12 % of the tags is not read in a round, and 51 % in the worst place. So a
tag that was missed is still there with the probability of being missed so often in a row, and gone
only when that has become small. How often tags are missed is learned for each channel, from those
that were seen again.
"""

from typing import Final

from ingest.frames import TAG_DIGEST_BYTES, ReadingInput
from streams.contracts.shelf import TagRound
from streams.contracts.state import UNCOUNTED, SensedChannel
from streams.domain.arithmetic import half_even

MISSED_PERMILLE_MIN: Final = 120
"""The mean of the field: a channel that missed few so far is not trusted to miss none."""
MISSED_PERMILLE_MAX: Final = 600
MISSED_PERMILLE_FIRST: Final = 500
"""What a new channel is taken for, until it has shown better."""
PRESENT_PPM_MIN: Final = 1_000
"""A tag whose presence has become less probable is gone; in millionths, for there are many tags."""
ROUNDS_MIN: Final = 5
"""A new channel's first rounds are no count: a single one may have missed half of the tags."""
TAGS_KEPT_MAX: Final = 4_000
"""Tags of one channel, the missed ones too; above it those of the highest digests are left out."""
_LEARNING_SHARE: Final = 32
_ENTRY_BYTES: Final = TAG_DIGEST_BYTES + 1


def present_units(channel: SensedChannel, reading: ReadingInput) -> int:
    """Return how many tags are present after a newer round; the channel's memory is moved on.

    Returns:
        `UNCOUNTED` during a new channel's first rounds.
    """
    known = channel.tags or TagRound(MISSED_PERMILLE_FIRST)
    missed = {
        known.entries[begin : begin + TAG_DIGEST_BYTES]: known.entries[begin + TAG_DIGEST_BYTES]
        for begin in range(0, len(known.entries), _ENTRY_BYTES)
    }
    seen = {
        reading.tag_digests[begin : begin + TAG_DIGEST_BYTES]
        for begin in range(0, len(reading.tag_digests), TAG_DIGEST_BYTES)
    }
    missed_permille = _learned(known.missed_permille, [missed.get(tag, 0) for tag in seen])
    rounds_max = rounds_until_gone(missed_permille)
    kept = {tag: times + 1 for tag, times in missed.items() if times + 1 < rounds_max}
    kept.update(dict.fromkeys(seen, 0))
    entries = b"".join(tag + bytes((kept[tag],)) for tag in sorted(kept)[:TAGS_KEPT_MAX])
    rounds = min(known.rounds + 1, ROUNDS_MIN)
    channel.tags = TagRound(missed_permille, entries, rounds)
    return len(entries) // _ENTRY_BYTES if rounds == ROUNDS_MIN else UNCOUNTED


def rounds_until_gone(missed_permille: int) -> int:
    """Return after how many missed rounds in a row a tag is gone."""
    present_ppm, rounds = 1_000_000, 0
    while present_ppm >= PRESENT_PPM_MIN:
        present_ppm = present_ppm * missed_permille // 1_000
        rounds += 1
    return rounds


def _learned(missed_permille: int, times_missed: list[int]) -> int:
    if not times_missed:
        return missed_permille
    missed = sum(times_missed)
    share_permille = 1_000 * missed // (missed + len(times_missed))
    moved_permille = half_even(share_permille - missed_permille, _LEARNING_SHARE)
    return max(MISSED_PERMILLE_MIN, min(MISSED_PERMILLE_MAX, missed_permille + moved_permille))
