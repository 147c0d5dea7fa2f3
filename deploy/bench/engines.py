"""The engines under comparison: how each is set up and checked."""

import json
import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from deploy.bench.domain import book_of
from deploy.bench.java_peer import kafka_streams_argv
from deploy.bench.peer_environment import peers_python
from deploy.bench.recount import Parsed, parse_total
from ingest.contracts.errors import BenchError

Size = Literal["frames", "few_frames", "records", "few", "java", "domain"]
"""Which log an engine is given: slow ones get fewer events, for rates are compared."""

OURS: Final = "ours"
DOMAIN: Final = "domain"
WORKER: Final = "deploy.bench.engine_worker"
AT_LEAST_ONCE: Final = "at least once"
EXACTLY_ONCE: Final = "exactly once"
TRANSACTION: Final = f"{EXACTLY_ONCE}: outputs, state and offset in one transaction"
_TWO_LONGS: Final = struct.Struct(">qq")
_PAIR: Final = msgspec.json.Decoder(tuple[int, int])


@dataclass(frozen=True, kw_only=True)
class Engine:
    """One engine, set up one way."""

    key: str
    """What ratios name it by."""
    name: str
    guarantee: str
    argv: Sequence[str]
    size: Size = "frames"
    changelog: str = "{name}-state"
    """The topic it restores from; `{name}` is the run's name, `{topic}` the input's."""
    parse: Callable[[bytes, bytes], tuple[Any, Any] | None] = parse_total
    exactly_once: bool = False
    makes_topics: bool = False
    """Whether it makes its changelog itself."""
    in_quick: bool = True
    waits: bool = True
    """Whether it may be started ahead of its turn: imported, it waits for the word to begin."""

    @property
    def is_ours(self) -> bool:
        """Tell whether it is a worker of this project."""
        return WORKER in self.argv

    @property
    def feeds(self) -> str:
        """`frames`, or `records` of one event."""
        return "frames" if self.size in {"frames", "few_frames", "domain"} else "records"


def ours() -> Engine:
    """Return this engine with the counting fold."""
    return Engine(
        key=OURS,
        name="Shelfstream",
        guarantee=TRANSACTION,
        argv=[sys.executable, "-m", WORKER, "counting"],
    )


def ours_full() -> Engine:
    """Return this engine with the full stock fold."""
    return Engine(
        key=DOMAIN,
        name="Shelfstream, full stock fold",
        guarantee=TRANSACTION,
        argv=[sys.executable, "-m", WORKER, "stock"],
        size="domain",
        parse=book_of,
    )


def peers(say: Callable[[str], None]) -> tuple[list[Engine], dict[str, str]]:
    """Return the peers that this machine can run, and why the others are absent.

    Their environments are made where they are missing.
    """
    found: list[Engine] = []
    absent: dict[str, str] = {}
    try:
        found += _python_peers(peers_python(say))
    except BenchError as error:
        absent |= dict.fromkeys(("bare", "faust", "quix"), str(error))
    try:
        found += _java_peers(kafka_streams_argv(say))
    except BenchError as error:
        absent["kafka_streams"] = str(error)
    for name, why in absent.items():
        say(f"{name} is left out: {why}")
    return found, absent


def _python_peers(python: Path) -> list[Engine]:
    def argv(module: str) -> list[str]:
        return [str(python), "-m", f"deploy.bench.peers.{module}"]

    bare = Engine(
        key="bare",
        name="bare confluent-kafka loop",
        guarantee=f"{AT_LEAST_ONCE}; no rebalancing, no recovery",
        argv=argv("bare_loop"),
    )
    faust = Engine(
        key="faust",
        name="Faust, a table",
        guarantee=AT_LEAST_ONCE,
        argv=argv("plain_faust"),
        size="few",
        changelog="{name}-totals-changelog",
        parse=parse_faust,
        makes_topics=True,
    )
    return [bare, faust, *_quix(argv("quix"))]


def _quix(argv: Sequence[str]) -> list[Engine]:
    def quix(key: str, size: Size, *, exactly_once: bool, in_quick: bool = False) -> Engine:
        return Engine(
            key=key,
            name="Quix Streams, RocksDB",
            guarantee=EXACTLY_ONCE if exactly_once else AT_LEAST_ONCE,
            argv=argv,
            size=size,
            changelog="changelog__{name}--{topic}--default",
            parse=parse_quix,
            exactly_once=exactly_once,
            makes_topics=True,
            in_quick=in_quick,
        )

    return [
        quix("quix", "records", exactly_once=False, in_quick=True),
        quix("quix_exactly_once", "records", exactly_once=True),
        quix("quix_frames", "few_frames", exactly_once=False),
        quix("quix_frames_exactly_once", "few_frames", exactly_once=True),
    ]


def _java_peers(argv: Sequence[str]) -> list[Engine]:
    def streams(key: str, *, exactly_once: bool) -> Engine:
        return Engine(
            key=key,
            name="Kafka Streams, store in memory",
            guarantee="exactly once (v2)" if exactly_once else AT_LEAST_ONCE,
            argv=argv,
            size="java",
            changelog="{name}-totals-changelog",
            parse=parse_java,
            exactly_once=exactly_once,
            makes_topics=True,
            in_quick=not exactly_once,
            waits=False,
        )

    return [
        streams("kafka_streams", exactly_once=False),
        streams("kafka_streams_exactly_once", exactly_once=True),
    ]


def parse_faust(key: bytes, value: bytes) -> Parsed | None:
    """Return a total of a Faust table: JSON key and JSON value."""
    return str(json.loads(key)), _PAIR.decode(value)


def parse_quix(key: bytes, value: bytes) -> Parsed | None:
    """Return a total of Quix: `{message key}|{state key as JSON}`; frames have no message key."""
    prefix, _, name = key.rpartition(b"|")
    try:
        total = _PAIR.decode(value)
    except msgspec.DecodeError:
        return None  # its own records
    return (prefix.decode() if name == b'"total"' else str(json.loads(name))), total


def parse_java(key: bytes, value: bytes) -> Parsed | None:
    """Return a total of the Kafka Streams peer: two longs."""
    number, units = _TWO_LONGS.unpack(value)
    return key.decode(), (number, units)
