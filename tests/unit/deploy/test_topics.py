"""Topics as code, the installation's record, and the probe of the MQTT broker."""

import pytest

from deploy.commands.topics import kept
from deploy.stack.installation import check_installation
from deploy.stack.probes import connect_packet
from deploy.topics import check_partition_counts
from ingest.contracts.errors import InstallationError, PartitionCountError
from ingest.contracts.reference import Installation
from ingest.contracts.topics import CATALOG, INPUTS, TOPICS

RECORD = Installation(installation_id="here", partition_count=4, time="wall", created_at_ms=1)


def test_absent_topics_and_equal_counts_pass() -> None:
    """Only a differing count is refused; a single-partition topic never follows the count."""
    check_partition_counts(TOPICS, 4, {INPUTS.name: 4, CATALOG.name: 1, "another": 7})


def test_a_differing_count_is_refused() -> None:
    """The sentence names the topic and both counts."""
    with pytest.raises(PartitionCountError, match=r"inputs has 3 partitions.*expects 4"):
        check_partition_counts(TOPICS, 4, {INPUTS.name: 3})


@pytest.mark.parametrize(
    ("field", "value"), [("installation_id", "there"), ("partition_count", 8), ("time", "driven")]
)
def test_another_installation_is_refused(field: str, value: object) -> None:
    """Identity, count and time must agree; when it was made need not."""
    check_installation(RECORD.model_copy(update={"created_at_ms": 2}), RECORD)
    with pytest.raises(InstallationError, match="the installation on the broker has"):
        check_installation(RECORD.model_copy(update={field: value}), RECORD)


def test_retention_is_told_in_words() -> None:
    """Days, or what compaction means."""
    assert kept(INPUTS) == "35 days"
    assert kept(CATALOG) == "newest of a key"


def test_the_login_probe_is_a_proper_connect() -> None:
    """Fixed header, MQTT 3.1.1, clean session with login, empty client id."""
    packet = connect_packet("me", "pw")
    assert packet == b"\x10\x14\x00\x04MQTT\x04\xc2\x00\x0a\x00\x00\x00\x02me\x00\x02pw"
