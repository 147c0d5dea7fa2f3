"""`shelfstream dlq` and `shelfstream log`, with Kafka and MQTT played by hand."""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import ClassVar, Self

import pytest
from typer.testing import CliRunner, Result

from deploy.commands import dlq
from deploy.commands import log as log_command
from ingest.contracts.errors import DeliveryError, InstallationError
from ingest.contracts.events import DeadLetter, DeadLetterReason
from ingest.contracts.settings import KafkaSettings, MqttSettings
from ingest.contracts.topics import DEAD_LETTERS, EVENTS, INPUTS
from ingest.frames import INPUT_FRAMES, TickInput
from streams.engine.adapters.reader import TopicRecord

SCANS = "stock/v1/oslo/till/scans"


def _letter(
    number: int,
    reason: DeadLetterReason = "bad_schema",
    origin: str = SCANS,
    payload: bytes = b"{}",
    at_ms: int = 5,
) -> DeadLetter:
    return DeadLetter(
        letter_id=f"letter-{number}",
        reason=reason,
        detail=f"why {number}",
        origin=origin,
        received_at_ms=at_ms,
        payload_base64=base64.b64encode(payload).decode(),
    )


class Log:
    """A topic that was read; where readers began is written down."""

    def __init__(self) -> None:
        """Begin empty."""
        self.records: list[TopicRecord] = []
        self.ends: dict[int, int] = {0: 0}
        self.error: Exception | None = None
        self.asked: list[tuple[str, Mapping[int, int] | None, bool]] = []

    def add(self, value: bytes, partition: int = 0) -> None:
        """Append a record."""
        self.records.append(TopicRecord(partition, len(self.records), None, value, 0))

    async def read(
        self,
        _kafka: KafkaSettings,
        topic: str,
        *,
        from_offsets: Mapping[int, int] | None = None,
        until_end: bool = False,
    ) -> AsyncIterator[list[TopicRecord]]:
        """Stand for `read_topic`."""
        self.asked.append((topic, from_offsets, until_end))
        if self.error is not None:
            raise self.error
        yield self.records

    async def end_offsets(self, _kafka: KafkaSettings, _topic: str) -> dict[int, int]:
        """Stand for `end_offsets`."""
        return self.ends


class Publisher:
    """Stands for `MqttPublisher`."""

    sent: ClassVar[list[tuple[str, bytes]]] = []
    limit: ClassVar[int] = 1_000

    def __init__(self, _settings: MqttSettings) -> None:
        """Forget what was sent before."""
        self.sent.clear()

    def __enter__(self) -> Self:
        """Connect."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Disconnect."""

    def publish(self, topic: str, payload: bytes) -> None:
        """Take a message, until there are too many."""
        if len(self.sent) >= self.limit:
            raise DeliveryError(f"{topic} was not acknowledged within 10 s")
        self.sent.append((topic, payload))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    """Give the topic that both commands read, and a broker that takes everything."""
    one = Log()
    monkeypatch.setenv("SHELFSTREAM_HOME", "/nowhere")
    for module in (dlq, log_command):
        monkeypatch.setattr(module, "read_topic", one.read)
    monkeypatch.setattr(log_command, "end_offsets", one.end_offsets)
    monkeypatch.setattr(dlq, "MqttPublisher", Publisher)
    monkeypatch.setattr(Publisher, "limit", 1_000)
    return one


def _filled(log: Log, *letters: DeadLetter) -> None:
    for letter in letters:
        log.add(letter.model_dump_json().encode())


def _dlq(*arguments: str) -> Result:
    return CliRunner().invoke(dlq.app, list(arguments))


def _tail(*arguments: str) -> Result:
    return CliRunner().invoke(log_command.app, ["tail", *arguments])


def test_a_letter_that_came_often_is_listed_once_where_it_came_last(log: Log) -> None:
    """Resends of the same bytes fill no list; the sum says how many of which reason."""
    _filled(log, _letter(1), _letter(2, "bad_json"), _letter(1, at_ms=9))
    listed = _dlq("list")
    assert listed.output.splitlines() == [
        f'letter-2  bad_json         {SCANS}  "why 2"',
        f'letter-1  bad_schema       {SCANS}  "why 1"',
        "2 letters: bad_json 1, bad_schema 1",
    ]
    assert log.asked == [(DEAD_LETTERS.name, None, True)]


def test_the_list_is_the_newest_and_the_sum_is_all(log: Log) -> None:
    """`--limit` shortens the lines, `--reason` chooses, `--json` is for programs."""
    _filled(log, *(_letter(number) for number in range(5)), _letter(9, "oversize"))
    assert _dlq("list", "--limit", "1").output.splitlines()[-1] == (
        "6 letters: bad_schema 5, oversize 1"
    )
    chosen = _dlq("list", "--reason", "bad_schema", "--limit", "2", "--json").output.splitlines()
    assert [json.loads(line)["letter_id"] for line in chosen] == ["letter-3", "letter-4"]
    assert _dlq("list", "--reason", "too_old").output == "0 letters\n"
    assert _dlq("list", "--reason", "oversize").output.endswith("\n1 letter: oversize 1\n")


def test_what_is_no_letter_hides_no_letter(log: Log) -> None:
    """It is named with its place, and the others are listed."""
    log.add(b"{}")
    _filled(log, _letter(1))
    listed = _dlq("list")
    assert f"{DEAD_LETTERS.name}/0/0 is no dead letter" in listed.output
    assert "letter-1" in listed.output


def test_a_letter_is_shown_whole(log: Log) -> None:
    """Every field and the payload, whatever bytes it holds."""
    _filled(log, _letter(1, payload=b'{"a":\xff}'))
    shown = _dlq("show", "letter-1").output.splitlines()
    assert shown == [
        "letter_id:      letter-1",
        "reason:         bad_schema",
        "detail:         why 1",
        f"origin:         {SCANS}",
        "received_at_ms: 5",
        "payload:        7 bytes",
        '{"a":\\xff}',
    ]
    assert json.loads(_dlq("show", "letter-1", "--json").output)["detail"] == "why 1"


def test_a_letter_that_is_not_there_is_an_error(log: Log) -> None:
    """For `show` and for `replay`, which then sends nothing at all."""
    _filled(log, _letter(1))
    assert _dlq("show", "letter-7").exit_code == 1
    replayed = _dlq("replay", "letter-1", "letter-7", "letter-8")
    assert (replayed.exit_code, replayed.output) == (
        1,
        "there is no letter letter-7, letter-8\n",
    )
    assert Publisher.sent == []


def test_a_replay_sends_the_very_bytes(log: Log) -> None:
    """To the topic they came from; what MQTT can't take is told and left."""
    _filled(
        log,
        _letter(1, payload=b"\x00one"),
        _letter(2, "too_old", origin=f"{INPUTS.name}/0/17"),
        _letter(3, "oversize"),
    )
    replayed = _dlq("replay", "letter-1", "letter-2", "letter-3")
    assert replayed.exit_code == 0
    assert Publisher.sent == [(SCANS, b"\x00one")]
    assert replayed.output.splitlines()[-1] == f"sent letter-1 to {SCANS}"
    assert [line.partition(":")[0] for line in replayed.output.splitlines()[:-1]] == [
        "skipped letter-2",
        "skipped letter-3",
    ]


def test_a_replay_of_everything_must_be_meant(log: Log) -> None:
    """Without letters and without a reason nothing is read or sent."""
    refused = _dlq("replay")
    assert refused.exit_code == 1
    assert "name letters or a --reason" in refused.output
    assert log.asked == []


def test_a_dry_run_sends_nothing(log: Log) -> None:
    """It says what would be sent."""
    _filled(log, _letter(1), _letter(2, "bad_json"))
    Publisher.sent.clear()
    dry = _dlq("replay", "--reason", "bad_json", "--dry-run")
    assert dry.output == f"would send letter-2 to {SCANS}\n"
    assert Publisher.sent == []


def test_a_replay_that_breaks_off_says_how_far_it_came(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The letters that were taken are named before the error."""
    monkeypatch.setattr(Publisher, "limit", 2)
    _filled(log, _letter(1), _letter(2), _letter(3))
    replayed = _dlq("replay", "--reason", "bad_schema")
    assert replayed.output.splitlines() == [
        f"sent letter-1 to {SCANS}",
        f"sent letter-2 to {SCANS}",
    ]
    assert str(replayed.exception) == f"{SCANS} was not acknowledged within 10 s"


def test_what_kafka_says_is_left_to_the_whole_command(log: Log) -> None:
    """`deploy.cli` makes one sentence of every error; a sub-command keeps none to itself."""
    log.error = InstallationError("no such topic")
    for result in (_dlq("list"), _tail("inputs")):
        assert result.exception is log.error
        assert not result.output


def test_a_tail_begins_ten_frames_before_the_end(log: Log) -> None:
    """Of each partition; the reader knows where a short one begins."""
    log.ends = {0: 25, 1: 12}
    assert _tail("events").exit_code == 0
    assert log.asked == [(EVENTS.name, {0: 15, 1: 2}, True)]


@pytest.mark.parametrize("more", [[], ["--follow"]])
def test_a_tail_of_an_empty_log_says_so(log: Log, more: list[str]) -> None:
    """Once, on stderr: what reads the items finds none."""
    assert not any(log.ends.values())
    tailed = _tail("events", *more)
    assert (tailed.exit_code, tailed.stdout) == (0, "")
    assert tailed.stderr == f"there is nothing in {EVENTS.name} yet\n"


def test_a_tail_of_nothing_is_no_empty_log(log: Log) -> None:
    """Where it begins after the last frame, or in a partition that is not there."""
    log.ends = {0: 25, 1: 0}
    assert "`--from 0` shows" in _tail("events", "--from", "90").stderr
    assert "nothing in" in _tail("events", "--partition", "1").stderr
    refused = _tail("events", "--partition", "2")
    assert (refused.exit_code, refused.stderr) == (1, f"{EVENTS.name} has partitions 0 to 1\n")


def test_a_tail_shows_one_partition_from_an_offset(log: Log) -> None:
    """`--follow` has no end."""
    log.ends = {0: 25, 1: 3}
    for partition in (0, 1):
        log.add(INPUT_FRAMES.encode([TickInput(0)], received_at_ms=7), partition)
    tailed = _tail("inputs", "--partition", "1", "--from", "0", "--follow")
    assert tailed.output == "1/1 7 TickInput at_ms=0\n"
    assert log.asked == [(INPUTS.name, {0: 0, 1: 0}, False)]
