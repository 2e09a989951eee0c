"""Where pages, sample models and the cache are: next to the package in a checkout, inside it in a wheel."""

import os
from pathlib import Path

import platformdirs

PACKAGE = Path(__file__).parents[1]
CACHE_VARIABLE = "PRUNING_EXPLORER_CACHE"


def _bundled(name: str) -> Path:
    inside = PACKAGE / f"_{name}"
    return inside if inside.is_dir() else PACKAGE.parent / name


def pages() -> Path:
    """Return the folder of the Streamlit pages."""
    return _bundled("pages")


def sample_models() -> Path:
    """Return the folder of the sample architectures, with `weights/`, `cards/` and `data/` inside."""
    return _bundled("sample_models")


def cache() -> Path:
    """Return the user's cache folder, which may not exist yet. The variable PRUNING_EXPLORER_CACHE overrides
    it.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    return (
        Path(chosen).expanduser()
        if chosen
        else Path(platformdirs.user_cache_dir("pruning-explorer", appauthor=False))
    )
