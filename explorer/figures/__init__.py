"""Values -> Plotly figures. A figure reads values; it measures nothing."""

from . import ready_modules as ready_modules
