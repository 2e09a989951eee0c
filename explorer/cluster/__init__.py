"""The same studies on many machines, on Dask distributed (extra `cluster`), imported when first needed."""
