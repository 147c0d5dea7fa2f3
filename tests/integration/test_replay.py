"""The real command on a real stack in driven time: replay, simulate with faults, verify."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from deploy.stack.plan import StackOptions
from tests.integration.pipeline import Pipeline, running_pipeline

pytestmark = [pytest.mark.integration, pytest.mark.slow]

COMMAND_S_MAX = 240
KAFKA_HEAP_MIB = 384
HEADER = "invoiced_at,invoice,stock_code,quantity,unit_price,customer_id,country"
ROOT = Path(__file__).parents[2]
REAL_LOG = ROOT.parent / "shared" / "data" / "online_retail.csv.gz"
ODD_CODES = ["85123A", " 85123a ", "BANK CHARGES", "a/b+c#d", "Ünïcode", '"quoted", comma']


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Run the whole stack in driven time, without InfluxDB, for the tests of this module."""
    options = StackOptions(time="driven", influx=False)
    with running_pipeline(tmp_path_factory.mktemp("replay"), options) as pipeline:
        yield pipeline


def synthetic_log(path: Path, lines: int) -> int:
    """Write an order log with odd codes, returns, big and zero quantities; return zero lines."""
    rng = Random(7)
    rows, zeros = [HEADER], 0
    for number in range(lines):
        quantity = rng.choice([1, 2, 6, 12, 80_995, -1, -80_995, 0])
        zeros += quantity == 0
        code = rng.choice(ODD_CODES).replace('"', '""')
        customer = rng.choice(["", "17850", "13047", "12583"])
        minutes = 480 + number // 60
        rows.append(
            f"2011-01-04 {minutes // 60:02d}:{minutes % 60:02d}:00,{536365 + number // 4},"
            f'"{code}",{quantity},1.25,{customer},France'
        )
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return zeros


def test_a_replayed_log_is_exact(shell: Pipeline, tmp_path: Path) -> None:
    """2,000 lines with every oddity: each scan once, each key the plain sum of the file."""
    log = tmp_path / "orders.csv"
    zeros = synthetic_log(log, 2_000)
    told = shell.run("replay", str(log), "--sites", "5", "--verify", "--json")
    assert told.returncode == 0, told.stderr
    assert f"quantity 0: {zeros}" in told.stderr
    figures, found = _objects(told.stdout)
    assert figures["accepted_events"] == figures["lines"] == 2_000 - zeros
    assert (found["scans"], found["lost"], found["doubled"], found["differ"]) == (
        2_000 - zeros,
        0,
        0,
        0,
    )
    assert found["agree"] == found["keys"] > 0


def test_an_error_of_one_unit_is_found(shell: Pipeline) -> None:
    """Were the truth one unit or one scan off, verify would say so and end with 1."""
    truth = shell.truth()
    site, stock = next(iter(truth["stock"].items()))
    sku = next(iter(stock))
    truth["stock"][site][sku] += 1
    truth["scans"][0]["last"] += 1
    wrong = shell.home.path / "wrong.json"
    wrong.write_text(json.dumps(truth), encoding="utf-8")
    code, found = shell.verified("--oracle", str(wrong))
    assert (code, found["exact"], found["differ"], found["lost"]) == (1, False, 1, 1)
    assert shell.verified()[0] == 0


def test_the_truth_of_another_installation_is_refused(shell: Pipeline) -> None:
    """Neither compared nor gone on with: one sentence, and its file stays as it was."""
    strange = shell.home.path / "strange.json"
    strange.write_text(
        json.dumps({**shell.truth(), "installation_id": "elsewhere"}), encoding="utf-8"
    )
    before = strange.read_bytes()
    words = ("--oracle", str(strange))
    for told in (
        shell.run("verify", *words),
        shell.run("simulate", "--sites", "2", "--skus", "1", "--seconds", "1", *words),
    ):
        assert told.returncode == 2
        assert "the oracle is the truth of installation elsewhere, and this is" in told.stderr
    assert strange.read_bytes() == before


def test_a_simulation_with_all_faults_is_exact(shell: Pipeline) -> None:
    """Repeats, disorder, outages and restarts: book, ledger and sensors are still the truth."""
    told = shell.run(
        "simulate",
        *("--sites", "6", "--skus", "20", "--seconds", "12", "--rate", "200", "--speed", "120"),
        *("--faults", "dup,disorder,offline,restart"),
        *("--oracle", str(shell.home.path / "oracle.json")),
    )
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["unaccepted_events"] == 0
    code, found = shell.verified()
    assert (code, found["exact"]) == (0, True), found["differences"]


def test_the_ledger_of_real_topics_reconciles(shell: Pipeline) -> None:
    """After replay and simulation every line holds; the journal's stock is the valuation's."""
    assert shell.run("ledger", "reconcile").returncode == 0
    told = shell.run("ledger", "valuation", "--format", "json").stdout.splitlines()
    values = {row["place"]: row["value_minor"] for row in map(json.loads, told) if not row["site"]}
    entries = shell.run("ledger", "export", "--format", "json").stdout.splitlines()
    inventory_minor = 0
    for entry in map(json.loads, entries):
        inventory_minor += entry["amount_minor"] * (entry["debit_account"] == "inventory")
        inventory_minor -= entry["amount_minor"] * (entry["credit_account"] == "inventory")
    assert inventory_minor == values["on_hand"] > 0


def test_a_breach_is_explained_and_its_log_agrees(shell: Pipeline) -> None:
    """The events of the partition, folded anew from the inputs, give the same breach."""
    told = shell.run("log", "tail", "events", "--from", "0", "--json")
    assert told.returncode == 0, told.stderr
    events = [json.loads(line) for line in told.stdout.splitlines()]
    breach = next(event for event in events if event["item"] == "BreachOpened")
    told = shell.run("explain", breach["breach_id"], "--replay")
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert lines[0].startswith(f"{breach['breach_id']}: {breach['kind']} of {breach['sku']}")
    assert lines[-1].startswith(
        f"replay of shelfstream.inputs/{breach['partition']} from offset 0 to"
    )
    assert lines[-1].endswith(": the same")
    told = shell.run("explain", "breach-nothing-1")
    assert told.returncode == 2
    assert told.stderr.startswith("no event of breach-nothing-1 is in shelfstream.events")


def test_orders_and_counts_are_explained_and_the_plans_agree(shell: Pipeline) -> None:
    """What spans SKUs comes out of the plans' log again: events, and the record at its offset."""
    events = shell.run("log", "tail", "events", "--from", "0", "--json").stdout.splitlines()
    breach = next(e for e in map(json.loads, events) if e["item"] == "BreachOpened")
    sku, site = breach["sku"], breach["site"]
    placed = shell.run("order", "place", "SO-1", f"{sku}@{site}=1", "--wait", "--actor", "ann")
    assert placed.returncode == 0, placed.stderr
    opened = shell.run("count", "open", "--site", site, sku, "--actor", "ann")
    assert opened.returncode == 0, opened.stderr
    session = opened.stdout.removeprefix("accepted: ").partition(",")[0]
    for words in (("explain", "order-SO-1"), ("order", "explain", "SO-1"), ("explain", session)):
        told = shell.run(*words, "--replay")
        assert told.returncode == 0, told.stdout + told.stderr
        replays = [line for line in told.stdout.splitlines() if line.startswith("replay of ")]
        assert replays[0].startswith("replay of shelfstream.plans/")
        assert len(replays) == (2 if "SO-1" in words[-1] else 1)  # its line is decided by the stock
        assert all(line.endswith(": the same") for line in replays)


@pytest.mark.skipif(not REAL_LOG.is_file(), reason="the real order log is not beside the project")
def test_the_head_of_a_real_log_is_exact(shell: Pipeline) -> None:
    """5,000 real lines, after everything the tests before have left in the table."""
    told = shell.run("replay", str(REAL_LOG), "--limit", "5000", "--verify", "--json")
    assert told.returncode == 0, told.stdout
    figures, found = _objects(told.stdout)
    assert figures["lines"] == 5_000
    assert found["exact"] is True


def test_a_file_that_is_no_order_log_is_refused(shell: Pipeline, tmp_path: Path) -> None:
    """One sentence, and nothing is sent."""
    log = tmp_path / "other.csv"
    log.write_text("a,b\n1,2\n", encoding="utf-8")
    told = shell.run("replay", str(log))
    assert told.returncode == 2
    assert told.stderr == "the file has no column 'customer_id'; it has a, b\n"


def _objects(text: str) -> list[dict[str, Any]]:
    decoder, place, found = json.JSONDecoder(), 0, []
    text = text.strip()
    while place < len(text):
        value, place = decoder.raw_decode(text, place)
        found.append(value)
        while place < len(text) and text[place].isspace():
            place += 1
    return found
