"""What every command at a terminal shares: where Kafka is, the time, who asks, and the answer."""

import getpass
import os
import time
import uuid
from typing import Annotated, Final, NoReturn, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from deploy.ledger_rows import ShownFormat
from ingest.contracts.errors import SettingsError
from ingest.contracts.patterns import refusal_words
from ingest.contracts.settings import KafkaSettings, load
from streams.contracts.events import CommandAccepted, CommandRefused

REFUSED_CODE: Final = 1
PENDING_CODE: Final = 3

ActorOption = Annotated[str, typer.Option("--actor", help="Who decides; the login name if empty.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept with the command.")]
VersionOption = Annotated[
    int | None,
    typer.Option("--expected-version", min=0, help="Refuse if it has changed since this version."),
]
ShownOption = Annotated[ShownFormat, typer.Option("--format", help="How it is shown.")]

_WHERE_TO_FIND: Final[dict[int | str, str]] = {
    "entity_id": "; `shelfstream log tail events` shows ids"
}

Answer = CommandAccepted | CommandRefused
ModelT = TypeVar("ModelT", bound=BaseModel)


def kafka_settings() -> KafkaSettings:
    """Return where Kafka is, as the environment says.

    Raises:
        SettingsError: A setting is unknown, missing or out of range.
    """
    return load(KafkaSettings, os.environ)  # noqa: TID251 - a command is a main


def wall_ms() -> int:
    """Return the wall clock, UTC milliseconds."""
    return time.time_ns() // 1_000_000  # noqa: TID251 - a command is a main


def login_name() -> str:
    """Return who sits at this terminal.

    Raises:
        SettingsError: The user id has no name, as in containers.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:  # a user id without a name, as in containers
        raise SettingsError("this user has no login name: say who decides by --actor") from error


def refuse(sentence: str) -> NoReturn:
    """Say why not, on stderr, and end with the exit code of a refusal.

    Raises:
        Exit: Always.
    """
    typer.echo(sentence, err=True)
    raise typer.Exit(REFUSED_CODE)


def asked(model: type[ModelT], actor: str, **fields: object) -> ModelT:
    """Return a command under a new id, of whoever sits here where no actor is named.

    Raises:
        Exit: A field is wrong; the sentence names it.
        SettingsError: No actor is named, and this user has no login name.
    """
    named = {"command_id": str(uuid.uuid4()), "actor": actor or login_name()}
    try:
        return model.model_validate({**fields, **named})
    except ValidationError as error:
        refuse(refusal_sentence(error))


def refusal_sentence(error: ValidationError) -> str:
    """Return what is wrong with a command that was never sent, with the field's name."""
    first = error.errors()[0]
    message = refusal_words(first)
    if not first["loc"]:
        return message
    name = first["loc"][0]
    return f"{name} {first['input']!r}: {message}{_WHERE_TO_FIND.get(name, '')}"


def tell_answer(answer: Answer | None, command_id: str) -> int:
    """Tell a person of the fold's answer, a refusal on stderr; return the exit code."""
    sentence, code = answer_sentence(answer, command_id)
    typer.echo(sentence, err=code == REFUSED_CODE)
    return code


def answer_sentence(answer: Answer | None, command_id: str) -> tuple[str, int]:
    """Return what to tell a person of the fold's answer, and the exit code."""
    if answer is None:
        return f"pending: no answer to command {command_id} yet", PENDING_CODE
    if isinstance(answer, CommandAccepted):
        return f"accepted: {answer.entity_id}{_version(answer.version)}", 0
    state = f" (it is {answer.current_state}{_version(answer.current_version)})"
    return f"refused: {answer.reason}{state if answer.current_state else ''}", REFUSED_CODE


def _version(number: int) -> str:
    return f", version {number}" if number else ""  # alerts, holds and voided scans have none
