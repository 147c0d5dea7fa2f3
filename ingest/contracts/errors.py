"""The errors that stop a process, drawn as a tree.

ShelfstreamError
├── SettingsError        a setting is unknown, missing or out of range
├── CatalogError         a catalogue file is refused, with file and line
├── FrameError           a Kafka record is no frame of ours
├── InstallationError    the installation on the broker is not the one expected
│   ├── PartitionCountError
│   ├── TopicIdentityError
│   └── LogGapError
├── DeliveryError        Kafka did not take a record in time
├── BridgeTakenError     another process serves this bridge's client id
├── FencedError          a newer owner has taken this partition
├── StalledError         a worker has had frames to read and got nowhere
├── StackError           a part of the local stack can't be installed or started
└── BenchError           a benchmark can't be measured

Refusals the business expects are values with a reason, never exceptions.
"""


class ShelfstreamError(Exception):
    """Base of every error that Shelfstream raises on purpose; its text is one sentence."""


class SettingsError(ShelfstreamError):
    """A setting is unknown, missing or out of range."""


class CatalogError(ShelfstreamError):
    """A catalogue file is refused; the text names file and line."""


class FrameError(ShelfstreamError):
    """A Kafka record is no frame this version can read."""


class InstallationError(ShelfstreamError):
    """What is on the broker is not the installation that was expected."""


class PartitionCountError(InstallationError):
    """A topic's partition count differs from the one the installation was made with."""


class TopicIdentityError(InstallationError):
    """A topic was deleted and made again since this state was written."""


class LogGapError(InstallationError):
    """The input log begins after the next offset that the state needs."""


class DeliveryError(ShelfstreamError):
    """Kafka refused a record or did not take it in time; the process must end."""


class BridgeTakenError(ShelfstreamError):
    """Another living process serves this bridge's client id; this one must end."""


class FencedError(ShelfstreamError):
    """A newer owner has taken this partition; this process must end."""


class StalledError(ShelfstreamError):
    """A worker has had frames to read and made no progress for too long."""


class StackError(ShelfstreamError):
    """A part of the local stack can't be installed or started; the text says what to do."""


class BenchError(ShelfstreamError):
    """A benchmark can't be measured; the text says which part and why."""
