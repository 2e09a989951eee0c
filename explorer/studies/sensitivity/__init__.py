"""The sensitivity scan: accuracy as one part's ratio varies; everything before the part is computed once."""
