"""What a model is: cards, catalog, registry, and one folder per family of builders."""
