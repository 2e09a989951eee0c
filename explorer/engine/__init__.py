"""Recipe + model -> report, measured in a stream."""
