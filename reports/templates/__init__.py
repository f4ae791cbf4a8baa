"""The templates, style and script of report.html."""
