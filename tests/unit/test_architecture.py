"""The house stands as drawn: who may import whom, and what no module may do."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("acquire", "dataset", "model", "sync")
ALLOWED = {
    "dataset": {"dataset"},
    "acquire": {"acquire", "dataset"},
    "sync": {"sync", "dataset"},
    "model": {"model", "dataset"},
}


@cache
def modules(room: str) -> tuple[tuple[Path, ast.Module], ...]:
    paths = sorted((ROOT / room).rglob("*.py"))
    return tuple((path, ast.parse(path.read_text(encoding="utf-8"))) for path in paths)


def imported_rooms(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module]
        else:
            continue
        for name in names:
            top = name.partition(".")[0]
            if top in ROOMS:
                yield node.lineno, top


@pytest.mark.parametrize("room", ROOMS)
def test_imports_flow_one_way(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {other}"
        for path, tree in modules(room)
        for line, other in imported_rooms(tree)
        if other not in ALLOWED[room]
    ]
    assert wrong == []


@cache
def import_graph() -> dict[str, set[str]]:
    """Return for each module those it imports, also inside functions and for types alone."""
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): tree
        for room in ROOMS
        for path, tree in modules(room)
    }
    graph: dict[str, set[str]] = {}
    for module, tree in names.items():
        found: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
        graph[module] = {other for other in found if other in names and other != module}
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import one another, by Tarjan's strongly connected components."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = low[module] = len(order)
        stack.append(module)
        for other in sorted(graph[module]):
            if other not in order:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], order[other])
        if low[module] == order[module]:
            members = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(members) > 1:
                found.append(sorted(members))

    for module in sorted(graph):
        if module not in order:
            visit(module)
    return found


def test_a_circle_would_be_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": set()}) == [["a", "b", "c"]]


def test_no_modules_import_one_another() -> None:
    graph = import_graph()
    packages = {module for module in graph if any(other.startswith(f"{module}.") for other in graph)}
    # a package's own __init__ may gather names from its modules
    assert circles({m: {o for o in others if o not in packages} for m, others in graph.items()}) == []


#: The only ways into the virtual rig: ``--rig virtual`` and ``mia-record simulate``.
VIRTUAL_DOORS = {"acquire.open_rig", "acquire.cli"}


def test_nothing_below_the_virtual_rig_imports_it() -> None:
    wrong = {
        module
        for module, others in import_graph().items()
        if not module.startswith("acquire.virtual") and any(o.startswith("acquire.virtual") for o in others)
    }
    assert wrong == VIRTUAL_DOORS


#: From the lowest room of ``sync`` up: none imports one to its right, and the types of a recording know no fit.
SYNC_LAYERS = ("sync.clock", "sync.events", "sync.recording_types", "sync.fit", "sync.quality", "sync.report")


@pytest.mark.parametrize("below", SYNC_LAYERS)
def test_the_rooms_of_sync_import_only_those_below_them(below: str) -> None:
    above = SYNC_LAYERS[SYNC_LAYERS.index(below) + 1 :]
    wrong = [
        f"{module} imports {other}"
        for module, others in import_graph().items()
        if module.startswith(below)
        for other in sorted(others)
        if other.startswith(above)
    ]
    assert wrong == []


def stated_imports(package: str) -> set[str] | None:
    """Return what a folder's docstring says it may import of its own top-level package; None where it says all."""
    tree = ast.parse((ROOT / package.replace(".", "/") / "__init__.py").read_text(encoding="utf-8"))
    words = " ".join((ast.get_docstring(tree) or "").split())
    says = re.search(r"(May import|Imports nothing else of) .*", words)
    assert says is not None, f"{package}/__init__.py does not say what it may import"
    if says[0].startswith("Imports"):
        return set()
    if says[0].startswith("May import all"):
        return None
    return set(re.findall(r"`([a-z0-9_.]+)`", says[0].partition(";")[0]))


FOLDERS = sorted(
    ".".join(path.parent.relative_to(ROOT).parts)
    for room in ROOMS
    for path in (ROOT / room).rglob("__init__.py")
    if path.parent.name not in (*ROOMS, "repertoire")
)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_imports_what_it_says_and_no_more(folder: str) -> None:
    stated = stated_imports(folder)
    if stated is None:
        return
    top = folder.partition(".")[0]
    wrong = [
        f"{module} imports {other}"
        for module, others in import_graph().items()
        if module == folder or module.startswith(f"{folder}.")
        for other in sorted(others)
        if other.startswith(f"{top}.")
        and not f"{other}.".startswith(f"{folder}.")
        and not any(f"{other}.".startswith(f"{may}.") for may in stated)
        and not any(o.startswith(f"{other}.") for o in others)  # the package on the way to a module
    ]
    assert wrong == []


def test_a_reader_of_align_passes_at_most_twelve_modules() -> None:
    graph = import_graph()
    packages = {module for module in graph if any(other.startswith(f"{module}.") for other in graph)}
    assert len({m for m in graph["sync.align"] - packages if m.startswith("sync.")}) <= 12


@pytest.mark.parametrize("room", ROOMS)
def test_libraries_neither_print_nor_assert(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in modules(room)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert)
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print")
        or (isinstance(node, ast.ExceptHandler) and node.type is None)
    ]
    assert wrong == []


#: Functions that parse JSON or TOML; dataset.support.parsing alone may call them, and it bounds what they accept.
PARSERS = {f"json.{name}" for name in ("load", "loads", "JSONDecoder")} | {"tomllib.load", "tomllib.loads"}
PARSERS |= {"pd.read_json", "yaml.load", "pickle.load", "pickle.loads"}


@pytest.mark.parametrize("room", ROOMS)
def test_json_and_toml_have_one_reader(room: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in modules(room)
        if path != ROOT / "dataset/support/parsing.py"
        for node in ast.walk(tree)
        if (isinstance(node, ast.ImportFrom) and node.module in ("json", "tomllib", "pickle"))
        or (isinstance(node, ast.Attribute) and (ast.unparse(node) in PARSERS or node.attr == "model_validate_json"))
    ]
    assert wrong == []


def test_the_host_clock_has_one_source() -> None:
    """`acquire` takes no time but from dataset.support.clock: two clocks in one capture would never be found again."""
    forbidden = {"perf_counter_ns", "monotonic_ns", "time_ns"}
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno} uses {node.attr}"
        for path, tree in modules("acquire")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in forbidden
    ]
    assert wrong == []


#: Past six parameters a function takes one frozen settings object, from the command line on.
MOST_PARAMETERS = 6


def long_signatures() -> list[str]:
    found = []
    for room in (*ROOMS, "benchmarks", "scripts"):
        for path, tree in modules(room):
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    given = node.args
                    names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
                    names += [a.arg for a in (given.vararg, given.kwarg) if a]
                    if len([n for n in names if n not in ("self", "cls")]) > MOST_PARAMETERS:
                        found.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    return found


def test_no_function_takes_more_than_six_parameters() -> None:
    assert long_signatures() == []


def test_the_session_page_is_made_from_the_schema() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "scripts/session_docs.py"], capture_output=True, text=True, check=True
    )
    assert (ROOT / "docs/session.md").read_text(encoding="utf-8") == made.stdout
