"""`shelfstream alert`: what is open, and a person's answers.

Exit code 0: done, or accepted; 1: refused; 2: it could not be asked; 3: no answer yet, the command
stands in the log and is pending.
"""

import asyncio
import uuid
from typing import Annotated, Final

import typer

from deploy.alert_rows import alert_lines, alert_rows, gravest_first
from deploy.command_send import send_alert_answer
from deploy.ledger_rows import print_table
from deploy.newest import newest
from deploy.terminal import (
    ActorOption,
    ReasonOption,
    kafka_settings,
    login_name,
    refuse,
    tell_answer,
    wall_ms,
)
from ingest.contracts.durations import MINUTE_MS
from ingest.contracts.topics import ALERTS
from streams.contracts.alerts import ALERT, Alert, AlertAnswer, AlertVerb

MINUTES_MAX: Final = 30 * 24 * 60
REASON_LENGTH_MAX: Final = 1_000

app = typer.Typer(no_args_is_help=True, help="Alerts: list, show, acknowledge, silence, snooze.")

AlertArgument = Annotated[str, typer.Argument(help="The alert's key, such as breach-SKU-12.")]
MinutesOption = Annotated[
    int, typer.Option("--minutes", min=1, max=MINUTES_MAX, help="For so long.")
]


WORDS: Final[dict[AlertVerb, str]] = {
    "acknowledge": "Take an alert on: no repeat follows, only the notice of its end.",
    "unsilence": "End a silence now.",
}
LASTING_WORDS: Final[dict[AlertVerb, str]] = {
    "silence": "Hold everything back for a time; then what was missed comes as one message.",
    "snooze": "Put an alert off: it comes back after a time if it is still open.",
}


@app.callback()
def alert() -> None:
    """Alerts live in the alert fold; an answer is a command to it."""


@app.command("list")
def list_alerts(
    site: Annotated[str, typer.Option("--site", help="Only of this site.")] = "",
    *,
    every: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
) -> None:
    """Show what is open or acknowledged, the gravest first."""
    found = gravest_first(_alerts())
    shown = [one for one in found if site in {"", one.site} and (every or one.state != "cleared")]
    print_table("Alerts", alert_rows(shown))


@app.command()
def show(alert_key: AlertArgument) -> None:
    """Show one alert: its message, its history, what became of its messages."""
    for line in alert_lines(_alert(alert_key)):
        typer.echo(line)


def _add_word(word: AlertVerb, help_text: str) -> None:
    @app.command(word, help=help_text)
    def _(alert_key: AlertArgument, actor: ActorOption = "", reason: ReasonOption = "") -> None:
        _answer(word, alert_key, actor, reason)


for _word, _help_text in WORDS.items():
    _add_word(_word, _help_text)


def _add_lasting_word(word: AlertVerb, help_text: str) -> None:
    @app.command(word, help=help_text)
    def _(
        alert_key: AlertArgument,
        minutes: MinutesOption,
        actor: ActorOption = "",
        reason: ReasonOption = "",
    ) -> None:
        _answer(word, alert_key, actor, reason, minutes=minutes)


for _word, _help_text in LASTING_WORDS.items():
    _add_lasting_word(_word, _help_text)


def _answer(verb: AlertVerb, alert_key: str, actor: str, reason: str, *, minutes: int = 0) -> None:
    if len(reason) > REASON_LENGTH_MAX:
        refuse(f"a reason has {REASON_LENGTH_MAX} characters at most")
    answer = AlertAnswer(
        command_id=str(uuid.uuid4()),
        verb=verb,
        alert_key=alert_key,
        site=_alert(alert_key).site,
        actor=actor or login_name(),
        at_ms=wall_ms(),
        for_ms=minutes * MINUTE_MS,
        reason=reason,
    )
    answered = asyncio.run(send_alert_answer(kafka_settings(), answer, now_ms=wall_ms()))
    raise typer.Exit(tell_answer(answered, answer.command_id))


def _alert(alert_key: str) -> Alert:
    found = [one for one in _alerts() if one.alert_key == alert_key]
    if not found:
        refuse(f"there is no alert {alert_key}: `shelfstream alert list` shows them")
    return found[0]


def _alerts() -> list[Alert]:
    return asyncio.run(newest(kafka_settings(), ALERTS.name, ALERT, Alert))
