"""From runs to something a person reads: comparison, tables, markdown."""
