"""`shelfstream dlq`: look at what could not be accepted, and send it again."""

import asyncio
import base64
import json
import os
from collections import Counter
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from deploy.terminal import kafka_settings, refuse
from deploy.wording import counted
from ingest.adapters.mqtt_client import MqttPublisher
from ingest.contracts.events import DeadLetter
from ingest.contracts.settings import KafkaSettings, MqttSettings, load
from ingest.contracts.topics import DEAD_LETTERS, MQTT_ROOT
from streams.engine.adapters.reader import read_topic

app = typer.Typer(no_args_is_help=True, help="Dead letters: list, show, replay.")

LIMIT_DEFAULT: Final = 50
_TEXT_BYTES_SHOWN: Final = 4_000

ReasonOption = Annotated[
    str | None, typer.Option("--reason", help="Only letters of this reason, such as bad_schema.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.callback()
def dlq() -> None:
    """Dead letters: what could not be accepted, whole, with the reason and where it came from."""


@app.command("list")
def list_letters(
    reason: ReasonOption = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = LIMIT_DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """List dead letters, oldest first; the same refusal of the same bytes is one letter."""
    letters = _letters(reason)
    for letter in letters[-limit:]:
        typer.echo(letter.model_dump_json() if as_json else _line(letter))
    if not as_json:
        reasons = Counter(letter.reason for letter in letters)
        told = ", ".join(f"{name} {count}" for name, count in sorted(reasons.items()))
        typer.echo(counted(len(letters), "letter") + (f": {told}" if told else ""))


@app.command()
def show(letter_id: str, as_json: JsonOption = False) -> None:
    """Show one dead letter with its payload."""
    found = [letter for letter in _letters(None) if letter.letter_id == letter_id]
    if not found:
        refuse(f"there is no letter {letter_id}")
    letter = found[-1]
    if as_json:
        typer.echo(letter.model_dump_json())
        return
    raw = base64.b64decode(letter.payload_base64)
    for name in ("letter_id", "reason", "detail", "origin", "received_at_ms"):
        typer.echo(f"{name + ':':16}{getattr(letter, name)}")
    typer.echo(f"{'payload:':16}{counted(len(raw), 'byte')}")
    typer.echo(raw[:_TEXT_BYTES_SHOWN].decode("utf-8", "backslashreplace"))


@app.command()
def replay(
    letter_ids: Annotated[
        list[str] | None, typer.Argument(help="Letters to replay; all of --reason without.")
    ] = None,
    reason: ReasonOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be sent.")
    ] = False,
) -> None:
    """Publish payloads again to the MQTT topic they came from.

    What is refused again becomes the same letter again; scans that were taken meanwhile are known
    by their numbers and not counted twice.
    """
    if not letter_ids and reason is None:
        refuse("name letters or a --reason; `shelfstream dlq list` shows them")
    wanted = set(letter_ids or ())
    letters = [one for one in _letters(reason) if not wanted or one.letter_id in wanted]
    missing = wanted - {letter.letter_id for letter in letters}
    if missing:
        refuse(f"there is no letter {', '.join(sorted(missing))}")
    sendable = []
    for letter in letters:
        why_not = unsendable(letter)
        if why_not is None:
            sendable.append(letter)
        else:
            typer.echo(f"skipped {letter.letter_id}: {why_not}")
    if not dry_run:
        _publish(sendable)
        return
    for letter in sendable:
        typer.echo(f"would send {letter.letter_id} to {letter.origin}")


def unsendable(letter: DeadLetter) -> str | None:
    """Return why a letter can't be replayed by MQTT; None where it can."""
    if not letter.origin.startswith(f"{MQTT_ROOT}/"):
        return (
            f"it comes from Kafka ({letter.origin}), where its writer must send it again; "
            "`shelfstream dlq show` prints it"
        )
    if letter.reason == "oversize":
        return "it is too large to be accepted, however often it is sent"
    return None


def _publish(letters: list[DeadLetter]) -> None:
    if not letters:
        return
    settings = load(MqttSettings, os.environ)  # noqa: TID251 - a command is a main
    with MqttPublisher(settings) as publisher:
        for letter in letters:
            publisher.publish(letter.origin, base64.b64decode(letter.payload_base64))
            # Told one by one: where the broker goes away, those told need no second replay.
            typer.echo(f"sent {letter.letter_id} to {letter.origin}")


def _letters(reason: str | None) -> list[DeadLetter]:
    return asyncio.run(_read(kafka_settings(), reason))


async def _read(kafka: KafkaSettings, reason: str | None) -> list[DeadLetter]:
    letters: dict[str, DeadLetter] = {}
    async for records in read_topic(kafka, DEAD_LETTERS.name, until_end=True):
        for record in records:
            try:
                letter = DeadLetter.model_validate_json(record.value or b"")
            except ValidationError:
                where = f"{DEAD_LETTERS.name}/{record.partition}/{record.offset}"
                typer.echo(f"{where} is no dead letter", err=True)
                continue
            if reason is None or letter.reason == reason:
                letters.pop(letter.letter_id, None)
                letters[letter.letter_id] = letter
    return list(letters.values())


def _line(letter: DeadLetter) -> str:
    return f"{letter.letter_id}  {letter.reason:16} {letter.origin}  {json.dumps(letter.detail)}"
