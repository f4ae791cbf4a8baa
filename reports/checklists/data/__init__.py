"""Built-in checklists."""
