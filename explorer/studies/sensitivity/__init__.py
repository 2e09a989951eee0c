"""The sensitivity scan: accuracy as one part's ratio varies; what is before the part is computed once."""
