"""A catalog file to a Catalog, with every mistake and its cure; the bundled catalogs.

TOML text -> dialect's Catalog, or CatalogError with dotted keys.

Modules, each before those that import it:

    toml_section, columns, privacy_windows, admission, admission_notes, sources, tables, references, file, folders,
    operator, bundled, version.
"""
