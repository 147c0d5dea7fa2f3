"""The way between a simulated process and a broker: delay, order, and loss when an end dies.

Requests of one link arrive in the order in which they were sent, each some time later, and the
answers come back some time after that. When the process is killed, or the broker, what was on its
way arrives up to a point that the seed chooses: a request may have its effect with nobody left to
hear of it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from random import Random
from typing import Any, Final, Generic, TypeVar

from ingest.contracts.errors import ShelfstreamError

ResultT = TypeVar("ResultT")

REFUSALS: Final = (ShelfstreamError, LookupError)
"""What a broker may answer instead of a result."""


class BrokerGoneError(ConnectionError):
    """The broker went away; whether the request had its effect is not known."""


@dataclass(slots=True, eq=False)
class _Request(Generic[ResultT]):
    act: Callable[[], ResultT]
    answer: "asyncio.Future[ResultT]"


class Link:
    """One connection; to be made in the process that sends on it."""

    def __init__(self, rng: Random | None = None, delay_ms_max: int = 0) -> None:
        """Take how long a way may take, in milliseconds; without `rng` there is no delay."""
        self._rng = rng
        self._delay_ms_max = delay_ms_max
        self._waiting: deque[_Request[Any]] = deque()
        self._unanswered: dict[asyncio.Future[Any], None] = {}
        self._arrives_at_s = 0.0
        self.open = True

    async def request(self, act: Callable[[], ResultT]) -> ResultT:
        """Have `act` done at the broker and return what it returned.

        Raises:
            BrokerGoneError: The link is down, or went down meanwhile.
            ShelfstreamError: What the broker refused the request with.
        """
        return await self.send(act)

    def send(self, act: Callable[[], ResultT]) -> "asyncio.Future[ResultT]":
        """Send a request without waiting; the future hears of the answer.

        Raises:
            BrokerGoneError: The link is down.
        """
        if not self.open:
            raise BrokerGoneError("no connection to the broker")
        loop = asyncio.get_running_loop()
        request = _Request(act, loop.create_future())
        self._waiting.append(request)
        self._unanswered[request.answer] = None
        request.answer.add_done_callback(self._answered, context=Context())
        self._arrives_at_s = max(self._arrives_at_s, loop.time() + self._delay_s())
        loop.call_at(self._arrives_at_s, self._arrive, context=Context())
        return request.answer

    def post(
        self,
        act: Callable[[], object],
        on_answer: Callable[[Exception | None], None] | None = None,
    ) -> None:
        """Send a request from code that never waits; at once where the link has no delay.

        `on_answer` hears None, or the error.

        Raises:
            BrokerGoneError: The link is down.
        """
        tell = on_answer if on_answer is not None else _ignore
        if self._rng is not None:
            self.send(act).add_done_callback(lambda answer: tell(_error(answer)))
        elif self.open:
            try:
                act()
            except REFUSALS as error:
                tell(error)
            else:
                tell(None)
        else:
            raise BrokerGoneError("no connection to the broker")

    def flush(self) -> None:
        """Let all that was sent arrive now, as when the sender waits for it."""
        while self._waiting:
            self._arrive()

    def cut(self) -> None:
        """Break the link: of what is on its way a prefix arrives, and nobody is answered."""
        if not self.open:
            return
        self.open = False
        waiting = list(self._waiting)
        self._waiting.clear()
        arriving = self._rng.randint(0, len(waiting)) if self._rng is not None else 0
        for number, request in enumerate(waiting):
            if number < arriving and not _done(request):
                break  # an error ends the connection for what follows
        for answer in list(self._unanswered):
            _settle(answer, None, BrokerGoneError("the connection broke"))

    def _answered(self, answer: "asyncio.Future[Any]") -> None:
        self._unanswered.pop(answer, None)

    def _arrive(self) -> None:
        if not self.open or not self._waiting:
            return
        request = self._waiting.popleft()
        loop = asyncio.get_running_loop()
        try:
            result = request.act()
        except REFUSALS as error:
            loop.call_later(
                self._delay_s(), _settle, request.answer, None, error, context=Context()
            )
        else:
            loop.call_later(
                self._delay_s(), _settle, request.answer, result, None, context=Context()
            )

    def _delay_s(self) -> float:
        if self._rng is None or not self._delay_ms_max:
            return 0.0
        return self._rng.randint(0, self._delay_ms_max) / 1000


def _done(request: _Request[Any]) -> bool:
    try:
        request.act()
    except REFUSALS:
        return False
    return True


def _settle(answer: "asyncio.Future[Any]", result: object, error: Exception | None) -> None:
    if answer.done():
        return
    if error is not None:
        answer.set_exception(error)
        answer.exception()  # nobody may be left to ask
    else:
        answer.set_result(result)


def _ignore(_error_or_none: Exception | None) -> None:
    return


def _error(answer: "asyncio.Future[Any]") -> Exception | None:
    error = None if answer.cancelled() else answer.exception()
    return error if isinstance(error, Exception) else None
