"""The bridge process's loop: how it waits, and how it ends."""

import signal
import time
from dataclasses import dataclass, field

import pytest
import structlog

from ingest import main
from ingest.main import WAIT_BUSY_S, WAIT_IDLE_S, Stop
from ingest.settings import BridgeSettings
from tests.unit.ingest.doubles import FakeSink, Rig, as_json, scan

SCANS = "stock/v1/oslo/scale-1/scans"
ACCEPTED = "stock/v1/oslo/scale-1/accepted"


class Asked(Stop):
    """A wish to end that listens to no signal."""

    def __init__(self) -> None:
        """Begin with no wish."""
        self.asked = False


@dataclass
class Script:
    """Stands where the socket is waited on: the n-th wait does the n-th thing."""

    steps: list[object]
    waits_s: list[float] = field(default_factory=list)

    def wait(self, timeout_s: float) -> None:
        """Note the time and do the next thing."""
        self.waits_s.append(timeout_s)
        step = self.steps.pop(0) if self.steps else None
        if callable(step):
            step()


def test_what_was_taken_is_finished_after_the_signal() -> None:
    """Kafka answers after the wish to end: acknowledged, told, and nothing new is taken."""
    rig, stop = Rig(sink=FakeSink(at_once=False)), Asked()
    rig.source.put(SCANS, as_json(scan(1)))

    def ask() -> None:
        stop.asked = True
        rig.source.put(SCANS, as_json(scan(2)))

    script = Script([ask, None, lambda: rig.sink.flush(0)])
    main._serve(rig.bridge, script, stop)
    assert rig.source.acknowledged == [1]
    assert rig.receipts(ACCEPTED) == [("b1", 1, 1)]
    assert len(rig.source.waiting) == 1
    assert rig.bridge.idle


def test_an_answer_that_never_comes_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """With Kafka gone the process ends in time, and MQTT delivers the message again."""
    monkeypatch.setattr(main, "CLOSE_S_MAX", 0.01)
    rig, stop = Rig(sink=FakeSink(at_once=False)), Asked()
    rig.source.put(SCANS, as_json(scan(1)))
    rig.bridge.step()
    stop.asked = True
    main._serve(rig.bridge, Script([]), stop)
    assert rig.source.acknowledged == []
    assert not rig.bridge.idle


def test_an_idle_bridge_waits_longer() -> None:
    """With messages in flight it looks after Kafka's answers often."""
    rig, stop = Rig(sink=FakeSink(at_once=False)), Asked()

    def put() -> None:
        rig.source.put(SCANS, as_json(scan(1)))

    def end() -> None:
        stop.asked = True
        rig.sink.at_once = True

    script = Script([put, end])
    main._serve(rig.bridge, script, stop)
    assert script.waits_s[:2] == [WAIT_IDLE_S, WAIT_BUSY_S]


def test_a_light_step_lets_more_gather(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bridge sleeps a little after a step that took few bytes, not after a full one."""
    slept_s: list[float] = []
    monkeypatch.setattr(time, "sleep", slept_s.append)
    for payload, paces in ((as_json(scan(1)), 1), (b"x" * main.PACED_BYTES, 0)):
        rig, stop = Rig(sink=FakeSink(at_once=False)), Asked()
        rig.source.put(SCANS, payload)
        slept_s.clear()
        main._serve(rig.bridge, Script([lambda stop=stop: setattr(stop, "asked", True)]), stop)
        assert slept_s == [main.PACE_S] * paces


def test_both_signals_ask_to_end() -> None:
    """SIGTERM from the supervisor and SIGINT from a person; nothing is cut short."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        for number in handlers:
            stop = Stop()
            assert not stop.asked
            signal.raise_signal(number)
            assert stop.asked
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def test_settings_become_limits() -> None:
    """What a person set is what the bridge holds at most."""
    limits = BridgeSettings(messages_in_flight_max=7, frames_in_flight_max=3).limits
    assert (limits.messages_in_flight_max, limits.frames_in_flight_max) == (7, 3)


def test_a_bad_setting_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The process ends with 1 before it touches a broker."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    monkeypatch.setenv("SHELFSTREAM_HOME", "/nowhere")
    monkeypatch.setenv("SHELFSTREAM_BRIDGE_SLICE", "2/2")
    try:
        assert main.main() == 1
    finally:
        structlog.reset_defaults()  # main has pointed it at this test's stderr
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert "a slice is i/n with i < n" in capsys.readouterr().err
