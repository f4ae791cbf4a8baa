"""The conditions of runs in words and values: data, split, protocol, recipe, methods."""
