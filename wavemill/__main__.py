"""`python -m wavemill`, and the command `wavemill`."""

from wavemill.garbage import begin_loading
from wavemill.stopping import stoppable


def run() -> None:
    """Run the command line. It is loaded here, so that a signal while it loads is no traceback."""
    begin_loading()
    with stoppable():
        from wavemill.cli import run as run_command_line

        run_command_line()


if __name__ == "__main__":
    run()
