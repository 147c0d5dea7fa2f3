"""Dead letters: what could not be accepted, and those of unknown devices held for a while. Pure."""

import hashlib
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from typing import Final

from ingest.contracts.events import DeadLetter
from ingest.contracts.topics import mqtt_topic
from ingest.normalise import Rejected

LETTER_BYTES_MAX: Final = 2 * 1024 * 1024
"""A larger payload is cut in its letter, with its length and hash, to fit a Kafka record."""
DETAIL_LENGTH_MAX: Final = 1_500
"""With what a cut adds it stays below the contract's 2,000."""
HELD_LETTERS_MAX: Final = 1_000
HELD_BYTES_MAX: Final = 16 * 1024 * 1024
HELD_AGE_MS_MAX: Final = 600_000


def letter_of(rejected: Rejected, origin: str, received_at_ms: int) -> DeadLetter:
    """Return the letter of a refusal; the same refusal always gives the same id."""
    raw, detail = rejected.raw, rejected.detail[:DETAIL_LENGTH_MAX]
    digest = hashlib.blake2b(digest_size=10)
    for part in (origin.encode("utf-8", "replace"), rejected.reason.encode(), raw):
        digest.update(len(part).to_bytes(8, "big") + part)
    if len(raw) > LETTER_BYTES_MAX:
        whole = hashlib.sha256(raw).hexdigest()
        detail = f"{detail}; cut from {len(raw)} bytes with sha256 {whole}"
        raw = raw[:LETTER_BYTES_MAX]
    return DeadLetter(
        letter_id=f"letter-{digest.hexdigest()}",
        reason=rejected.reason,
        detail=detail,
        origin=origin,
        received_at_ms=received_at_ms,
        payload_base64=b64encode(raw).decode("ascii"),
    )


class UnknownDevices:
    """Recent messages of devices the catalogue did not have, to be tried again when it does.

    Each is in the dead letters already, so what falls out by count, size or age is not lost.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._held: deque[tuple[int, str, str, str, bytes]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        """Return how many messages are held."""
        return len(self._held)

    def hold(self, site: str, device: str, leaf: str, raw: bytes, at_ms: int) -> None:
        """Keep a message, and let the oldest go where there are too many."""
        self._held.append((at_ms, site, device, leaf, raw))
        self._bytes += len(raw)
        while len(self._held) > HELD_LETTERS_MAX or self._bytes > HELD_BYTES_MAX:
            self._bytes -= len(self._held.popleft()[4])

    def known_now(self, known: Callable[[str, str], bool], at_ms: int) -> list[tuple[str, bytes]]:
        """Take out the messages whose device `known(site, device)` now has, as (topic, payload)."""
        found: list[tuple[str, bytes]] = []
        kept: deque[tuple[int, str, str, str, bytes]] = deque()
        for held in self._held:
            held_at_ms, site, device, leaf, raw = held
            if at_ms - held_at_ms > HELD_AGE_MS_MAX:
                self._bytes -= len(raw)
            elif known(site, device):
                self._bytes -= len(raw)
                found.append((mqtt_topic(site, device, leaf), raw))
            else:
                kept.append(held)
        self._held = kept
        return found
