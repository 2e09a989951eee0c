"""One file per criterion that rates whole residual blocks."""
