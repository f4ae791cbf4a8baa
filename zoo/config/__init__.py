"""The base of every package: strict YAML, plug-ins, atomic files, the cache folder."""
