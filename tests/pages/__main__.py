"""The pages of docs/ that are written from the code, each by the module of its name: `make docs`, or `python -m tests.pages`."""

from __future__ import annotations

from tests.pages import catalog_page, functions_page, refusal_page, server_page

PAGES = (functions_page, refusal_page, server_page, catalog_page)

if __name__ == "__main__":
    for page in PAGES:
        page.PATH.write_text(page.document(), encoding="utf-8")
