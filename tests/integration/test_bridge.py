"""The bridge process on real mosquitto and Kafka."""

import base64
import os
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from deploy.commands import dlq
from deploy.commands import log as log_command
from ingest.contracts.events import PAYLOAD_BYTES_MAX
from ingest.partitions import partition_of
from tests.integration.bridge_process import (
    SKU,
    BridgeProcess,
    Gateway,
    Logs,
    add_to_catalogue,
    environment,
    eventually,
)

pytestmark = pytest.mark.integration


class Floor:
    """Sites, bridges and gateways of one test; everything is ended with it."""

    def __init__(self, stack: Any, tmp_path: Path) -> None:
        """Take the stack; all names are of this test alone.

        A killed bridge leaves messages in its session that Kafka has and nobody acknowledged: the
        next bridge takes them once more.
        """
        self.stack = stack
        run = uuid.uuid4().hex[:6]
        self.run = run
        self.site = f"s-{run}"
        self.device = f"gw-{run}"
        self.logs = Logs(stack.kafka)
        self._tmp_path = tmp_path
        self._opened: list[BridgeProcess | Gateway] = []

    def bridge(self, bridge_slice: str = "0/1") -> BridgeProcess:
        """Start a bridge."""
        name = f"bridge-{len(self._opened)}.log"
        self._opened.append(one := BridgeProcess(self.stack, self._tmp_path / name, bridge_slice))
        return one

    def gateway(self, site: str, device: str) -> Gateway:
        """Connect a gateway."""
        self._opened.append(one := Gateway(self.stack.mqtt, site, device))
        return one

    def close(self) -> None:
        """End everything."""
        for one in reversed(self._opened):
            one.close()


@pytest.fixture
def floor(stack: Any, tmp_path: Path) -> Iterator[Floor]:
    """Give a floor with its site and that site's gateway in the catalogue."""
    one = Floor(stack, tmp_path)
    add_to_catalogue(stack.kafka, 1, {one.site: [one.device]})
    yield one
    one.close()


def test_good_and_bad_end_where_they_belong(floor: Floor) -> None:
    """Inputs, dead letters with their bytes, receipts for all that has a number."""
    floor.bridge().ready()
    device = floor.device
    gateway = floor.gateway(floor.site, device)
    batch: list[dict[str, object]] = [gateway.event(seq) for seq in range(5)]
    batch[1]["sku"] = "nothing"
    batch[3]["quantity"] = 5_000
    gateway.spool = dict.fromkeys(range(5), time.monotonic())
    gateway.publish(msgspec.json.encode(batch))
    gateway.publish(b"{not json")
    gateway.publish(b"x" * (PAYLOAD_BYTES_MAX + 1))
    gateway.send([5])
    eventually(lambda: not gateway.spool, "receipts are missing")
    eventually(lambda: len(floor.logs.letters()) == 4, "letters are missing")
    assert sorted(floor.logs.scans(device)) == [0, 2, 4, 5]
    letters = {letter.reason: letter for letter in floor.logs.letters()}
    assert set(letters) == {"unknown_article", "absurd_value", "bad_json", "oversize"}
    payload = base64.b64decode(letters["unknown_article"].payload_base64)
    assert payload == msgspec.json.encode(batch[1])
    assert {letter.origin for letter in letters.values()} == {gateway.topic}


def test_letters_are_listed_shown_and_replayed(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A letter of an article that appears later becomes an input by a replay."""
    for name, value in environment(floor.stack.kafka, floor.stack.mqtt).items():
        monkeypatch.setenv(name, value)
    device = f"late-{floor.run}"
    bridge = floor.bridge().ready()
    gateway = floor.gateway(floor.site, device)
    gateway.send([7])
    eventually(lambda: not gateway.spool, "the receipt is missing")
    (letter,) = floor.logs.letters()
    assert letter.reason == "unknown_device"
    run = CliRunner()
    shown = run.invoke(dlq.app, ["list", "--reason", "unknown_device"])
    assert letter.letter_id in shown.output
    assert SKU in run.invoke(dlq.app, ["show", letter.letter_id]).output
    assert run.invoke(dlq.app, ["show", "letter-none"]).exit_code == 1
    bridge.kill()  # it would take the letter by itself when the device appears
    add_to_catalogue(floor.stack.kafka, 2, {floor.site: [floor.device, device]})
    floor.bridge().ready()
    dry = run.invoke(dlq.app, ["replay", letter.letter_id, "--dry-run"])
    assert "would send" in dry.output
    assert floor.logs.scans(device) == []
    replayed = run.invoke(dlq.app, ["replay", letter.letter_id])
    assert replayed.exit_code == 0, replayed.output
    eventually(lambda: floor.logs.scans(device) == [7], "the replayed scan is missing")
    tailed = run.invoke(log_command.app, ["tail", "inputs", "--json"])
    assert device in tailed.output


def test_an_unknown_device_is_served_once_known(floor: Floor) -> None:
    """With no restart and no help, and the catalogue's other devices go on."""
    floor.bridge().ready()
    device = f"new-{floor.run}"
    gateway = floor.gateway(floor.site, device)
    gateway.send([1])
    eventually(lambda: not gateway.spool, "the receipt is missing")
    add_to_catalogue(floor.stack.kafka, 3, {floor.site: [floor.device, device]})
    eventually(lambda: floor.logs.scans(device) == [1], "the held scan is missing")


def test_nothing_is_lost_when_the_bridge_is_killed(floor: Floor) -> None:
    """Killed with no warning in mid-run: every scan is in the inputs, some perhaps twice."""
    bridge = floor.bridge().ready()
    device = floor.device
    gateway = floor.gateway(floor.site, device)
    sent = 0
    for kills in range(3):
        gateway.send(range(sent, sent + 1_500))
        sent += 1_500
        if kills < 2:
            eventually(lambda: len(gateway.spool) < 1_200, "no receipts at all")
            bridge.kill()
            gateway.send(range(sent, sent + 200))
            sent += 200
            bridge = floor.bridge()
    eventually(gateway.receipted, "receipts are missing")
    assert set(floor.logs.scans(device)) == set(range(sent))
    assert floor.logs.letters() == []


def test_a_bridge_that_is_asked_to_end_leaves_nothing_undone(floor: Floor) -> None:
    """Exit code 0 in mid-stream; what it took is in Kafka once, and the next one takes the rest."""
    first = floor.bridge().ready()
    device = floor.device
    gateway = floor.gateway(floor.site, device)
    gateway.send(range(1_500))
    eventually(lambda: len(gateway.spool) < 1_400, "no receipts at all")
    first.process.terminate()
    assert first.ended() == 0
    assert "bridge_ended" in first.log
    floor.bridge().ready()
    eventually(gateway.receipted, "receipts are missing")
    assert set(floor.logs.scans(device)) == set(range(1_500))


def test_the_second_of_two_bridges_refuses_to_start(floor: Floor) -> None:
    """The first lives on; after a crash the next starts at once."""
    first = floor.bridge().ready()
    second = floor.bridge()
    assert second.ended() == 1
    assert "another process serves bridge-0-of-1" in second.log
    gateway = floor.gateway(floor.site, floor.device)
    gateway.send([1])
    eventually(lambda: not gateway.spool, "the first does not serve")
    assert first.process.poll() is None
    first.kill()
    floor.bridge().ready()


def test_a_bridge_that_slept_ends_when_another_took_over(floor: Floor) -> None:
    """Suspended for longer than its heartbeat may be silent, it ends by itself once woken."""
    first = floor.bridge().ready()
    os.kill(first.process.pid, signal.SIGSTOP)
    second = floor.bridge().ready()
    os.kill(first.process.pid, signal.SIGCONT)
    assert first.ended() == 1
    assert second.process.poll() is None
    gateway = floor.gateway(floor.site, floor.device)
    gateway.send([1])
    eventually(gateway.receipted, "the second does not serve")


def test_slices_share_the_sites_and_lose_nothing(floor: Floor) -> None:
    """Sites that appear while both run, and one slice that comes later."""
    names = [f"slice-{floor.run}-{number}" for number in range(20)]
    theirs = [name for name in names if partition_of(name, 2) == 1][:3]
    ours = next(name for name in names if partition_of(name, 2) == 0)
    sites = [*theirs, ours]
    floor.bridge("0/2").ready()
    gateways = [floor.gateway(site, f"gw-{site}") for site in sites]
    catalogue = {floor.site: [floor.device]}
    for number, site in enumerate(sites):
        catalogue[site] = [f"gw-{site}"]
        add_to_catalogue(floor.stack.kafka, 10 + number, catalogue)
    for gateway in gateways:
        gateway.send([0])
    # of devices that are not known yet no more than `HELD_LETTERS_MAX` messages are taken later
    eventually(
        lambda: all(floor.logs.scans(f"gw-{site}") for site in sites),
        "the bridge did not hear of a site",
    )
    for gateway in gateways:
        gateway.send(range(1, 50))
    second = floor.bridge("1/2")
    for seq in range(50, 400):
        for gateway in gateways:
            gateway.send([seq])
    second.ready(filters=9)
    for gateway in gateways:
        gateway.send(range(400, 450))
    for gateway in gateways:
        eventually(gateway.receipted, "receipts are missing")
    for site in sites:
        assert set(floor.logs.scans(f"gw-{site}")) == set(range(450))
    _handed_over(floor, gateways[0], f"gw-{theirs[0]}")


def _handed_over(floor: Floor, gateway: Gateway, device: str) -> None:
    """See that by now exactly one slice takes a message of this site."""
    numbers = iter(range(1_000, 2_000))

    def once() -> bool:
        seq = next(numbers)
        gateway.send([seq])
        eventually(lambda: not gateway.spool, "the receipt is missing")
        return floor.logs.scans(device).count(seq) == 1

    eventually(once, "both slices take the site's messages")
