"""Style is a test: lengths, docstrings, imports and excepts, as CONTRIBUTING.md says."""

import ast
import statistics
from collections.abc import Iterator

from tests.architecture.source_tree import FUNCTIONS, body_lines, modules

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
FUNCTION_LINES_P90_MAX = 30


def test_functions_are_short() -> None:
    """No function is longer than 60 lines, and nine in ten have at most 30."""
    lengths = {
        f"{module.name}.{function.name}": body_lines(function)
        for module in modules()
        for function in module.functions()
    }
    assert not {name: n for name, n in lengths.items() if n > FUNCTION_LINES_MAX}
    assert statistics.quantiles(lengths.values(), n=10)[-1] <= FUNCTION_LINES_P90_MAX


def test_modules_are_short() -> None:
    """No module is longer than 400 lines."""
    assert not {m.name: m.lines for m in modules() if m.lines > MODULE_LINES_MAX}


def test_everything_public_is_documented() -> None:
    """Modules, public classes and public functions have a docstring."""
    bare = [m.name for m in modules() if not ast.get_docstring(m.tree)]
    for module in modules():
        bare += [f"{module.name}.{name}" for name in _undocumented(module.tree)]
    assert not bare


def _undocumented(parent: ast.AST) -> Iterator[str]:
    """Yield public definitions without a docstring; a closure is explained by its function."""
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, (ast.ClassDef, *FUNCTIONS)):
            if not node.name.startswith("_") and not ast.get_docstring(node):
                yield node.name
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield from _undocumented(node)
        elif not isinstance(node, ast.expr):
            yield from _undocumented(node)


def test_every_test_says_what_it_guarantees() -> None:
    """Each test has a docstring."""
    bare = [
        f"{module.name}.{function.name}"
        for module in modules("tests")
        for function in module.functions()
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert not bare


def test_package_inits_are_empty() -> None:
    """A package's `__init__` holds a docstring and nothing else, so no cycle starts there."""
    full = [m.name for m in modules() if m.path.name == "__init__.py" and len(m.tree.body) != 1]
    assert not full


def test_broad_excepts_stand_only_in_mains() -> None:
    """`except Exception` is for the outermost loop of a main module."""
    broad = [
        f"{module.name}:{node.lineno}"
        for module in modules()
        if not module.path.name.endswith("main.py")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type)
    ]
    assert not broad


def _is_broad(caught: ast.expr | None) -> bool:
    return caught is None or (
        isinstance(caught, ast.Name) and caught.id in {"Exception", "BaseException"}
    )


def test_nothing_imports_tests() -> None:
    """The product never leans on its tests."""
    leaning = [m.name for m in modules() if any(i.split(".")[0] == "tests" for i in m.imports())]
    assert not leaning


def test_there_is_no_import_cycle() -> None:
    """Modules import each other in one direction."""
    known = {m.name for m in modules()}
    graph = {m.name: {i for i in m.imports() if i in known and i != m.name} for m in modules()}
    done: set[str] = set()
    path: list[str] = []

    def visit(name: str) -> None:
        assert name not in path, f"cycle: {[*path[path.index(name) :], name]}"
        if name in done:
            return
        path.append(name)
        for other in sorted(graph[name]):
            visit(other)
        path.pop()
        done.add(name)

    for name in sorted(graph):
        visit(name)
