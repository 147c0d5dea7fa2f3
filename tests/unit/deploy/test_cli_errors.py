"""What the command can't do is one sentence and exit code 2, in one place for all sub-commands."""

import gc
import logging
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAuthorizationFailedError

from deploy import cli
from deploy.commands import up

CATALOG_TEXT = "sites: [{site: A}]\n"
OPENING_TEXT = "site,sku,quantity\nA,TEA,1\n"

Shelfstream = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shelfstream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shelfstream:
    """Return the command: exit code, stdout and stderr, in an empty home without a Kafka."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    # The command silences aiokafka for its whole process, which is ours here.
    monkeypatch.setattr(logging.getLogger("aiokafka"), "setLevel", lambda _: None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHELFSTREAM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SHELFSTREAM_KAFKA_BOOTSTRAP", f"127.0.0.1:{port}")
    (tmp_path / "catalog.yaml").write_text(CATALOG_TEXT)
    (tmp_path / "opening.csv").write_text(OPENING_TEXT)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["shelfstream", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, told.out, told.err

    return run


@pytest.mark.parametrize(
    "words",
    [
        ("topics", "create"),
        ("catalog", "load", "catalog.yaml"),
        ("catalog", "load", "catalog.yaml", "--dry-run"),
        ("catalog", "show"),
        ("catalog", "show", "sku"),
        ("stock", "import", "opening.csv"),
        ("command", "approve", "transfer-TEA-1"),
        ("command", "release-buffer", "TEA", "A", "--reason", "flood"),
    ],
    ids=" ".join,
)
def test_without_kafka_every_sub_command_says_so_and_no_more(
    words: tuple[str, ...], shelfstream: Shelfstream, caplog: pytest.LogCaptureFixture
) -> None:
    """One sentence on stderr, and no client left open for the collector to complain of."""
    with caplog.at_level(logging.ERROR):
        assert shelfstream(*words) == (2, "", f"{cli.UNREACHABLE_SENTENCE}\n")
        gc.collect()
    assert "Unclosed" not in caplog.text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("status",), "there is no stack in "),
        (("catalog", "load", "none.yaml"), "none.yaml can't be read: No such file or directory"),
        (("catalog", "show", "planet"), "planet is no kind; the kinds are network, site, lane"),
        (("stock", "import", "none.csv"), "none.csv can't be read: No such file or directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_refused_before_kafka_is_asked(
    words: tuple[str, ...], sentence: str, shelfstream: Shelfstream
) -> None:
    """The sentence is about what was asked, not about Kafka."""
    code, output, told = shelfstream(*words)
    assert (code, output) == (2, "")
    assert told.startswith(sentence)
    assert told.count("\n") == 1


def test_every_fault_of_a_catalogue_has_its_line(tmp_path: Path, shelfstream: Shelfstream) -> None:
    """All of them are told together; Kafka is not asked."""
    text = "sites: [{site: A}]\n"
    text += "lanes: [{from_site: A, to_site: B, lead_time_ms: 1}]\n"
    text += "devices: [{device: d, site: C}]\n"
    (tmp_path / "bad.yaml").write_text(text)
    assert shelfstream("catalog", "load", "bad.yaml") == (
        2,
        "",
        (
            "bad.yaml:2: lanes[0].to_site: there is no site B\n"
            "bad.yaml:3: devices[0].site: there is no site C\n"
        ),
    )


def test_a_rule_that_would_stay_silent_is_refused(tmp_path: Path, shelfstream: Shelfstream) -> None:
    """Nothing raises an alert of its kind; the sentence has file and line, and the kinds."""
    text = "sites: [{site: A}]\nchannels: [{channel: duty, url_variable: X}]\nrules:\n"
    text += "  - {rule: a, channels: [duty], kinds: [stockout]}\n"
    text += "  - {rule: b, channels: [duty], kinds: [stockout, fire]}\n"
    (tmp_path / "rules.yaml").write_text(text)
    code, _, told = shelfstream("catalog", "load", "rules.yaml")
    assert code == 2
    assert told.startswith("rules.yaml:5: rules[1].kinds[1]: no alert is a fire; the kinds are ")
    assert told.count("\n") == 1


def test_a_misspelt_setting_is_refused(
    shelfstream: Shelfstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name is told, and Kafka is never asked."""
    monkeypatch.setenv("SHELFSTREAM_KAFKA_PASSWROD", "x")
    code, _, told = shelfstream("catalog", "show")
    assert (code, told) == (
        2,
        "SHELFSTREAM_KAFKA_PASSWROD: Extra inputs are not permitted\n",
    )


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file or directory"), ("no pem", "X509")]
)
def test_a_ca_file_that_is_none_is_a_refused_setting(
    content: str | None,
    reason: str,
    tmp_path: Path,
    shelfstream: Shelfstream,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The sentence names the setting and the file."""
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)
    monkeypatch.setenv("SHELFSTREAM_KAFKA_CA_FILE", str(ca_file))
    monkeypatch.setenv("SHELFSTREAM_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    code, _, told = shelfstream("catalog", "show")
    assert code == 2
    assert told.startswith(f"SHELFSTREAM_KAFKA_CA_FILE: {ca_file}: ")
    assert reason in told
    assert told.count("\n") == 1


def test_a_home_that_can_not_be_made_is_a_sentence(
    tmp_path: Path, shelfstream: Shelfstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the system refuses is told with the file's name."""
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    monkeypatch.setenv("SHELFSTREAM_HOME", str(in_the_way / "home"))
    monkeypatch.setattr(up, "install_parts", lambda _: None)
    code, _, told = shelfstream("up", "--no-apps")
    assert code == 2
    assert told == f"{in_the_way / 'home'}: Not a directory\n"


def test_errors_of_kafka_are_told_by_what_a_person_can_do() -> None:
    """One that can't be reached is to be started; of another the broker's reason is told."""
    assert cli.kafka_errors() == (KafkaError,)
    assert cli.kafka_sentence(KafkaConnectionError("x")) == cli.UNREACHABLE_SENTENCE
    refused = cli.kafka_sentence(TopicAuthorizationFailedError("shelfstream.inputs"))
    assert refused.startswith("Kafka could not do it: ")
    assert "shelfstream.inputs" in refused
