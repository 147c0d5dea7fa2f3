"""`shelfstream command`: what each word sends, and how the answer is told."""

import re
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from deploy.commands import command
from deploy.commands.command import TRANSFER_WORDS
from deploy.terminal import PENDING_CODE, REFUSED_CODE, answer_sentence, refusal_sentence
from ingest.contracts.commands import COMMAND_VERBS, ENTITY_KINDS, Command, command_input
from ingest.contracts.settings import KafkaSettings
from streams.contracts.events import CommandAccepted, CommandRefused
from streams.contracts.ledger import Movement
from streams.scan_movements import ScanFinder, voided_movement

RUNNER = CliRunner()
TRANSFER = "transfer-TEA-7"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Command]:
    """Return the commands that were sent; each is accepted."""
    commands: list[Command] = []

    async def send(_: KafkaSettings, asked: Command, *, now_ms: int) -> CommandAccepted:
        assert now_ms > 0
        commands.append(asked)
        return CommandAccepted(
            command_id=asked.command_id,
            actor=asked.actor,
            entity_id=asked.entity_id or TRANSFER,
            at_ms=now_ms,
            version=3,
        )

    monkeypatch.setattr(command, "send_command", send)
    return commands


@pytest.mark.parametrize(("word", "verb"), [(w, v) for w, (v, _) in TRANSFER_WORDS.items()])
def test_a_word_about_a_transfer_sends_its_verb(word: str, verb: str, sent: list[Command]) -> None:
    """Id, actor, reason and expected version travel with it."""
    options = ["--actor", "ann", "--reason", "too far", "--expected-version", "2"]
    result = RUNNER.invoke(command.app, [word, TRANSFER, *options])
    assert (result.exit_code, result.output) == (0, f"accepted: {TRANSFER}, version 3\n")
    [asked] = sent
    assert (asked.verb, asked.entity_id, asked.actor) == (verb, TRANSFER, "ann")
    assert (asked.reason, asked.expected_version) == ("too far", 2)


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        (["edit", TRANSFER, "9"], {"entity_id": TRANSFER, "quantity_units": 9}),
        (["close-need", "need-TEA-1"], {"entity_id": "need-TEA-1"}),
        (
            ["order-transfer", "TEA", "A", "B", "5"],
            {"sku": "TEA", "site": "A", "to_site": "B", "quantity_units": 5},
        ),
        (
            ["release-buffer", "TEA", "A", "--reason", "flood"],
            {"sku": "TEA", "site": "A", "quantity_units": 0, "reason": "flood"},
        ),
        (["release-buffer", "TEA", "A", "4", "--reason", "flood"], {"quantity_units": 4}),
        (["quarantine", "TEA", "A", "4"], {"site": "A", "quantity_units": 4, "lot": ""}),
        (["release-quarantine", "TEA", "A", "--lot", "L1"], {"quantity_units": 0, "lot": "L1"}),
        (["recall-lot", "TEA", "L1"], {"sku": "TEA", "lot": "L1", "site": ""}),
        (["lift-recall", "TEA", "L1"], {"sku": "TEA", "lot": "L1", "site": ""}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_other_words_send_what_they_were_given(
    words: list[str], fields: dict[str, object], sent: list[Command]
) -> None:
    """The verb is the word; what was left out has its default."""
    assert RUNNER.invoke(command.app, words).exit_code == 0
    [asked] = sent
    assert asked.verb.replace("_transfer", "").replace("_", "-") in words[0]
    assert {name: getattr(asked, name) for name in fields} == fields
    assert asked.expected_version is None


def test_every_verb_of_a_person_has_a_word() -> None:
    """Shipments and orders are the planning fold's; all else can be said at a terminal."""
    words = {info.name or info.callback.__name__ for info in command.app.registered_commands}  # type: ignore[union-attr] # each has a callback
    transfer_verbs = {verb for verb, _ in TRANSFER_WORDS.values()}
    others = {"edit": "edit_transfer", "close-need": "close_need"}
    others |= {"order-transfer": "order_transfer", "release-buffer": "release_buffer"}
    planning_verbs = {"assign_shipment", "order_need", "resize_need"}
    others |= {"void": "void_movement", "quarantine": "quarantine"}
    others |= {"release-quarantine": "release_quarantine"}
    others |= {"recall-lot": "recall_lot", "lift-recall": "lift_recall"}
    assert words == {*TRANSFER_WORDS, *others}
    assert transfer_verbs | set(others.values()) == set(COMMAND_VERBS) - planning_verbs
    assert {ENTITY_KINDS[verb] for verb in transfer_verbs} == {"transfer"}


def _movement(number: int, **fields: Any) -> Movement:
    said = {"kind": "sale", "bucket": "on_hand", "cause": "scanner-1/b1/7", **fields}
    return Movement(
        f"movement-TEA-{number}",
        "TEA",
        "A",
        quantity_units=-2,
        before_units=9,
        after_units=7,
        effective_at_ms=5,
        recorded_at_ms=6,
        **said,
    )


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> list[Movement]:
    """Return the ledger that is looked into; the test fills it."""
    movements: list[Movement] = []

    async def scans_of(_: KafkaSettings, wanted: str) -> list[list[Movement]]:
        finder = ScanFinder(wanted)
        for movement in movements:
            finder.take(0, movement)
        return finder.scans()

    monkeypatch.setattr(command, "scans_of", scans_of)
    return movements


@pytest.mark.parametrize("wanted", ["movement-TEA-3", "scanner-1/b1/7"])
def test_a_void_brings_what_the_scan_left_in_the_ledger(
    wanted: str, sent: list[Command], ledger: list[Movement]
) -> None:
    """The movement or the scan may be named; neighbours of other scans are not brought."""
    ledger += [_movement(2, cause="scanner-1/b1/6"), _movement(3), _movement(4, cause="x/b/1")]
    assert RUNNER.invoke(command.app, ["void", wanted, "--reason", "twice"]).exit_code == 0
    [asked] = sent
    assert (asked.verb, asked.entity_id, asked.reason) == (
        "void_movement",
        "movement-TEA-3",
        "twice",
    )
    [brought] = asked.movements
    assert (brought.movement_id, brought.quantity_units) == ("movement-TEA-3", -2)
    [sent_on] = command_input(asked).movements
    assert sent_on == voided_movement(ledger[1])


def test_a_scan_that_nobody_knows_is_not_sent(sent: list[Command], ledger: list[Movement]) -> None:
    """Nor one that may be either of two; the answer says which."""
    result = RUNNER.invoke(command.app, ["void", "scanner-1/b1/7"])
    assert (result.exit_code, result.output) == (1, "the ledger has no scanner-1/b1/7\n")
    ledger += [_movement(3), _movement(4)]
    result = RUNNER.invoke(command.app, ["void", "scanner-1/b1/7"])
    assert result.exit_code == 1
    assert "void one of movement-TEA-3, movement-TEA-4" in result.output
    assert sent == []


def test_the_same_command_twice_has_two_ids(sent: list[Command]) -> None:
    """An id is carried out once: whoever asks again means it."""
    for _ in range(2):
        RUNNER.invoke(command.app, ["approve", TRANSFER])
    assert len({asked.command_id for asked in sent}) == 2


def test_without_an_actor_it_is_the_login_name(
    sent: list[Command], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user id without a name, as in containers, is asked to say who decides."""
    monkeypatch.setattr("getpass.getuser", lambda: "bob")
    RUNNER.invoke(command.app, ["approve", TRANSFER])
    assert [asked.actor for asked in sent] == ["bob"]

    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    result = RUNNER.invoke(command.app, ["approve", TRANSFER])
    assert str(result.exception) == "this user has no login name: say who decides by --actor"
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["approve", "need-TEA-1"], "approve_transfer takes the id of a transfer, such as"),
        (["close-need", TRANSFER], "close_need takes the id of a need, such as need-"),
        (["order-transfer", "TEA", "A", "A", "5"], "order_transfer takes two different sites"),
        (
            ["approve", "TEA"],
            "entity_id 'TEA': should be an id such as transfer-milk-17; `shelfstream log tail",
        ),
        (["release-buffer", "TEA", "A"], "release_buffer takes a reason"),
        (["release-buffer", "TEA", "A/B"], "site 'A/B': should have no /, +, # or control"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_makes_no_sense_is_never_sent(
    words: list[str], sentence: str, sent: list[Command]
) -> None:
    """Exit code 1, and the field with what was given."""
    result = RUNNER.invoke(command.app, words)
    assert result.exit_code == REFUSED_CODE
    assert result.output.startswith(sentence)
    assert sent == []


@pytest.mark.parametrize("units", ["0", "-1", "many"])
def test_a_quantity_is_a_number_of_at_least_one(units: str, sent: list[Command]) -> None:
    """The command line itself refuses it, with its own code for a wrong use."""
    result = RUNNER.invoke(command.app, ["order-transfer", "TEA", "A", "B", "--", units])
    assert result.exit_code == 2
    assert re.search(r"Invalid value|No such option", result.output)
    assert sent == []


def refused(**more: str | int) -> CommandRefused:
    """Return a refusal."""
    given = {"command_id": "c", "actor": "ann", "entity_id": TRANSFER, "at_ms": 1, **more}
    return CommandRefused(reason="not_proposed", **given)  # type: ignore[arg-type] # mixed values


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (None, ("pending: no answer to command c yet", PENDING_CODE)),
        (refused(), ("refused: not_proposed", REFUSED_CODE)),
        (
            CommandAccepted(command_id="c", actor="ann", entity_id="breach-TEA-1", at_ms=1),
            ("accepted: breach-TEA-1", 0),
        ),
        (
            refused(current_state="cleared"),
            ("refused: not_proposed (it is cleared)", REFUSED_CODE),
        ),
        (
            refused(current_state="received", current_version=5),
            ("refused: not_proposed (it is received, version 5)", REFUSED_CODE),
        ),
    ],
)
def test_an_answer_is_a_sentence_and_a_code(
    answer: CommandAccepted | CommandRefused | None, told: tuple[str, int]
) -> None:
    """A refusal says what state the entity is in, where it is known."""
    assert answer_sentence(answer, "c") == told


def test_the_first_fault_is_told() -> None:
    """With the field's name and what was given for it."""
    with pytest.raises(ValidationError) as caught:
        Command.model_validate({"command_id": "", "verb": "close_need", "actor": "a"})
    assert refusal_sentence(caught.value).startswith("command_id '': ")
