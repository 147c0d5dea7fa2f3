"""The `shelfstream` command: one table of sub-commands, each imported only when it is asked for."""

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import packages_distributions
from typing import Final, NoReturn

import typer

from ingest.contracts.errors import ShelfstreamError, StackError

DISTRIBUTION: Final = "shelfstream"
PACKAGES: Final = ("ingest", "streams", "alerting", "console", "simulators", "deploy")
ERROR_CODE: Final = 2
UNREACHABLE_SENTENCE: Final = (
    "Kafka does not answer, or refuses the login: start it with `shelfstream up`, "
    "or say where it is by SHELFSTREAM_HOME or SHELFSTREAM_KAFKA_*"
)


@dataclass(frozen=True)
class SubCommand:
    """One sub-command: where it is, and what `shelfstream --help` says of it."""

    name: str
    attribute: str
    """A function, or a `typer.Typer` with commands of its own, in `deploy.commands.{name}`."""
    help: str


SUB_COMMANDS: Final = (
    SubCommand("up", "up", "Start the local stack: Kafka, mosquitto, InfluxDB, every process."),
    SubCommand("down", "down", "End the stack of this home."),
    SubCommand("status", "status", "Show what runs."),
    SubCommand("doctor", "doctor", "Say what is installed, what is missing and what to do."),
    SubCommand("topics", "app", "The topics as the contracts say."),
    SubCommand("demo", "demo", "Start everything with simulated sites and watch stock move."),
    SubCommand("catalog", "app", "Sites, lanes, SKUs, devices, policies: load, show."),
    SubCommand("policy", "app", "Policies: what a file would change, and who changed what."),
    SubCommand("stock", "app", "Opening stock: import."),
    SubCommand("lots", "lots", "The lots of an article, with their expiry, and what is held."),
    SubCommand("command", "app", "Approve, reject and change transfers, as a person."),
    SubCommand("alert", "app", "Alerts: list, show, acknowledge, silence, snooze."),
    SubCommand("count", "app", "Counts: where they pay, sessions, approval."),
    SubCommand("supplier", "app", "A supplier's feed, and purchase orders: show, approve, change."),
    SubCommand("order", "app", "Customer orders: place, hand over, cancel, accept, show, explain."),
    SubCommand("atp", "atp", "What can be promised of an article at a site, now or by a date."),
    SubCommand("simulate", "simulate", "Simulated sensors, gateways, shoppers and staff."),
    SubCommand("replay", "replay", "Send a real order log through the whole path."),
    SubCommand("verify", "verify", "Compare the live table with the oracle of true stock."),
    SubCommand("ledger", "app", "The books: reconcile a period, value stock, export a journal."),
    SubCommand("kpi", "kpi", "Turnover, days on hand, stockouts, fill rate, accuracy."),
    SubCommand("sensors", "app", "How well breaches tell of true shortages: score."),
    SubCommand("dlq", "app", "Dead letters: list, show, replay."),
    SubCommand("log", "app", "Read the logs' frames."),
    SubCommand("bench", "app", "Measure the parts beside their peers, on this machine."),
    SubCommand("explain", "explain", "Why a threshold, a breach, a transfer is as it is."),
)


def make_app(arguments: Sequence[str]) -> typer.Typer:
    """Return the command; only the sub-command that the arguments name is imported."""
    app = typer.Typer(
        name=DISTRIBUTION,
        help="Live stock from shelf sensors and scanners: seen as it happens, moved in time.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.callback()(_no_options)
    wanted = next((word for word in arguments if not word.startswith("-")), "")
    for row in SUB_COMMANDS:
        if row.name != wanted:
            app.command(row.name, help=row.help)(_not_imported)
            continue
        found = getattr(import_module(f"deploy.commands.{row.name}"), row.attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=row.name)
        else:
            app.command(row.name)(found)
    return app


def main() -> None:
    """Run the command; what it can't do is one sentence and exit code 2, never a traceback."""
    # aiokafka warns of every plain-text login, also on loopback, and of every broken connection:
    # a person at a terminal gets the one sentence of the error that follows instead.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        check_owners(packages_distributions())
        make_app(sys.argv[1:])()
    except ShelfstreamError as error:
        _end(str(error))
    except kafka_errors() as error:
        _end(kafka_sentence(error))
    except OSError as error:
        # A home that may not be written, a full disk: the file's name says more than a traceback.
        if error.filename is None:
            raise
        _end(f"{error.filename}: {error.strerror}")


def kafka_errors() -> tuple[type[BaseException], ...]:
    """Return Kafka's errors, or nothing where no sub-command has imported Kafka's client.

    Importing it here would make `--help` slow.
    """
    errors = sys.modules.get("aiokafka.errors")
    return (errors.KafkaError,) if errors else ()


def kafka_sentence(error: BaseException) -> str:
    """Return what to tell a person of an error of Kafka's; aiokafka's texts are for programmers."""
    # aiokafka hides a refused login: what it can't log in to it could not reach.
    if type(error).__name__ in {"KafkaConnectionError", "NodeNotReadyError"}:
        return UNREACHABLE_SENTENCE
    return f"Kafka could not do it: {error}"


def _end(sentence: str) -> NoReturn:
    sys.stderr.write(f"{sentence}\n")
    sys.exit(ERROR_CODE)


def check_owners(owners: Mapping[str, Sequence[str]]) -> None:
    """Refuse to run where another distribution installed a package under one of our names.

    Raises:
        StackError: It names the package and the distribution.
    """
    for package in PACKAGES:
        foreign = sorted(set(owners.get(package, ())) - {DISTRIBUTION})
        if foreign:
            raise StackError(
                f"the package {package} also belongs to {foreign[0]}: "
                f"uninstall {foreign[0]}, or give {DISTRIBUTION} an environment of its own"
            )


def _no_options() -> None:
    """Take no options of its own."""


def _not_imported() -> None:
    """Stand in `--help` for a sub-command that was not asked for."""
    raise AssertionError("a sub-command runs only when the arguments name it")


if __name__ == "__main__":
    main()
