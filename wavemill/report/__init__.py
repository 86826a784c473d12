"""The report: one HTML page that shows what a dataset holds."""
