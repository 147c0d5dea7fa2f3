"""What the supervisor runs, as data, and what it knows of each while it runs."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from ingest.contracts.errors import StackError

GRACE_S_DEFAULT: Final = 10.0
READY_TIMEOUT_S_DEFAULT: Final = 60.0

PartStatus = Literal[
    "waiting", "starting", "running", "backing off", "done", "failed", "left out", "stopped"
]

READY: Final[frozenset[PartStatus]] = frozenset({"running", "done"})
SETTLED: Final[frozenset[PartStatus]] = READY | {"left out"}


@dataclass(frozen=True, kw_only=True)
class Part:
    """One process: how it is started, what it needs first, how one sees that it is ready."""

    name: str
    argv: Sequence[str]
    log: Path
    needs: Sequence[str] = ()
    """Names of the parts that must be ready before it starts, also before it starts again."""
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    prepare: Callable[[], None] | None = None
    """Blocking work before each start; raises ShelfstreamError."""
    probe: Callable[[], Awaitable[bool]] | None = None
    """None: ready as soon as it runs."""
    on_ready: Callable[[], Awaitable[bool]] | None = None
    """Work after it became ready and before others see it so; False starts it again.

    A ShelfstreamError ends the stack, or an optional part for good.
    """
    is_task: bool = False
    """A task ends by itself, once; whoever needs it waits for that."""
    is_optional: bool = False
    """The stack counts as ready without it."""
    left_out: str = ""
    """Why it is not started at all, in one sentence; empty for a part that is."""
    grace_s: float = GRACE_S_DEFAULT
    """How long it may take to end after a SIGTERM."""
    ready_timeout_s: float = READY_TIMEOUT_S_DEFAULT


@dataclass(kw_only=True)
class PartState:
    """What the supervisor knows of one part."""

    name: str
    status: PartStatus = "waiting"
    pid: int | None = None
    restarts: int = 0
    port: int | None = None
    log: str = ""
    note: str = ""
    """The newest thing to say about it, one sentence or empty."""


def in_levels(parts: Sequence[Part]) -> list[list[Part]]:
    """Return the parts in levels: each needs only parts of earlier levels.

    Raises:
        StackError: A part needs one that is not there, or two need each other.
    """
    rest = {part.name: part for part in parts}
    placed: set[str] = set()
    levels: list[list[Part]] = []
    while rest:
        level = [part for part in rest.values() if placed.issuperset(part.needs)]
        if not level:
            raise StackError(f"the process table is in a knot: {', '.join(sorted(rest))}")
        levels.append(level)
        placed.update(part.name for part in level)
        for part in level:
            del rest[part.name]
    return levels


def chosen(parts: Sequence[Part], names: Iterable[str]) -> list[Part]:
    """Return the named parts and all they need, in the table's order.

    Raises:
        StackError: A name is not in the table.
    """
    by_name = {part.name: part for part in parts}
    wanted: set[str] = set()
    open_names = list(names)
    while open_names:
        name = open_names.pop()
        if name not in by_name:
            raise StackError(f"{name} is no process: there are {', '.join(by_name)}")
        if name not in wanted:
            wanted.add(name)
            open_names.extend(by_name[name].needs)
    return [part for part in parts if part.name in wanted]
