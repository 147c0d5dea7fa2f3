"""`shelfstream bench`: how fast the parts are, beside their peers, on this machine.

Exit code 0: measured; 1: a result was wrong; 2: it could not be measured.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Final

import typer

from deploy.bench.report import BenchOptions, Report, json_line, markdown, write_report

BENCHES: Final[dict[str, str]] = {
    "stream": "Stream engines on the same events, this one among them.",
    "bridge": "MQTT to Kafka: this bridge, Telegraf, Quix Streams' MQTT source.",
    "state": "Memory a key, restores, take-overs and restarts of the engine's state.",
    "scale": "What an event costs as levels grow, and two workers beside one, without brokers.",
    "latency": "From a device's publish to the breach and to the delivered alert.",
    "sink": "The ledger's movements to points in InfluxDB, each one counted there.",
}
"""Name to what `--help` says of it; `deploy.bench.{name}.run(options)` returns its report."""

ROUNDS_DEFAULT: Final = 3
ROUNDS_QUICK: Final = 1
FOLDER_DEFAULT: Final = Path(".shelfstream/bench")

QuickOption = Annotated[bool, typer.Option("--quick", help="Within 50 s, fewer events.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object as the last line.")]
RoundsOption = Annotated[
    int | None, typer.Option(min=1, help="How often each engine runs; 3, or 1 with --quick.")
]
OnlyOption = Annotated[
    str, typer.Option(help="Engines to measure, as ours,bare; all where it is left out.")
]
FolderOption = Annotated[Path, typer.Option(help="Where results are written.")]

app = typer.Typer(
    help="Measure the parts beside their peers, on this machine.", no_args_is_help=True
)


def _command(names: Sequence[str]) -> Callable[..., None]:
    def command(
        *,
        quick: QuickOption = False,
        as_json: JsonOption = False,
        rounds: RoundsOption = None,
        only: OnlyOption = "",
        folder: FolderOption = FOLDER_DEFAULT,
    ) -> None:
        options = BenchOptions(
            quick=quick,
            rounds=rounds or (ROUNDS_QUICK if quick else ROUNDS_DEFAULT),
            folder=folder.resolve(),
            only=tuple(filter(None, only.split(","))),
        )
        reports = [measured(name, options) for name in names]
        if as_json:
            show_json(reports)
        else:
            for report in reports:
                typer.echo(markdown(report))
        if any(report.failures for report in reports):
            raise typer.Exit(1)

    return command


def measured(name: str, options: BenchOptions) -> Report:
    """Run one benchmark and write its results; only its own module is imported."""
    report: Report = import_module(f"deploy.bench.{name}").run(options)
    for path in write_report(report, options.folder):
        options.say(f"written: {path}")
    return report


def show_json(reports: Sequence[Report]) -> None:
    """Print one benchmark's headline, or an object of several by name, as the last line."""
    if len(reports) == 1:
        typer.echo(json_line(reports[0]))
    else:
        inner = ", ".join(f'"{report.name}": {json_line(report)}' for report in reports)
        typer.echo("{" + inner + "}")


for _name, _help in BENCHES.items():
    app.command(_name, help=_help)(_command([_name]))
app.command("all", help="Every one of them, in turn.")(_command(list(BENCHES)))
