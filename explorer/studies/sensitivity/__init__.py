"""The sensitivity scan: accuracy as one part's ratio varies, with everything before the part computed once."""
