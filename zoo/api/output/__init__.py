"""What the verbs give besides their results: messages, tables, galleries, expected times."""
