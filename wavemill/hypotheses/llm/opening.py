"""Open a model by what names it: a server's URL, a folder or a hub name."""

import ipaddress
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from wavemill.errors import JobError, UsageError
from wavemill.hypotheses.llm.base import ChatModel, FaultError
from wavemill.specs import check_range

KEY_VARIABLE = "OPENAI_API_KEY"


@dataclass(frozen=True, kw_only=True)
class ChatSettings:
    """Which model, and how it answers."""

    model: str
    """`http(s)://HOST/v1[#NAME]`, a folder or a hub name."""
    key_variable: str | None = None
    """Of the environment, with the server's key; `OPENAI_API_KEY` if None."""
    temperature: float = 0.0
    most_tokens: int = 256
    body: Sequence[str] = ()
    """KEY=VALUE of what a server is sent besides; `null` leaves out what is sent by itself."""
    timeout_seconds: float = 120.0
    device: str = "cpu"
    batch: int = 8
    """In this process; a server is asked one question a request."""
    superposed: int = 0
    """Answers that are written at once to each question, in this process; 0 for one as usual."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("--max-tokens", self.most_tokens, 1, 1 << 20)
        check_range("--temperature", self.temperature, 0, 100)
        check_range("--timeout", self.timeout_seconds, 0.1, 86_400)


def is_server(model: str) -> bool:
    """Say whether a name is a server's URL."""
    return model.startswith(("http://", "https://"))


def open_chat(settings: ChatSettings) -> ChatModel:
    """Open a model.

    Raises:
        UsageError: there is none of that name, or the settings do not fit it.
        JobError: the server does not say which models it has.

    """
    if is_server(settings.model):
        if settings.superposed:
            words = "--superposed is for a model in this process: give a folder or a hub name"
            raise UsageError(f"--model {settings.model.partition('#')[0]}: {words}")
        return _open_server(settings)
    from wavemill.hypotheses.llm.local import LocalChat, LocalConfig
    from wavemill.hypotheses.llm.superposed import SuperposedChat

    if settings.body:
        raise UsageError(f"--set {settings.body[0]} is for a server; {settings.model} is none")
    config = LocalConfig(
        model=settings.model,
        most_tokens=settings.most_tokens,
        temperature=settings.temperature,
        batch=settings.batch,
        device=settings.device,
    )
    if settings.superposed:
        return SuperposedChat(config, settings.superposed)
    return LocalChat(config)


def _open_server(settings: ChatSettings) -> ChatModel:
    from wavemill.hypotheses.llm.server import ChatServer, ServerConfig, list_models

    url, _, name = settings.model.partition("#")
    parts = urlsplit(url)
    if "@" in parts.netloc or parts.query:
        words = "a key does not belong into a URL: put it into the environment, and give --key-env"
        raise UsageError(f"--model {parts.scheme}://{parts.hostname}/...: {words}")
    url = url.rstrip("/").removesuffix("/chat/completions")
    config = ServerConfig(
        url=url,
        model=name,
        body=_body(settings),
        key=_key(settings.key_variable, url),
        timeout_seconds=settings.timeout_seconds,
    )
    if not name:
        try:
            names = list_models(config)
        except FaultError as fault:
            raise JobError(f"{fault}; name the model: --model {url}#NAME") from None
        if len(names) != 1:
            known = ", ".join(names[:10]) or "none"
            raise UsageError(f"--model {url}#NAME: say which; the server has {known}")
        config = ServerConfig(**{**vars(config), "model": names[0]})
    return ChatServer(config)


def _body(settings: ChatSettings) -> dict[str, Any]:
    body: dict[str, Any] = {
        "max_tokens": settings.most_tokens,
        "temperature": settings.temperature,
    }
    for text in settings.body:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise UsageError(f"--set {text}: give KEY=VALUE")
        try:
            body[name] = json.loads(value)
        except ValueError:
            body[name] = value
    if taken := {"model", "messages", "stream", "n"} & set(body):
        raise UsageError(f"--set {min(taken)}=... is not for you to set")
    body = {name: value for name, value in body.items() if value is not None}
    if not (body.get("max_completion_tokens") or body.get("max_tokens")):
        raise UsageError("--set: one of max_tokens and max_completion_tokens has to stay")
    return body


def _key(variable: str | None, url: str) -> str | None:
    """Read the key; the usual variable's goes over no open network unless it is named."""
    key = os.environ.get(variable or KEY_VARIABLE, "").strip()
    if variable and not key:
        raise UsageError(f"--key-env {variable}: the environment has no such variable")
    if not key.isascii() or not key.isprintable():
        raise UsageError(f"{variable or KEY_VARIABLE} holds no key: it has odd characters")
    if not variable and not url.startswith("https://") and not _is_here(urlsplit(url).hostname):
        return None
    return key or None


def _is_here(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
