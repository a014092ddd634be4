"""Every action that the code can write to the trail has a sentence."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.apps import apps

from audit.sentences import SENTENCES

ROOT = Path(__file__).parents[2]
ROOMS = [
    "access",
    "api",
    "approvals",
    "archives",
    "audit",
    "config",
    "jobs",
    "lineage",
    "monitoring",
    "notifications",
    "reprocessing",
    "warehouse",
]
# modules whose calls take the action from an argument or a name, and what they can write
NAMED = {
    "approvals/rule_versions.py": ["rule added", "rule changed", "rule removed", "rules reordered"],
    "archives/acts.py": ["archive is damaged", "archive verified"],
    "archives/recovery_upkeep.py": ["drill overdue"],
    "archives/cooling.py": ["cold archive is damaged", "cold archive verified"],
    "audit/transitions.py": [],  # states: see test_every_state
    "jobs/submission.py": [],  # "asked by …": telling.sentence() has it
    "monitoring/alerts/rules.py": ["alert rule created", "alert rule changed"],
    "reprocessing/askers.py": [
        f"{kind} {did}" for kind in ("schedule", "trigger") for did in ("created", "changed", "deleted")
    ],
    "reprocessing/rolling_back.py": [
        f"rollback {state}" for state in ("previewed", "partial", "failed", "cancelled", "rejected", "quarantined")
    ],
}


def _sources() -> Iterator[tuple[str, ast.Module]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def _constants(tree: ast.Module) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            names, values = node.targets[0], node.value
            if isinstance(names, ast.Name):
                pairs: list[tuple[ast.expr, ast.expr]] = [(names, values)]
            elif isinstance(names, ast.Tuple) and isinstance(values, ast.Tuple):
                pairs = list(zip(names.elts, values.elts, strict=False))
            else:
                continue
            found |= {
                n.id: v.value
                for n, v in pairs
                if isinstance(n, ast.Name) and isinstance(v, ast.Constant) and isinstance(v.value, str)
            }
    return found


def _named(call: ast.Call) -> ast.expr | None:
    """The action that a call of the trail's or the warehouse's writer is given."""
    function = call.func
    if isinstance(function, ast.Name) and function.id in ("record", "write") and len(call.args) >= 3:
        return call.args[1]
    if ast.unparse(function) in ("journal.effect", "self._note") and len(call.args) >= 4:
        return call.args[2]
    return None


def _either(named: ast.expr) -> list[ast.expr]:
    """What stands in the branches of a conditional expression."""
    return [*_either(named.body), *_either(named.orelse)] if isinstance(named, ast.IfExp) else [named]


def _written() -> tuple[set[str], set[str]]:
    """The actions that calls name, and the modules with calls that name them another way."""
    actions: set[str] = set()
    others = set()
    for path, tree in _sources():
        known = _constants(tree)
        for node in ast.walk(tree):
            named = _named(node) if isinstance(node, ast.Call) else None
            for part in _either(named) if named else ():
                if isinstance(part, ast.Constant):
                    actions.add(str(part.value))
                elif isinstance(part, ast.Name) and part.id in known:
                    actions.add(known[part.id])
                else:
                    others.add(path)
            if isinstance(node, ast.Constant) and "INTO restage.effects (" in str(node.value):
                actions |= set(re.findall(r"VALUES \((?:%s, )?'([^']+)'", str(node.value)))
    return actions, others


def test_every_action_that_a_call_names_has_a_sentence() -> None:
    actions, _ = _written()
    assert len(actions) > 80
    assert sorted(actions - set(SENTENCES)) == []


def test_calls_that_name_no_action_are_listed_here() -> None:
    _, others = _written()
    assert sorted(others) == sorted(NAMED)
    assert [action for actions in NAMED.values() for action in actions if action not in SENTENCES] == []


def test_every_state_has_a_sentence() -> None:
    """move() names an action by the model and the state."""
    models = [
        model for model in apps.get_models() if hasattr(model, "State") and model.__module__.split(".")[0] in ROOMS
    ]
    told = [f"{model._meta.verbose_name} {state}" for model in models for state in model.State.values]
    assert len(told) > 40
    assert [action for action in told if action not in SENTENCES] == []
