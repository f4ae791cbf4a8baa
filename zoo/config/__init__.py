"""What every package builds on: strict YAML, JSON Schema, plug-ins, files, the cache folder."""
