import asyncio
import time

import aiohttp
import botocore.exceptions
import pytest

from wavemill.storage import retrying
from wavemill.storage.faults import (
    ABSENT,
    CLASH,
    DOWN,
    OTHER,
    REFUSED,
    WRONG,
    StoreFaultError,
    fault_of,
    hide_secrets,
    holds_secrets,
    shown,
)  # fmt: skip
from wavemill.storage.retrying import insist


def client_error(code: str, status: int) -> OSError:
    """Return an error as s3fs gives it."""
    told = {"Code": code, "Message": "words"}
    about = {"Error": told, "ResponseMetadata": {"HTTPStatusCode": status}}
    error = OSError("words")
    error.__cause__ = botocore.exceptions.ClientError(about, "GetObject")
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (client_error("SlowDown", 503), DOWN),
        (client_error("503", 503), DOWN),
        (client_error("InternalError", 500), DOWN),
        (client_error("InternalError", 200), DOWN),
        (client_error("RequestTimeout", 400), DOWN),
        (client_error("BadDigest", 400), DOWN),
        (client_error("ConditionalRequestConflict", 409), DOWN),
        (client_error("NoSuchKey", 404), ABSENT),
        (client_error("404", 404), ABSENT),
        (client_error("AccessDenied", 403), REFUSED),
        (client_error("PreconditionFailed", 412), CLASH),
        (client_error("NoSuchBucket", 404), WRONG),
        (client_error("ExpiredToken", 400), WRONG),
        (client_error("AuthorizationHeaderMalformed", 400), WRONG),
        (client_error("MalformedXML", 400), OTHER),
        (botocore.exceptions.NoCredentialsError(), WRONG),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="http://x"), DOWN),
        (botocore.exceptions.ConnectTimeoutError(endpoint_url="http://x"), DOWN),
        (aiohttp.ClientPayloadError("cut"), DOWN),
        (aiohttp.ServerDisconnectedError(), DOWN),
        (ConnectionResetError(104, "reset"), DOWN),
        (TimeoutError(), DOWN),
        (FileNotFoundError(2, "none"), ABSENT),
        (PermissionError(13, "no"), REFUSED),
        (FileExistsError(17, "there"), CLASH),
        (KeyError("a bug"), OTHER),
    ],
)
def test_errors_that_pass_are_told_from_those_that_stay(error: Exception, kind: str) -> None:
    assert fault_of(error).kind == kind


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("no http://user:geheim@host/a", "no http://host/a"),
        ('at "https://b/x?X-Amz-Signature=geheim&y" now', 'at "https://b/x" now'),
        ("two\nlines", "two lines"),
        ("s3://key:geheim@bucket/a", "s3://bucket/a"),
    ],
)
def test_secrets_are_taken_out_of_messages(text: str, hidden: str) -> None:
    assert hide_secrets(text) == hidden


def test_names_that_hold_no_secrets_stay_as_they_are() -> None:
    for url in ("s3://b/a?.wav", "a@b/c?d", "http://h/get?id=7", "s3://b/a@b.wav"):
        assert not holds_secrets(url)
        assert shown(url) == url
    for url in ("http://u:p@h/a", "https://h/a?X-Amz-Signature=1", "https://h/a?se=1&sig=2"):
        assert holds_secrets(url)
        assert shown(url) in ("http://h/a", "https://h/a")


def test_what_passes_is_tried_again_and_what_stays_is_not() -> None:
    tried = []

    async def attempt() -> int:
        tried.append(1)
        if len(tried) < 3:
            raise ConnectionResetError
        return len(tried)

    assert asyncio.run(insist(attempt)) == 3

    async def refused() -> None:
        tried.append(1)
        raise PermissionError(13, "no")

    tried.clear()
    with pytest.raises(PermissionError):
        asyncio.run(insist(refused))
    assert tried == [1]


def test_trying_ends_though_every_try_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "SILENCE_SECONDS", 0.1)
    monkeypatch.setattr(retrying, "GIVE_UP_SECONDS", 0.5)
    monkeypatch.setattr(retrying, "WAITS", (0.0, *[0.01] * 1000))
    began = time.monotonic()
    with pytest.raises(StoreFaultError, match="no answer from the store") as caught:
        asyncio.run(insist(lambda: asyncio.sleep(60)))
    assert 0.4 < time.monotonic() - began < 3
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_store_that_is_down_is_given_up_within_a_minute() -> None:
    assert sum(retrying.WAITS) * 1.5 < 75
    assert retrying.GIVE_UP_SECONDS + retrying.SILENCE_SECONDS <= 60
