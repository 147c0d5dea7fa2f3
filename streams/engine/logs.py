"""JSON lines on stderr, for every process; also what libraries say, from warnings on."""

import logging
import sys
import time
from typing import Final

import structlog

_NOISY: Final = ("faust", "mode", "aiokafka")
_REPEAT_AFTER_S: Final = 10.0
_PLACES_MAX: Final = 1_000


class RepeatFilter(logging.Filter):
    """Lets one line of a place in a library's code through in ten seconds.

    Without it aiokafka writes hundreds of lines a second while a broker is away.
    """

    def __init__(self) -> None:
        """Begin with nothing said."""
        super().__init__()
        self._said_at_s: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether this place has been silent for long enough."""
        place = (record.pathname, record.lineno)
        now_s = time.monotonic()
        if now_s - self._said_at_s.get(place, float("-inf")) < _REPEAT_AFTER_S:
            return False
        if len(self._said_at_s) >= _PLACES_MAX:
            self._said_at_s.clear()
        self._said_at_s[place] = now_s
        return True


def configure_logs(level: int = logging.INFO) -> None:
    """Send our own log of `level` and the libraries' warnings to stderr, a JSON object a line."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RepeatFilter())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in _NOISY:
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.ERROR))  # a command may have silenced it
