"""`python -m tests.integration.broken_worker ERROR`: the stock worker with an error in its fold.

The engine, the topics and the rest of the pipeline are the real ones; only the fold is wrong, in
one of the ways a fold may be. `verify` has to notice each.
"""

import os
import sys
from dataclasses import replace

import msgspec

from ingest.contracts.settings import InstallationSettings, KafkaSettings, load
from ingest.contracts.topics import MOVEMENTS
from ingest.frames import INPUT_FRAMES, ScanInput
from streams.contracts.ledger import MOVEMENT_FRAMES
from streams.domain.fold import StockFold
from streams.engine.fold import Changes
from streams.engine.logs import configure_logs
from streams.engine.settings import EngineSettings
from streams.engine.worker import run_worker
from streams.stock import stock_spec

EVERY = 97
"""One in so many scans is treated wrongly."""


class MiscountingFold(StockFold):
    """Books one unit too much of some scans: table and ledger agree, and both are wrong."""

    scans = 0

    def fold(self, value: bytes) -> None:
        """Fold a frame in which some scans say one unit more."""
        frame = INPUT_FRAMES.decode(value)
        items = []
        for item in frame.items:
            wrong = item
            if isinstance(item, ScanInput):
                self.scans += 1
                if self.scans % EVERY == 0:
                    wrong = msgspec.structs.replace(item, quantity_units=item.quantity_units + 1)
            items.append(wrong)
        super().fold(
            INPUT_FRAMES.encode(
                items,
                received_at_ms=frame.received_at_ms,
                reference_version=frame.reference_version,
            )
        )


class ForgettingFold(StockFold):
    """Leaves some movements out of the ledger; the table is right."""

    written = 0

    def drain(self) -> Changes:
        """Return the changes without every so many-th movement."""
        changes = super().drain()
        outputs = []
        for output in changes.outputs:
            kept = output
            if output.topic == MOVEMENTS.name:
                frame = MOVEMENT_FRAMES.decode(output.value)
                items = []
                for item in frame.items:
                    self.written += 1
                    if self.written % EVERY:
                        items.append(item)
                value = MOVEMENT_FRAMES.encode(items, received_at_ms=frame.received_at_ms)
                kept = replace(output, value=value)
            outputs.append(kept)
        return Changes(state=changes.state, outputs=outputs)


BROKEN = {"miscounting": MiscountingFold, "forgetting": ForgettingFold}

if __name__ == "__main__":
    configure_logs()
    environ = os.environ  # noqa: TID251 - a main
    sys.exit(
        run_worker(
            replace(stock_spec(), create=BROKEN[sys.argv[1]]),
            load(KafkaSettings, environ),
            load(EngineSettings, environ),
            load(InstallationSettings, environ),
        )
    )
