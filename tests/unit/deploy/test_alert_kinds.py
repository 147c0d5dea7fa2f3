"""The kinds that a rule may name are those that the folds raise: no more, no fewer."""

import ast
from pathlib import Path

import streams.domain
from streams.contracts.alerts import ALERT_KINDS
from streams.contracts.state import BREACH_KINDS


def raised_kinds() -> set[str]:
    """Return the kinds written out where the stock fold raises alerts."""
    kinds: set[str] = set()
    for path in Path(str(streams.domain.__file__)).parent.glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "AlertRaised":
                [kind] = [word.value for word in call.keywords if word.arg == "kind"]
                kinds |= {str(n.value) for n in ast.walk(kind) if isinstance(n, ast.Constant)}
    return kinds


def test_every_kind_that_is_raised_can_be_named_in_a_rule() -> None:
    """Breaches carry their own kind; the others are written out in the fold."""
    assert set(ALERT_KINDS) == {*BREACH_KINDS, *raised_kinds()}
    assert len(set(ALERT_KINDS)) == len(ALERT_KINDS)
