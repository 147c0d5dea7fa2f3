"""Is a part ready? Each probe asks it as a client would, and answers yes or no."""

import asyncio
import http.client
import struct
from collections.abc import Awaitable, Callable
from typing import Final

from deploy.stack.plan import LOOPBACK

Probe = Callable[[], Awaitable[bool]]

PROBE_TIMEOUT_S: Final = 5.0
_CONNACK_BYTES: Final = 4
_CONNECT_CLEAN_WITH_LOGIN: Final = 0b1100_0010
_KEEP_ALIVE_S: Final = 10


async def answers_tcp(port: int) -> bool:
    """Tell whether somebody accepts connections on a loopback port."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            _, writer = await asyncio.open_connection(LOOPBACK, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def accepts_mqtt_login(port: int, username: str, password: str) -> bool:
    """Tell whether an MQTT broker on a loopback port accepts this login."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.write(connect_packet(username, password))
            answer = await reader.readexactly(_CONNACK_BYTES)
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
    writer.close()
    return answer[0] == 0x20 and answer[3] == 0  # noqa: PLR2004 - CONNACK, accepted


def connect_packet(username: str, password: str) -> bytes:
    """Return an MQTT 3.1.1 CONNECT with a login, a clean session and no client id."""
    words = (b"", username.encode(), password.encode())
    body = struct.pack(">H4sBBH", 4, b"MQTT", 4, _CONNECT_CLEAN_WITH_LOGIN, _KEEP_ALIVE_S)
    body += b"".join(struct.pack(">H", len(word)) + word for word in words)
    return bytes((0x10, len(body))) + body


async def answers_http(port: int, path: str) -> bool:
    """Tell whether a loopback port answers a GET of `path` with 200."""
    return await asyncio.to_thread(_get_is_ok, port, path)


def _get_is_ok(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
