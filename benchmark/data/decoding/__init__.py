"""From image files to arrays: formats, levels, orientation, resizing."""
