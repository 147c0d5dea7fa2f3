"""The engine's own records: the applied record, and the dead letter of a frame it can't read."""

import base64

import msgspec

from ingest.contracts.errors import InstallationError
from ingest.contracts.events import DeadLetter, DeadLetterReason
from ingest.contracts.topics import DEAD_LETTERS
from streams.engine.fold import Output
from streams.engine.ports import APPLIED_KEY, Applied, StateRecord

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Applied)
_DETAIL_LENGTH_MAX = 2_000


def applied_record(applied: Applied) -> StateRecord:
    """Return the state record that says how far the state has come; last of each transaction."""
    return StateRecord(APPLIED_KEY, _ENCODER.encode(applied))


def decode_applied(value: bytes) -> Applied:
    """Return what an applied record says.

    Raises:
        InstallationError: The bytes are no applied record of this version.
    """
    try:
        return _DECODER.decode(value)
    except msgspec.MsgspecError as error:
        raise InstallationError(f"the applied record can't be read: {error}") from error


def bad_frame_letter(
    *, topic: str, partition: int, offset: int, value: bytes, detail: str, now_ms: int
) -> Output:
    """Return the dead letter of a frame that can't be read, with its bytes and where it was."""
    return dead_letter(
        letter_id=f"{topic}-{partition}-{offset}",
        reason="bad_frame",
        detail=detail[:_DETAIL_LENGTH_MAX],
        origin=f"{topic}/{partition}/{offset}",
        payload=value,
        now_ms=now_ms,
    )


def dead_letter(
    *,
    letter_id: str,
    reason: DeadLetterReason,
    detail: str,
    origin: str,
    payload: bytes,
    now_ms: int,
) -> Output:
    """Return a dead letter; its fields are those of the contract."""
    letter = DeadLetter(
        letter_id=letter_id,
        reason=reason,
        detail=detail,
        origin=origin,
        received_at_ms=now_ms,
        payload_base64=base64.b64encode(payload).decode(),
    )
    body = letter.model_dump_json().encode()
    return Output(topic=DEAD_LETTERS.name, partition=0, key=letter.letter_id.encode(), value=body)
