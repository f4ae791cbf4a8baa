"""Data sources: what a source string can name, and how it is opened. Importing it loads neither NumPy nor a source."""

from benchmark.data.sources import built_in
from benchmark.data.sources.registry import check_source, open_dataset, register_source, source_descriptions

__all__ = ["built_in", "check_source", "open_dataset", "register_source", "source_descriptions"]
