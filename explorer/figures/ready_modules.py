"""Plotly asks for pandas and others only if they are imported already; here, also only if they are ready.

A module is in the list of imported ones before its body has run. Another thread that draws a figure meanwhile
would find it without its classes.
"""

import sys
from types import ModuleType, SimpleNamespace

from _plotly_utils import optional_imports


class ReadyModules:
    """The imported modules, without those whose import has not ended."""

    def get(self, name: str, default: ModuleType | None = None) -> ModuleType | None:
        """Return an imported module that is ready, or the default."""
        module = sys.modules.get(name)
        is_ready = module is not None and not getattr(module.__spec__, "_initializing", False)
        return module if is_ready else default


# whoever has imported Plotly before has its functions, which read this
optional_imports.sys = SimpleNamespace(modules=ReadyModules())
