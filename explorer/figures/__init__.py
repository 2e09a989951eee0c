"""Values -> Plotly figures. A figure reads values; it measures nothing."""
