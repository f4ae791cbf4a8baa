"""Arguments of the verbs, resolved to plain data and objects."""
