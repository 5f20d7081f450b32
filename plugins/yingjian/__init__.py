"""Yingjian: what is due to be tested."""

import os

# Landing reads one block while it prepares another, and the server writes a third: polars' own threads beside them make
# all three slower. Set before polars is loaded for the first time.
os.environ.setdefault("POLARS_MAX_THREADS", "1")
