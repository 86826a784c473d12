"""An OpenAI-compatible server for tests: real HTTP on loopback, faults as told, all it did noted.

It answers by a rule, or passes questions on to another server: then the answers are a real model's.
"""

import asyncio
import json
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

CONTROL = "/__faults"
STORM = ("429", "500", "stall", "reset", "garbage")
"""All that passes."""


class ChatServer:
    """A running server; `stop` ends its process."""

    def __init__(self, upstream: str = "") -> None:
        """Start it on a free port, and wait until it answers."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._root = f"http://127.0.0.1:{port}"
        self.url = f"{self._root}/v1"
        command = [sys.executable, "-m", __name__, str(port), upstream]
        self._process = subprocess.Popen(command, cwd=Path(__file__).parents[3])
        for _ in range(2400):
            try:
                self.tell()
            except OSError:
                time.sleep(0.05)
            else:
                return
        self.stop()
        raise RuntimeError("the server does not answer")

    def tell(self, **faults: Any) -> None:
        """Say what goes wrong from now on, and forget what was asked.

        Args:
            faults: `share` (of all requests that fail), `kinds` (of STORM, or a status), `times`
                (how many fail), `seed`, `about` (a word: only what holds it fails), `delay`
                (seconds before each answer), `stall` (seconds of a stall), `retry_after`.

        """
        data = json.dumps(faults).encode()
        with urllib.request.urlopen(f"{self._root}{CONTROL}", data, timeout=5) as answer:
            answer.read()

    def log(self) -> list[dict[str, Any]]:
        """Return each request so far: its last message, what became of it, its header."""
        with urllib.request.urlopen(f"{self._root}{CONTROL}", timeout=5) as answer:
            return list(json.loads(answer.read()))

    def counts(self) -> Counter[str]:
        """Count what became of the requests."""
        return Counter(row["became"] for row in self.log())

    def answered(self) -> Counter[str]:
        """Count how often each question was answered."""
        return Counter(row["asked"] for row in self.log() if row["became"] == "answered")

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


def rule(asked: str) -> tuple[str, int, int]:
    """Answer with the second hypothesis, or the first; return the tokens, too, of four letters."""
    lines = [line[3:] for line in asked.splitlines() if line[:1].isdigit()]
    text = "SURE HACKED" if "ignore the above" in asked else " ".join(lines[1:2])
    return text, len(asked) // 4, len(text) // 4 + 1


def misheard(asked: str) -> str:
    """Write down what may be heard for a text: of its second line, and much that is no such."""
    words = asked.splitlines()[1].split()
    lines = [" ".join([*words[:at], *words[at + 1 :]]) for at in range(3)]
    return "\n".join(["Sure, here are some:", *(f"{n}. {line}" for n, line in enumerate(lines)),
                      "cats and dogs are pets and have little to do with it", ""])  # fmt: skip


class _Faulty:
    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._told: dict[str, Any] = {}
        self._dice = random.Random()
        self._log: list[dict[str, Any]] = []
        self._times = 0

    async def control(self, request: web.Request) -> web.Response:
        if request.method == "POST":
            self._told = await request.json()
            self._dice, self._log = random.Random(self._told.get("seed", 0)), []
            self._times = self._told.get("times", 1 << 60)
        return web.json_response(self._log)

    async def models(self, _: web.Request) -> web.Response:
        return web.json_response(
            {"data": [{"id": name} for name in self._told.get("models", ["m"])]}
        )

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        asked = body["messages"][-1]["content"]
        row = {"asked": asked, "became": "dropped", "key": request.headers.get("Authorization")}
        self._log.append(row)
        fault = self._fault(asked)
        if fault in ("stall", "reset"):
            row["became"] = fault
            await asyncio.sleep(self._told.get("stall", 0.0) if fault == "stall" else 0)
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        if fault:
            row["became"] = fault
            return self._failed(fault, request)
        await asyncio.sleep(self._told.get("delay", 0.0))
        answer = await self._answer(body, asked)
        row |= {"became": "answered", "usage": answer["usage"]}
        return web.json_response(answer)

    def _fault(self, asked: str) -> str:
        told = self._told
        wanted = told.get("about", "") in asked and self._times > 0
        if not wanted or self._dice.random() >= told.get("share", 0.0):
            return ""
        self._times -= 1
        return str(self._dice.choice(told["kinds"]))

    def _failed(self, fault: str, request: web.Request) -> web.Response:
        if fault == "garbage":
            return web.Response(text="<html>a proxy's error page")
        wait = {"Retry-After": str(self._told["retry_after"])} if fault == "429" else {}
        key = request.headers.get("Authorization", "")
        error = {
            "error": {"message": f"as told; the key was {key}", "code": self._told.get("code")}
        }
        return web.json_response(error, status=int(fault), headers=wait)

    async def _answer(self, body: dict[str, Any], asked: str) -> Any:
        if not self._upstream:
            text, prompt, completion = rule(asked)
            if self._told.get("mishear"):
                text = misheard(asked)
            message = {"role": "assistant", "content": text}
            return {
                "choices": [{"message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": prompt, "completion_tokens": completion},
            }
        url = f"{self._upstream}/chat/completions"
        patient = aiohttp.ClientTimeout(total=None)
        async with (
            aiohttp.ClientSession(timeout=patient) as session,
            session.post(url, json=body) as answer,
        ):
            return await answer.json()


def main(port: int, upstream: str) -> None:
    """Serve until the process is ended."""
    faulty, app = _Faulty(upstream), web.Application()
    app.router.add_route("*", CONTROL, faulty.control)
    app.router.add_get("/v1/models", faulty.models)
    app.router.add_post("/v1/chat/completions", faulty.chat)
    web.run_app(app, host="127.0.0.1", port=port, print=None)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")
