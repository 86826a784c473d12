"""`python -m wavemill`."""

from wavemill.cli import run

if __name__ == "__main__":
    run()
