"""What is done around the package: `python -m scripts.NAME`."""
