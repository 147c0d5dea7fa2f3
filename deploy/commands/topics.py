"""`shelfstream topics`: the topics as the contracts say, and as the broker has them."""

import asyncio
import os

import typer
from rich.console import Console
from rich.table import Table

from deploy.topics import create_topics
from ingest.contracts.durations import DAY_MS
from ingest.contracts.settings import InstallationSettings, KafkaSettings, load
from ingest.contracts.topics import TOPICS, Topic

app = typer.Typer(no_args_is_help=True, help="The topics as the contracts say.")


@app.command("list")
def list_topics() -> None:
    """Show every topic, what its partition means and how long it is kept."""
    table = Table("topic", "partitioned by", "kept", "holds")
    for topic in TOPICS:
        table.add_row(topic.name, topic.partitioned_by, kept(topic), topic.doc)
    Console().print(table)


@app.command()
def create(
    replication_factor: int = typer.Option(1, min=1, help="Copies of each partition."),
) -> None:
    """Create what is missing on the broker of the settings; change nothing that is there."""
    environ = os.environ  # noqa: TID251 - a command is a main
    installation = load(InstallationSettings, environ)
    made = create_topics(
        load(KafkaSettings, environ),
        installation.partition_count,
        replication_factor=replication_factor,
    )
    typer.echo("\n".join(asyncio.run(made)) or "every topic is there")


def kept(topic: Topic) -> str:
    """Return how long a topic keeps its records, in words."""
    if topic.retention_ms is None:
        return "newest of a key"
    return f"{topic.retention_ms // DAY_MS} days"
