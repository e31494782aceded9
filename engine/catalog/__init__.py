"""Catalogs: parse a steward's TOML file into a Catalog, collecting every error; bundled catalogs; versions.

TOML text -> dialect's Catalog, or CatalogError with dotted keys.

Modules, each before those that import it:

    toml_section, columns, privacy_windows, eligibility, sources, tables, references, file, folders, operator,
    bundled, version.
"""
