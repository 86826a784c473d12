"""A model behind an OpenAI-compatible endpoint: vLLM, llama.cpp, Ollama, hosted ones.

The key is read from the environment and goes into one header of the requests, to nowhere else: no
error of aiohttp is passed on, since such errors hold the headers, and what the server writes is
searched for it.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from wavemill.hypotheses.llm.base import FATAL, PASSES, REFUSED, Answer, FaultError, Question

CONNECT_SECONDS = 10.0
PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between two tries to learn which models there are."""
REFUSALS = (400, 413, 422)
FREE = (500, 503)
"""Of what may pass, what no server counts as an answer."""
MOST_WORDS = 300
"""Characters of a server's error that are shown."""


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    """Where a model is asked, and how."""

    url: str
    """Up to and with `/v1`."""
    model: str
    """As the server names it."""
    body: Mapping[str, Any]
    """What goes with the messages: `max_tokens` (or `max_completion_tokens`), `temperature`, ..."""
    key: str | None = field(default=None, repr=False)
    timeout_seconds: float = 120.0

    @property
    def most_tokens(self) -> int:
        """That an answer may have."""
        return int(self.body.get("max_completion_tokens") or self.body["max_tokens"])


class ChatServer:
    """Asks a server one question a request."""

    batch = 1

    def __init__(self, config: ServerConfig) -> None:
        """Connect to nothing yet."""
        self._config = config
        self._session: aiohttp.ClientSession | None = None
        self.most_tokens = config.most_tokens
        # Not the address: the same model may be served elsewhere tomorrow.
        self.content: Mapping[str, Any] = {"model": config.model, "body": dict(config.body)}

    async def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Ask one after the other; see `ChatModel`."""
        return [await self._ask(question) for question in questions]

    async def model_names(self) -> list[str]:
        """Return the names of the models that are served.

        Raises:
            FaultError: the server does not say.

        """
        listed = await self._request("GET", "/models", None)
        try:
            return [str(model["id"]) for model in listed["data"]]
        except (KeyError, TypeError) as error:
            words = f"{self._config.url}/models holds no list of models"
            raise FaultError(FATAL, words) from error

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask(self, question: Question) -> Answer:
        messages = [{"role": role, "content": text} for role, text in question.messages]
        body = {"model": self._config.model, "messages": messages, **self._config.body}
        told = await self._request("POST", "/chat/completions", body)
        try:
            choice = told["choices"][0]
            usage = told.get("usage") or {}
            return Answer(
                text=choice["message"].get("content") or "",
                is_cut=choice.get("finish_reason") == "length",
                # Of a server that does not count, the most it can have been.
                prompt_tokens=int(usage.get("prompt_tokens", question.most_tokens)),
                completion_tokens=int(usage.get("completion_tokens", self.most_tokens)),
            )
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            words = f"{self._config.url} answered with no message"
            raise FaultError(PASSES, words, is_billed=True) from None

    async def _request(self, verb: str, path: str, body: Mapping[str, Any] | None) -> Any:
        """Send a request, and return the JSON it is answered with."""
        url = f"{self._config.url}{path}"
        try:
            async with self._opened().request(verb, url, json=body, allow_redirects=False) as got:
                text = self._without_key(await got.text(errors="replace"))
                status, wait = got.status, _seconds(got.headers.get("Retry-After"))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            words = f"{self._config.url} cannot be reached: {self._without_key(str(error))}"
            raise FaultError(PASSES, words, is_connected=False) from None
        except TimeoutError:
            words = f"{self._config.url} did not answer in {self._config.timeout_seconds:g} seconds"
            raise FaultError(PASSES, words, is_billed=True) from None
        except aiohttp.InvalidURL:
            raise FaultError(FATAL, f"{self._config.url} is no URL") from None
        except aiohttp.ClientError as error:
            words = f"{self._config.url} broke off: {type(error).__name__}"
            raise FaultError(PASSES, words, is_billed=True) from None
        if status != 200:
            raise _fault(self._config.url, status, text, wait)
        try:
            return json.loads(text)
        except ValueError:
            words = f"{self._config.url} answered with no JSON"
            raise FaultError(PASSES, words, is_billed=True) from None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            key = self._config.key
            self._session = aiohttp.ClientSession(
                headers={"Authorization": f"Bearer {key}"} if key else {},
                timeout=aiohttp.ClientTimeout(
                    total=self._config.timeout_seconds, sock_connect=CONNECT_SECONDS
                ),
                connector=aiohttp.TCPConnector(limit=0),  # the client has a limit of its own
                trust_env=True,
            )
        return self._session

    def _without_key(self, text: str) -> str:
        return text.replace(self._config.key, "***") if self._config.key else text


def _fault(url: str, status: int, text: str, wait: float) -> FaultError:
    words = f"{url} answered {status}: {_message(text)}"
    if status == 429 and "insufficient_quota" in text:  # what was paid for is used up
        return FaultError(FATAL, words)
    if status in (408, 409, 425, 429) or status >= 500:
        is_billed = status >= 500 and status not in FREE
        return FaultError(PASSES, words, wait_seconds=wait, is_billed=is_billed)
    return FaultError(REFUSED if status in REFUSALS else FATAL, words)


def _message(text: str) -> str:
    """Find what a server says for people in what it answers."""
    try:
        told = json.loads(text)
        error = told.get("error", told)
        words = error.get("message", error) if isinstance(error, dict) else error
    except (ValueError, AttributeError):
        words = text
    return " ".join(str(words).split())[:MOST_WORDS]


def _seconds(value: str | None) -> float:
    """Read `Retry-After`: seconds, or a date."""
    try:
        return max(0.0, float(value or 0))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value or "")
    except ValueError:
        return 0.0
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def list_models(config: ServerConfig) -> list[str]:
    """Ask a server for the names of its models; one that still loads its model is waited for.

    Raises:
        FaultError: the server does not say.

    """

    async def ask() -> list[str]:
        server = ChatServer(config)
        try:
            for pause in PAUSES:
                try:
                    return await server.model_names()
                except FaultError as fault:
                    if fault.kind != PASSES or not fault.is_connected:
                        raise
                await asyncio.sleep(pause)
            return await server.model_names()
        finally:
            await server.close()

    return asyncio.run(ask())
