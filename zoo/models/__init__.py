"""Models: cards, catalog, registry, and one folder per family of builders."""
