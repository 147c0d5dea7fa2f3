"""How aiokafka's clients log in and end, and the one question that aiokafka can't ask."""

import asyncio
import contextlib
import ssl
import uuid
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any, Final, TypeVar

import aiokafka
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from ingest.contracts.errors import InstallationError, SettingsError
from ingest.contracts.settings import KafkaSettings

FETCH_PARTITION_BYTES_MAX: Final = 8 * 1024 * 1024
RECORDS_READ_MAX: Final = 50_000
"""Records that one poll of a bulk reader returns at most."""
REQUEST_BYTES_MAX: Final = 4 * 1024 * 1024


def client_options(kafka: KafkaSettings) -> dict[str, Any]:
    """Return the keyword arguments with which any aiokafka client connects and logs in.

    Raises:
        SettingsError: The file of certificate authorities can't be read.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": kafka.bootstrap,
        "security_protocol": kafka.security_protocol,
    }
    if kafka.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = kafka.sasl_mechanism
        options["sasl_plain_username"] = kafka.username
        options["sasl_plain_password"] = kafka.password.get_secret_value()
    if kafka.security_protocol.endswith("SSL"):
        try:
            options["ssl_context"] = ssl.create_default_context(cafile=kafka.ca_file)
        except OSError as error:
            detail = error.strerror or error
            raise SettingsError(f"SHELFSTREAM_KAFKA_CA_FILE: {kafka.ca_file}: {detail}") from error
    return options


ClientT = TypeVar("ClientT", aiokafka.AIOKafkaConsumer, aiokafka.AIOKafkaProducer)


async def started(client: ClientT) -> ClientT:
    """Start one of aiokafka's clients and return it; one that can't start is closed.

    aiokafka leaves that to its caller, and complains of it when the client is collected.

    Raises:
        KafkaError: The broker does not answer, or refuses the login.
    """
    async with contextlib.AsyncExitStack() as undo:
        undo.push_async_callback(ended, client)
        await client.start()
        undo.pop_all()
    return client


async def ended(client: ClientT) -> None:
    """Stop one of aiokafka's clients, a consumer also while its broker is away.

    A consumer that pauses after a failed fetch cancels its own pause in `stop`, lets that out half
    way, and keeps its connections: it would pass for a cancellation of the task that calls.
    """
    try:
        await client.stop()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling() or isinstance(client, aiokafka.AIOKafkaProducer):
            raise
        await client._client.close()  # noqa: SLF001 - a second `stop` would do nothing


@contextlib.asynccontextmanager
async def connected(client: ClientT) -> AsyncIterator[ClientT]:
    """Give a started client and stop it at the end; the errors are those of `started`."""
    await started(client)
    try:
        yield client
    finally:
        await ended(client)


class _Uuid:
    """Sixteen bytes; aiokafka has no such type."""

    @classmethod
    def encode(cls, value: uuid.UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> uuid.UUID:
        return uuid.UUID(bytes=data.read(16))

    @classmethod
    def repr(cls, value: uuid.UUID) -> str:
        return str(value)


class _MetadataResponse(Response):  # type: ignore[misc] # aiokafka has no types
    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class _MetadataRequestStruct(RequestStruct):  # type: ignore[misc] # aiokafka has no types
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 10
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic_id", _Uuid), ("topic", CompactString("utf-8")), ("tags", TaggedFields)
            ),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataRequestStruct]):  # type: ignore[misc] # no types
    """Metadata in the version that tells topic ids; aiokafka's own stops at 5."""

    API_KEY = 3

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[_MetadataRequestStruct]) -> _MetadataRequestStruct:
        named: list[tuple[uuid.UUID, str, dict[int, bytes]]] = [(uuid.UUID(int=0), self._topic, {})]
        return request_struct_class(named, False, False, False, {})


async def topic_identity(client: aiokafka.AIOKafkaClient, topic: str) -> tuple[str, int]:
    """Return a topic's id and how many partitions it has, as the broker says now.

    Raises:
        InstallationError: There is no such topic.
    """
    response = await client.send(client.get_random_node(), _MetadataRequest(topic))
    error_code, _, topic_id, _, partitions, _, _ = response.topics[0]
    if error_code:
        raise InstallationError(f"Kafka has no topic {topic} (error {error_code})")
    return str(topic_id), len(partitions)
