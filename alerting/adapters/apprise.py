"""Sender by apprise: any of its URLs (WeCom, DingTalk, mail, webhook, ...)."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import apprise

from alerting.ports import SendError
from streams.contracts.alerts import Delivery, Severity

FILE_PREFIX: Final = "file:"
_REASON_LENGTH_MAX: Final = 500
_TYPES: Final[dict[Severity, apprise.NotifyType]] = {
    "info": apprise.NotifyType.INFO,
    "warning": apprise.NotifyType.WARNING,
    "critical": apprise.NotifyType.FAILURE,
}


class AppriseSender:
    """Sends by the URL that a channel's `url_variable` names.

    A channel has one thread: an attempt that hangs past its time-out keeps only its own channel
    waiting. Apprise's own time-outs (4 s to connect, 4 s to read) end it.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Take the environment that holds the URLs; files are read at every message."""
        self._environ = environ
        self._threads: dict[str, ThreadPoolExecutor] = {}

    async def send(self, delivery: Delivery) -> None:
        """Send one message; the last line of its text is its id.

        Raises:
            SendError: There is no such URL, or the other side did not take the message.
        """
        url = await asyncio.to_thread(self._url, delivery.url_variable)
        threads = self._threads.get(delivery.channel)
        if threads is None:
            threads = ThreadPoolExecutor(1, thread_name_prefix=f"channel-{delivery.channel}")
            self._threads[delivery.channel] = threads
        await asyncio.get_running_loop().run_in_executor(threads, _notify, url, delivery)

    def close(self) -> None:
        """Let the threads end when they can; nothing new is sent."""
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)

    def _url(self, variable: str) -> str:
        if variable.startswith(FILE_PREFIX):
            path = Path(variable.removeprefix(FILE_PREFIX))
            try:
                return path.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise SendError(f"{path} can't be read: {error.strerror}") from error
        url = self._environ.get(variable, "")
        if not url:
            raise SendError(f"the environment variable {variable} is not set", permanent=True)
        return url


def _notify(url: str, delivery: Delivery) -> None:
    service = apprise.Apprise()
    if not service.add(url):  # the URL holds a secret: it is never part of a reason
        raise SendError(
            f"what {delivery.url_variable} holds is no URL that apprise knows", permanent=True
        )
    result = service.notify(
        title=delivery.title,
        body=f"{delivery.body}\n{delivery.delivery_id}",
        notify_type=_TYPES[delivery.severity],
    )
    if not result:
        reasons = "; ".join(entry.message for entry in result.logs())
        raise SendError(reasons[:_REASON_LENGTH_MAX] or "apprise gave no reason")
