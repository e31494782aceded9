"""The passes of a compilation: none changes what an earlier one made, and the text is parsed once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from sqlglot import exp

from dialect.binder.query import bind_query
from dialect.catalog.model import Catalog
from dialect.catalog.privacy_windows import PrivacyWindow
from dialect.errors import Refusal
from dialect.parser.compile_context import CompileContext
from dialect.planner import compilation
from dialect.planner.compilation import COMPILE_PASSES, Compilation
from tests.dialect.planner.test_person_windows import CROSSED
from tests.dialect.windowed import CATALOGS
from tests.support.sql.sql_cases import sql_cases

CROSSING = f"SELECT COUNT(*) FROM {CROSSED[0]}"


def _dump(tree: exp.Expr) -> object:
    return repr(tree), [(id(node), repr(node.meta)) for node in tree.walk()]


def _changes_tree(sql: str, catalog: Catalog) -> bool:
    """Return whether a later pass changes the parsed tree."""
    state = COMPILE_PASSES[0](Compilation(CompileContext(catalog, sql)))
    assert state.tree is not None
    before = _dump(state.tree)
    with suppress(Refusal):
        for each in COMPILE_PASSES[1:]:
            state = each(state)
    return _dump(state.tree) != before


def test_no_pass_changes_the_tree(catalog: Catalog) -> None:
    texts = [case.sql for case in sql_cases("exact_attack")]
    texts.append("SELECT h + 1 FROM (SELECT unnest(range(24)) AS h) JOIN (SELECT unnest(['a', 'b']) AS g) ON h > 3")
    changed = [sql for sql in texts if _changes_tree(sql, catalog)]
    crossed = [f"SELECT COUNT(*) FROM {rows}" for rows in CROSSED]
    changed += [sql for sql in crossed if _changes_tree(sql, CATALOGS[PrivacyWindow.MONTH])]
    assert len(texts) > 40 and not changed


def test_a_pass_that_changes_the_tree_is_found(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        compilation, "bind_query", lambda tree, context: (bind_query(tree, context), tree.set("limit", None))[0]
    )
    assert _changes_tree("SELECT cell_id, COUNT(*) FROM events GROUP BY 1 ORDER BY 1 LIMIT 3", catalog)


@pytest.mark.parametrize(("sql", "bound"), [(CROSSING, 2), ("SELECT COUNT(*) FROM visit", 1)])
def test_a_query_is_parsed_once_and_bound_again_if_its_windows_cross(
    sql: str, bound: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def counted(name: str) -> Callable[..., object]:
        run = getattr(compilation, name)
        return lambda *given: (calls.append(name), run(*given))[1]

    for name in ("parse", "bind_query", "split_query"):
        monkeypatch.setattr(compilation, name, counted(name))
    compilation.compile_text(sql, CATALOGS[PrivacyWindow.MONTH])
    assert [calls.count(name) for name in ("parse", "bind_query", "split_query")] == [1, bound, bound]
