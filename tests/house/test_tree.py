"""The shape of the tree: small folders without import cycles, packages entered by their fronts, short files and functions.

A measure is a function of a `Tree`. It returns one text for each place beyond its limit, and the text begins with the
file or folder to edit. Each measure also runs on a small tree into which a violation of it was planted.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.tree import PACKAGES, ROOT, Function, Module, committed_files, modules

MAX_ENTRIES = 14  # modules and packages of one folder of the product
MAX_TEST_ENTRIES = 30  # of one folder of tests
MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 60  # its signature and docstring not counted
MIN_FRONT_WORDS = 8  # of a front's docstring, its module list not counted
FRONT = "__init__.py"
NOT_COUNTED = {FRONT, "conftest.py"}
NOT_LISTED = {"__main__"}  # it is run, and imported by nobody

# packages that need an extra of pyproject.toml, and the libraries that extras install
NEED_AN_EXTRA = ("engine.server", "engine.backends.spark")
LIBRARIES_OF_EXTRAS = (
    "IPython", "fastapi", "google.protobuf", "jwt", "limits", "matplotlib", "pandas", "polars", "prometheus_client",
    "psycopg", "pyarrow.flight", "pydantic", "pydantic_settings", "pyspark", "starlette", "structlog", "uvicorn",
    "xlsxwriter",
)  # fmt: skip

MODULE_LIST = re.compile(r"^Modules, each before those that import it:\n\n(.+?)(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)
PAGES = ("CONTRIBUTING.md", "TRUSTED.md", "docs/architecture.md")
NAMED_PATH = re.compile(r"(?<![\w/-])(?:\.\./)?((?:budgets|dialect|docs|engine|operations|passersby|tests)/[\w./-]*)")

Graph = dict[str, set[str]]


@dataclass(frozen=True)
class Tree:
    """The Python files of a project, by their paths from its root."""

    root: Path
    product: Mapping[str, Module]
    tests: tuple[str, ...]

    @classmethod
    def of_folder(cls, root: Path) -> Tree:
        """Read every Python file below a folder."""
        found = {path.relative_to(root).as_posix(): Module(path) for path in sorted(root.rglob("*.py"))}
        product = {path: module for path, module in found.items() if path.split("/")[0] in PACKAGES}
        return cls(root, product, tuple(path for path in found if path.startswith("tests/")))

    @cached_property
    def path_of(self) -> Mapping[str, str]:
        """Map each dotted name to its file; a package's name to its front."""
        return {dotted(path): path for path in self.product}

    @cached_property
    def imports(self) -> Mapping[str, set[str]]:
        """Map each file to the files it imports: at its top, inside functions and for type checkers."""
        return {path: self._files(imported(ast.walk(each.tree))) - {path} for path, each in self.product.items()}

    @cached_property
    def names_loaded(self) -> Mapping[str, set[str]]:
        """Map each file to the dotted names that are imported when it is."""
        return {path: imported(run_on_import(module.tree.body)) for path, module in self.product.items()}

    @cached_property
    def folders(self) -> Mapping[str, set[str]]:
        """Map each folder to its modules and packages, as names of files and folders."""
        entries: Graph = defaultdict(set)
        for path in (*self.product, *self.tests):
            parts = path.split("/")
            for depth in range(1, len(parts)):
                entries["/".join(parts[:depth])].add(parts[depth])
        return {folder: inside - NOT_COUNTED for folder, inside in entries.items()}

    @cached_property
    def arrows(self) -> Mapping[str, Graph]:
        """Map each folder to its import graph: which of its modules and packages import which others."""
        graphs: dict[str, Graph] = defaultdict(lambda: defaultdict(set))
        for path, targets in self.imports.items():
            for target in targets:
                folder, source, other = split_at_common_folder(path, target)
                if FRONT not in (source, other):
                    graphs[folder][source.removesuffix(".py")].add(other.removesuffix(".py"))
        return graphs

    def packages(self) -> list[str]:
        """List the folders of the product."""
        return sorted(folder for folder in self.folders if folder.split("/")[0] in PACKAGES)

    def doc(self, package: str) -> str:
        """Return the docstring of a package's front; empty where there is none."""
        front = self.product.get(f"{package}/{FRONT}")
        return (ast.get_docstring(front.tree) or "") if front else ""

    def _files(self, names: Iterable[str]) -> set[str]:
        """Find the product's files among dotted names; a member's name is its module's."""
        return {self.path_of[module] for name in names if (module := self.module_of(name))}

    def module_of(self, name: str) -> str:
        """Find the module that a dotted name belongs to: itself, or the one it is a member of; empty for a library."""
        owner = name.rpartition(".")[0]
        return name if name in self.path_of else owner if owner in self.path_of else ""


def dotted(path: str) -> str:
    """Return the dotted name of a file."""
    return path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def split_at_common_folder(path: str, other: str) -> tuple[str, str, str]:
    """Return the innermost folder that holds two files, and its entry on the way to each."""
    parts, others = path.split("/"), other.split("/")
    depth = next(depth for depth, (one, two) in enumerate(zip(parts, others, strict=False)) if one != two)
    return "/".join(parts[:depth]) or ".", parts[depth], others[depth]


def imported(nodes: Iterable[ast.AST]) -> set[str]:
    """Collect the dotted names that import statements name; `from a import b` gives a.b."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    return names


def run_on_import(body: Iterable[ast.stmt]) -> Iterator[ast.AST]:
    """Walk over the statements that run when a module is imported: no function bodies, nothing for type checkers."""
    for node in body:
        if isinstance(node, Function) or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)):
            continue
        yield node
        yield from run_on_import(child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt))


# ---------------------------------------------------------------- the measures


def full_folders(tree: Tree) -> list[str]:
    """Find folders with more modules and packages than one looks through."""
    limits = {folder: MAX_TEST_ENTRIES if folder.startswith("tests") else MAX_ENTRIES for folder in tree.folders}
    return [
        f"{folder}: {len(entries)} modules and packages, {limits[folder]} at most; nest some in a package"
        for folder, entries in tree.folders.items()
        if len(entries) > limits[folder]
    ]


def cycles(tree: Tree) -> list[str]:
    """Find folders whose modules and packages import one another in a circle; one circle is shown of each."""
    found = []
    for folder, graph in tree.arrows.items():
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            found.append(f"{folder}: {' <- '.join(error.args[1])}")
    return found


def imports_past_a_front(tree: Tree) -> list[str]:
    """Find imports of another top package that name a module below its first level instead of a front."""
    return [
        f"{path}: imports {target}; export it from a front of {target.split('/')[0]}"
        for path, targets in tree.imports.items()
        for target in targets
        if target.split("/")[0] != path.split("/")[0] and target.count("/") > 1 and not target.endswith(FRONT)
    ]


def long_files(tree: Tree) -> list[str]:
    """Find files that hold more than one concept, to judge by their length."""
    lines = {path: len(module.text.splitlines()) for path, module in tree.product.items()}
    return [
        f"{path}: {count} lines, {MAX_FILE_LINES} at most" for path, count in lines.items() if count > MAX_FILE_LINES
    ]


def long_functions(tree: Tree) -> list[str]:
    """Find functions that do not fit a screen."""
    return [
        f"{path}:{function.lineno}: {function.name} has {lines} lines, {MAX_FUNCTION_LINES} at most"
        for path, module in tree.product.items()
        for function in module.functions()
        if (lines := body_lines(function)) > MAX_FUNCTION_LINES
    ]


def body_lines(function: Function) -> int:
    """Count the lines of a function below its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def fronts_that_explain_nothing(tree: Tree) -> list[str]:
    """Packages whose front is missing, or has hardly a docstring besides its module list."""
    texts = {package: MODULE_LIST.sub("", tree.doc(package)) for package in tree.packages()}
    return [
        f"{package}/{FRONT}: state in its docstring what the package is, what goes in and what comes out"
        for package, text in texts.items()
        if len(text.split()) < MIN_FRONT_WORDS
    ]


def module_list(doc: str) -> list[str]:
    """Read the module list of a front's docstring, in its order."""
    found = MODULE_LIST.search(doc)
    return [name.strip() for name in found[1].rstrip().removesuffix(".").split(",")] if found else []


def incomplete_lists(tree: Tree) -> list[str]:
    """Find fronts whose module list does not name each module and package of the folder exactly once."""
    found = []
    for package in tree.packages():
        listed = module_list(tree.doc(package))
        there = {entry.removesuffix(".py") for entry in tree.folders[package]} - NOT_LISTED
        found += [f"{package}/{FRONT}: its module list lacks {name}" for name in sorted(there - set(listed))]
        found += [f"{package}/{FRONT}: its module list names {name}, which is gone" for name in set(listed) - there]
        twice = {name for name in listed if listed.count(name) > 1}
        found += [f"{package}/{FRONT}: its module list names {name} twice" for name in twice]
    return found


def unordered_lists(tree: Tree) -> list[str]:
    """Find fronts whose module list names a module before one that it imports."""
    found = []
    for package in tree.packages():
        place = {name: index for index, name in enumerate(module_list(tree.doc(package)))}
        found += [
            f"{package}/{FRONT}: list {target} before {name}, which imports it"
            for name, targets in tree.arrows.get(package, {}).items()
            for target in targets
            if name in place and target in place and place[target] > place[name]
        ]
    return found


def eager_fronts(tree: Tree) -> list[str]:
    """Find fronts that load what needs an extra, though their package does not need it."""
    found = []
    for package in tree.packages():
        front, name = f"{package}/{FRONT}", package.replace("/", ".")
        if front not in tree.product or any(f"{name}.".startswith(f"{lazy}.") for lazy in NEED_AN_EXTRA):
            continue
        taken = {tree.module_of(each) for each in tree.names_loaded[front]} & set(NEED_AN_EXTRA)
        found += [f"{front}: imports the front {lazy}, which needs an extra" for lazy in sorted(taken)]
        found += [f"{front}: loads {path}, which imports {library}" for path, library in libraries_loaded(tree, front)]
    return found


def libraries_loaded(tree: Tree, front: str) -> list[tuple[str, str]]:
    """Follow imports from a front; list (file, library) where the library is of an extra."""
    reached, waiting = {front}, [front]
    while waiting:
        for name in tree.names_loaded[waiting.pop()]:
            module = tree.module_of(name)
            parents = [module.rsplit(".", depth)[0] for depth in range(module.count(".") + 1)] if module else []
            new = {tree.path_of[each] for each in parents if each in tree.path_of} - reached
            reached |= new
            waiting += new
    owners = tuple(f"{library}." for library in LIBRARIES_OF_EXTRAS)
    return [
        (path, name) for path in sorted(reached) for name in tree.names_loaded[path] if f"{name}.".startswith(owners)
    ]


def lost_paths(tree: Tree) -> list[str]:
    """Find paths that the pages about the tree name and that do not exist, and pages that name none."""
    found = []
    for page in PAGES:
        named = {path.rstrip(".") for path in NAMED_PATH.findall((tree.root / page).read_text(encoding="utf-8"))}
        found += [f"{page}: names {path}, which does not exist" for path in named if not is_in_tree(tree.root / path)]
        found += [] if named else [f"{page}: names no path of the tree"]
    return found


def is_in_tree(path: Path) -> bool:
    """Test that a path is a file, or a folder that holds one; what Python compiles into an emptied folder is none."""
    return path.is_file() or any(each.is_file() and each.suffix != ".pyc" for each in path.rglob("*"))


MEASURES: dict[str, Callable[[Tree], list[str]]] = {
    measure.__name__: measure
    for measure in (
        full_folders,
        cycles,
        imports_past_a_front,
        long_files,
        long_functions,
        fronts_that_explain_nothing,
        incomplete_lists,
        unordered_lists,
        eager_fronts,
        lost_paths,
    )
}


@pytest.fixture(scope="module")
def project() -> Tree:
    committed = (path.relative_to(ROOT).as_posix() for path in committed_files() if path.suffix == ".py")
    tests = tuple(path for path in committed if path.startswith("tests/"))
    return Tree(ROOT, {module.where: module for module in modules()}, tests)


@pytest.mark.parametrize("measure", MEASURES)
def test_the_tree_keeps_its_shape(measure: str, project: Tree) -> None:
    beyond = MEASURES[measure](project)
    assert not beyond, "\n".join(["", *sorted(beyond)])


def test_the_tree_is_read(project: Tree) -> None:
    assert {path.split("/")[0] for path in project.product} == set(PACKAGES)
    assert len(project.tests) > 100
    assert sum(map(len, project.imports.values())) > 1_000


# ---------------------------------------------------------------- each measure finds a planted violation


HEAD = "One part of a small tree.\n\nWhat goes in -> what comes out."


def front(*listed: str) -> str:
    """Write a front with a module list."""
    return f'"""{HEAD}\n\nModules, each before those that import it:\n\n    {", ".join(listed)}.\n"""\n'


PAGE = "`dialect/syntax/text.py`, then [it](../engine/)."
SOUND = {
    "dialect/__init__.py": front("errors", "syntax"),
    "dialect/errors.py": "",
    "dialect/syntax/__init__.py": front("text", "tree") + "from dialect.syntax.tree import Tree\n",
    "dialect/syntax/text.py": "from dialect.errors import Refusal\n",
    "dialect/syntax/tree.py": "from dialect.syntax import text\n",
    "engine/__init__.py": front("server", "run") + "from engine.run import run\n",
    "engine/run.py": (
        "from dialect.errors import Refusal\nfrom dialect.syntax import Tree\n\n"
        "def run():\n    from engine.server import serve\n"
    ),
    "engine/server/__init__.py": front("app") + "from engine.server.app import serve\n",
    "engine/server/app.py": "import fastapi\n",
    "tests/test_syntax.py": "",
    **dict.fromkeys(PAGES, PAGE),
}
FOR_TYPES = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from dialect.syntax.tree import Tree\n"
LONG_BODY = "    pass\n" * (MAX_FUNCTION_LINES + 1)

# measure -> what is planted -> files that are written over those of the sound tree
PLANTED: dict[str, dict[str, dict[str, str]]] = {
    "full_folders": {
        "a folder of the product": {f"dialect/syntax/part{n}.py": "" for n in range(MAX_ENTRIES)},
        "packages count as modules do": {f"dialect/syntax/part{n}/__init__.py": "" for n in range(MAX_ENTRIES)},
        "a folder of tests": {f"tests/test_{n}.py": "" for n in range(MAX_TEST_ENTRIES)},
    },
    "cycles": {
        "two modules": {"dialect/syntax/text.py": "from dialect.syntax.tree import Tree\n"},
        "for type checkers alone": {"dialect/syntax/text.py": FOR_TYPES},
        "inside a function": {"dialect/syntax/text.py": "def read():\n    import dialect.syntax.tree\n"},
        "a module and a package": {"dialect/errors.py": "from dialect.syntax.tree import Tree\n"},
        "a package by its front": {"dialect/errors.py": "from dialect import syntax\n"},
        "top packages": {"dialect/errors.py": "from engine.run import run\n"},
    },
    "imports_past_a_front": {
        "of a name": {"engine/run.py": "from dialect.syntax.tree import Tree\n"},
        "of a module": {"engine/run.py": "from dialect.syntax import tree\n"},
        "by its dotted name": {"engine/run.py": "def run():\n    import dialect.syntax.tree\n"},
    },
    "long_files": {"one line too many": {"dialect/errors.py": "\n" * (MAX_FILE_LINES + 1)}},
    "long_functions": {
        "one line too many": {"dialect/errors.py": f"def long():\n{LONG_BODY}"},
        "of a class, below a docstring": {
            "dialect/errors.py": f"class C:\n    async def long(self):\n        '''Text.'''\n{LONG_BODY.replace('    ', ' ' * 8)}"
        },
    },
    "fronts_that_explain_nothing": {
        "an empty one": {"dialect/syntax/__init__.py": ""},
        "a list alone": {"dialect/syntax/__init__.py": front("text", "tree").replace(HEAD, "Syntax.")},
        "none": {"dialect/more/part.py": ""},
    },
    "incomplete_lists": {
        "a module that is not listed": {"dialect/syntax/more.py": ""},
        "a package that is not listed": {"dialect/more/__init__.py": front("part"), "dialect/more/part.py": ""},
        "a module that is gone": {"dialect/syntax/__init__.py": front("text", "tree", "gone")},
        "a module that is listed twice": {"dialect/syntax/__init__.py": front("text", "tree", "text")},
        "no list": {"engine/server/__init__.py": '"""Requests -> responses."""\n'},
    },
    "unordered_lists": {
        "a module before what it imports": {"dialect/syntax/__init__.py": front("tree", "text")},
        "a package before what it imports": {"dialect/__init__.py": front("syntax", "errors")},
    },
    "eager_fronts": {
        "a parent imports the front": {
            "engine/__init__.py": front("server", "run") + "from engine.server import serve\n",
            "engine/server/app.py": "",
        },
        "a parent imports the module": {"engine/__init__.py": front("server", "run") + "import engine.server.app\n"},
        "through another module": {"engine/run.py": "try:\n    from engine.server.app import serve\nfinally:\n    pass\n"},
        "the library itself": {"engine/run.py": "from pyspark.sql import SparkSession\n"},
    },
    "lost_paths": {
        **{f"in {name}": {name: f"{PAGE} `dialect/syntax/gone.py`"} for name in PAGES},
        "a link": {"docs/architecture.md": f"{PAGE} [gone](../dialect/gone/)"},
        "an emptied folder": {"TRUSTED.md": f"{PAGE} `engine/gone/`", "engine/gone/__pycache__/old.pyc": ""},
        "a page without paths": {"TRUSTED.md": "Nothing."},
    },
}  # fmt: skip


def planted_tree(root: Path, files: Mapping[str, str]) -> Tree:
    """Write the sound tree with some files over it."""
    for path, text in {**SOUND, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return Tree.of_folder(root)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_sound_tree_passes(measure: str, tmp_path: Path) -> None:
    assert not MEASURES[measure](planted_tree(tmp_path, {}))


@pytest.mark.parametrize(
    ("measure", "what"), [(measure, what) for measure, violations in PLANTED.items() for what in violations]
)
def test_a_planted_violation_is_found(measure: str, what: str, tmp_path: Path) -> None:
    found = MEASURES[measure](planted_tree(tmp_path, PLANTED[measure][what]))
    assert len(found) == 1, found
    assert (tmp_path / found[0].partition(":")[0]).parent.exists(), "a message begins with the place to edit"


def test_each_measure_has_a_planted_violation() -> None:
    assert PLANTED.keys() == MEASURES.keys()
