"""Plant a bug for one test: another text, another function, another SQL writer of one operator.

A test with a planted bug is meaningful only if the bug takes effect: what is planted has to be used, and a text has to
change. In tests that plant (by their names: PLANTS), the fixture `monkeypatch` is a Planting, which records both; such
a test fails if something planted was not used. Used means: a function was called, and returned another text than the
original if it returns texts; a class was instantiated or accessed; a number, text, table or object was accessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Hashable
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial, update_wrapper
from importlib import import_module
from pkgutil import resolve_name
from types import BuiltinFunctionType, FunctionType, MethodDescriptorType, MethodType, WrapperDescriptorType
from typing import Any, ClassVar

import pytest

Plant = Callable[[pytest.MonkeyPatch], None]
Used = Callable[[], None]
PLANTS = re.compile(r"planted|_bugs?_|(is|are)_(found|caught|seen)")  # matched with a test's file and name
MADE_OF_ITSELF = {"__new__", "__init__", "__getattribute__", "__setattr__", "__reduce__", "__reduce_ex__", "__class__"}


class Planting(pytest.MonkeyPatch):
    """Patches of one test, and which of them have not been used."""

    unused: ClassVar[dict[Hashable, str]]
    _one: ClassVar[list[Used]]  # groups of patches that count as one

    @classmethod
    def of_one_test(cls) -> Planting:
        """Start recording; patches of a `context` count too."""
        return type(cls.__name__, (cls,), {"unused": {}, "_one": []})()

    def needed(self, requirement: str) -> Used:
        """Register a condition that the test must meet; returns the callback that reports it as met."""
        if self._one:
            return self._one[-1]
        number = object()
        self.unused[number] = requirement

        def used() -> None:
            self.unused.pop(number, None)

        return used

    @contextmanager
    def as_one(self, requirement: str) -> Generator[None]:
        """Treat the use of any of several patches as the use of all."""
        self._one.append(self.needed(requirement))
        try:
            yield
        finally:
            self._one.pop()

    def setattr(self, target: Any, *given: Any, **named: Any) -> None:
        """Patch an attribute and record its use; a text counts as used only if it changes."""
        *before, value = given
        owner, name = (
            (target, before[0]) if before else (resolve_name(target.rpartition(".")[0]), target.rpartition(".")[2])
        )
        used = self.needed(f"{getattr(owner, '__name__', type(owner).__name__)}.{name} was planted and never used")
        # a method may have side effects: it is not called twice
        planted: Any = observed(value, used, None if isinstance(owner, type) else getattr(owner, name, None))
        super().setattr(owner, name, planted, **named)

    def setitem(self, dic: Any, name: Any, value: Any) -> None:
        """Patch an entry and record its use."""
        super().setitem(dic, name, observed(value, self.needed(f"{name!r} was planted and never used")))


def observed(value: Any, used: Used, right: Any = None) -> Any:
    """Proxy for a value that reports its use; a text function counts as used if it differs from `right`."""
    if isinstance(value, property):
        return property(value.fget and observed(value.fget, used), value.fset, value.fdel)
    if isinstance(value, staticmethod | classmethod):
        return type(value)(observed(value.__func__, used))
    if isinstance(value, type):
        return _observed_class(value, used)
    if isinstance(value, FunctionType | BuiltinFunctionType | MethodType | partial):

        def called(*given: Any, **named: Any) -> Any:
            try:
                made = value(*given, **named)
            except BaseException:
                used()
                raise
            if not (type(made) is str and callable(right) and made == right(*given, **named)):
                used()
            return made

        return update_wrapper(called, value) if hasattr(value, "__name__") else called
    if value is None or isinstance(value, bool):
        raise TypeError(f"nobody can tell whether {value!r} was used: plant a function")
    if isinstance(value, int | float | str | tuple | list | dict | frozenset):
        return _observed_subclass(type(value), used)(value)
    return _observe_attributes(value, used)


def _observed_class(kind: type, used: Used) -> type:
    """Subclass that reports instantiation and access to its attributes."""

    def report_access(answer: Callable[..., Any]) -> Callable[..., Any]:
        def method(*given: Any, **named: Any) -> Any:
            used()
            return answer(*given, **named)

        return method

    of_classes = type(kind)
    noting = {name: report_access(getattr(of_classes, name)) for name in ("__call__", "__getattribute__")}
    return type(of_classes.__name__, (of_classes,), noting)(kind.__name__, (kind,), {"__module__": kind.__module__})


def _observed_subclass(kind: type, used: Used) -> Any:
    """Subclass of a number, text or collection type that reports any access."""

    def report_access(answer: Callable[..., Any]) -> Callable[..., Any]:
        def method(*given: Any, **named: Any) -> Any:
            used()
            return answer(*given, **named)

        return method

    return type(kind.__name__, (kind,), {name: report_access(answer) for name, answer in _methods(kind).items()})


@cache
def _methods(kind: type) -> dict[str, Callable[..., Any]]:
    found = {name: each for base in reversed(kind.__mro__) for name, each in vars(base).items()}
    kinds = (FunctionType, MethodDescriptorType, WrapperDescriptorType)
    return {name: each for name, each in found.items() if isinstance(each, kinds) and name not in MADE_OF_ITSELF}


def _observe_attributes(value: Any, used: Used) -> Any:
    """Make an object report any read of its attributes."""
    kind: Any = type(value)

    def __getattribute__(self: Any, name: str) -> Any:  # noqa: N807
        used()
        return kind.__getattribute__(self, name)

    of_classes: Any = type(kind)
    noting = of_classes(kind.__name__, (kind,), {"__getattribute__": __getattribute__, "__slots__": ()})
    object.__setattr__(value, "__class__", noting)
    return value


@pytest.fixture
def monkeypatch(request: pytest.FixtureRequest) -> Generator[pytest.MonkeyPatch]:
    """Patch as pytest does; in tests that plant bugs, record what is used."""
    plants = PLANTS.search(request.node.nodeid.partition("[")[0])
    patching = Planting.of_one_test() if plants else pytest.MonkeyPatch()
    yield patching
    patching.undo()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Fail a passing test in which a planted bug was not used."""
    result = yield
    patching = pyfuncitem.funcargs.get("monkeypatch")
    if isinstance(patching, Planting) and patching.unused:
        pytest.fail("; ".join(patching.unused.values()), pytrace=False)
    return result


def rewritten(module: Any, function: str, change: Callable[[str], str]) -> Plant:
    """Plant a bug in the SQL that a function generates."""
    original = getattr(module, function)
    return lambda monkeypatch: monkeypatch.setattr(module, function, changing(monkeypatch, original, change))


def instead(module: Any, name: str, other: Any) -> Plant:
    """Replace a function, a table or a number by a wrong one."""
    return lambda monkeypatch: monkeypatch.setattr(module, name, other)


def together(*plants: Plant) -> Plant:
    """Plant one bug in several places, any of which may show it."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        with planting(monkeypatch).as_one("a bug was planted in several places and used in none"):
            for each in plants:
                each(monkeypatch)

    return plant


def another_form(form: str | Callable[[Any], str], *names: str) -> Plant:
    """Give aggregates another form over one person's rows; {name} is the aggregate's name."""
    rows = import_module("dialect.functions.aggregates").AGGREGATES
    forms = {name: form.replace("{name}", name) if isinstance(form, str) else form for name in names}
    return together(*(listed(rows, name, replace(rows[name], per_person=made)) for name, made in forms.items()))


def listed(table: Any, name: Any, other: Any) -> Plant:
    """Replace an entry of a table by a wrong one."""
    return lambda monkeypatch: monkeypatch.setitem(table, name, other)


def planting(monkeypatch: pytest.MonkeyPatch) -> Planting:
    """Return the patches of a planting test; tests with other names cannot record use."""
    assert isinstance(monkeypatch, Planting), f"a test that plants is named so: {PLANTS.pattern}"
    return monkeypatch


def written(kind: type, change: Callable[[str], str]) -> Plant:
    """Plant a bug in the SQL of one operator."""
    write_rows = import_module(
        "dialect.codegen.relations.relation"
    )  # by name: the front shadows some modules with functions
    original = dict(write_rows._WRITERS)[kind]
    others = tuple((each, write) for each, write in write_rows._WRITERS if each is not kind)

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        bad = (kind, changing(monkeypatch, original, change))
        monkeypatch.setattr(write_rows, "_WRITERS", (bad, *others))

    return plant


def changing(
    monkeypatch: pytest.MonkeyPatch, write: Callable[..., str], change: Callable[[str], str]
) -> Callable[..., str]:
    """Wrap a text function; the test fails unless some text changed."""
    used = planting(monkeypatch).needed(f"no text that {getattr(write, '__name__', write)} writes became another")

    def changed(*given: Any, **named: Any) -> str:
        right = write(*given, **named)
        wrong = change(right)
        if wrong != right:
            used()
        return wrong

    return changed
