"""Yingjian: what is due to be tested."""

import os

# Landing already reads, prepares and writes blocks in parallel, so polars' own threads would only slow it down. The variable
# must be set before polars is first imported.
os.environ.setdefault("POLARS_MAX_THREADS", "1")
