"""Catalog lookup: load a bundled catalog by name or any other from a file or folder, and select a dataset in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from budgets import ParamError
from dialect.catalog import Catalog, Dataset
from engine.catalog.file import load_catalog
from engine.catalog.toml_section import closest_word
from engine.errors import CatalogError
from engine.progress import Progress, ignore_progress

PROJECT = Path(__file__).resolve().parents[2]
MIBICI_CATALOG = Path(__file__).parent / "catalogs_bundled" / "mibici.toml"
MIBICI_VARIABLE = "PASSERSBY_MIBICI"  # environment variable with the folder of the MiBici files
MIBICI_FILES = ("trips.parquet", "persons.parquet", "stations.parquet", "zones.parquet")


def find_catalog(where: str, progress: Progress | None = None) -> Catalog:
    """Load a catalog by bundled name, file or folder. Raises CatalogError if there is none.

    `progress` reports the generation of bundled data, if they must be generated first.
    """
    if where in BUNDLED:
        return BUNDLED[where](progress or ignore_progress)
    path = Path(where).expanduser()
    if path.is_dir():
        path /= "catalog.toml"
    if path.exists():
        return load_catalog(path)
    if where.lower().startswith(("http://", "https://")):
        cure = f"run it where the catalog lies, or see what its console has: {where.rstrip('/')}/console."
        raise CatalogError(where, "catalog", "this is a server's address, and no file.", cure)
    names = ", ".join(sorted(BUNDLED))
    why = f"no catalog has this name, and there is no file {path.absolute()}."
    close = closest_word(where, BUNDLED)
    cure = f"write {close}." if close else f"give a catalog file, or one of the names {names}."
    raise CatalogError(where, "catalog", why, cure)


def find_dataset(catalog: Catalog, name: str | None) -> Dataset:
    """Return the named dataset; the name is optional where the catalog has one dataset. Raises ParamError."""
    known = {dataset.name: dataset for dataset in catalog.datasets}
    if name is None and len(known) > 1:
        raise ParamError("This catalog has several datasets.", f"--dataset, one of {', '.join(known)}.")
    found = known.get(next(iter(known)) if name is None else name.strip().lower())
    if found is None:
        raise ParamError(f"There is no dataset {str(name)[:40]!r} in this catalog.", f"one of {', '.join(known)}.")
    return found


def mibici_folder() -> Path:
    """Return the folder with the MiBici files. Raises CatalogError where they are absent."""
    folders = [folder / "shared" / "data" / "mibici" for folder in (Path.cwd().parent, PROJECT.parent)]
    if configured := os.environ.get(MIBICI_VARIABLE):
        folders = [Path(configured).expanduser()]
    for folder in folders:
        if all((folder / name).is_file() for name in MIBICI_FILES):
            return folder
    looked = " and ".join(dict.fromkeys(str(folder.absolute()) for folder in folders))
    why = f"the MiBici data are absent: {', '.join(MIBICI_FILES)} were looked for in {looked}."
    cure = f"set the environment variable {MIBICI_VARIABLE} to their folder, or use the catalog operator instead."
    raise CatalogError("mibici", MIBICI_VARIABLE, why, cure)


def _load_mibici(progress: Progress) -> Catalog:
    """Load the catalog of Guadalajara's bicycle trips."""
    del progress
    return load_catalog(MIBICI_CATALOG, data_folder=mibici_folder())


def _load_operator(progress: Progress) -> Catalog:
    """Load the catalog of the synthetic operator; its data are generated at first use."""
    from engine.catalog.operator import operator_path  # lazy: imports DuckDB

    return load_catalog(operator_path(progress=progress))


BUNDLED: Mapping[str, Callable[[Progress], Catalog]] = {"mibici": _load_mibici, "operator": _load_operator}
