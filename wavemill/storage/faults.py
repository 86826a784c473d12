"""What an error of a store means: gone, refused, wrong, or only for now; without secrets.

Stores' packages raise errors of their own kinds, and translate one into another: an S3 client's
lies behind an `OSError`, a server's status in a field. What is found is told as one `Fault`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

ABSENT = "absent"
REFUSED = "refused"
DOWN = "down"
"""It may pass: worth another try."""
WRONG = "wrong"
"""The address or the credentials; no try helps."""
CLASH = "clash"
"""A condition of a write does not hold."""
OTHER = "other"

BUSY_REMEDY = "the store is down, busy or not to be reached; try again later"
REFUSED_REMEDY = "check the credentials, and that they may read there"
_CREDENTIALS = (
    "give valid ones (for s3:// AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE)"
)
_REGION = "give the bucket's region (AWS_DEFAULT_REGION) and address (AWS_ENDPOINT_URL)"
_BUCKET = "correct the name, or make it"

_WRONG_CODES = {
    "NoSuchBucket": ("there is no such bucket", _BUCKET),
    "InvalidBucketName": ("no bucket can have this name", _BUCKET),
    "InvalidAccessKeyId": ("the store does not know these credentials", _CREDENTIALS),
    "SignatureDoesNotMatch": ("the secret does not go with the access key", _CREDENTIALS),
    "ExpiredToken": ("the credentials have expired", _CREDENTIALS),
    "InvalidToken": ("the store does not take the session token", _CREDENTIALS),
    "TokenRefreshRequired": ("the credentials have expired", _CREDENTIALS),
    "RequestTimeTooSkewed": ("this machine's clock is wrong", "set it"),
    "PermanentRedirect": ("the bucket lies in another region", _REGION),
    "AuthorizationHeaderMalformed": ("the bucket lies in another region", _REGION),
    "IllegalLocationConstraintException": ("the bucket lies in another region", _REGION),
    "301": ("the bucket lies in another region", _REGION),
}
_WRONG_KINDS = {
    "NoCredentialsError": ("there are no credentials", _CREDENTIALS),
    "PartialCredentialsError": ("a part of the credentials is missing", _CREDENTIALS),
    "CredentialRetrievalError": ("there are no credentials", _CREDENTIALS),
    "TokenRetrievalError": ("there are no credentials", _CREDENTIALS),
    "SSOTokenLoadError": ("there are no credentials", _CREDENTIALS),
    "UnauthorizedSSOTokenError": ("the credentials have expired", _CREDENTIALS),
    "ProfileNotFound": ("there is no such profile", _CREDENTIALS),
    "DefaultCredentialsError": ("there are no credentials", _CREDENTIALS),
    "RefreshError": ("the credentials have expired", _CREDENTIALS),
    "NoRegionError": ("no region is given", _REGION),
    "InvalidRegionError": ("there is no such region", _REGION),
}
_STATUSES = {
    404: ABSENT, 410: ABSENT, 401: REFUSED, 403: REFUSED, 412: CLASH,
    408: DOWN, 425: DOWN, 429: DOWN, 500: DOWN, 502: DOWN, 503: DOWN, 504: DOWN,
}  # fmt: skip
_DOWN_CODES = {
    "SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "OperationAborted",
    "ConditionalRequestConflict", "BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch",
    "Throttling", "ThrottlingException", "RequestLimitExceeded",
}  # fmt: skip
_DOWN_KINDS = {
    "TimeoutError", "ConnectionError", "HTTPClientError", "ResponseParserError", "IncompleteRead",
    "IncompleteReadError", "ResponseStreamingError", "ClientPayloadError", "ClientConnectionError",
}  # fmt: skip
_BUILTIN = ((FileNotFoundError, ABSENT), (PermissionError, REFUSED), (FileExistsError, CLASH))

_SECRETS = re.compile(r"(?<=//)[^/@\s]+@|\?[^\s\"']*")
"""What a URL may hold that is for no log: a user and a password, a signature."""
_SIGNED = re.compile(
    r"[?&](?:x-(?:amz|goog)-(?:signature|security-token)|signature|sig)=", re.IGNORECASE
)


@dataclass(frozen=True)
class Fault:
    """What is wrong, and what to do about it."""

    kind: str
    words: str
    remedy: str


class StoreFaultError(Exception):
    """A store did not do what it was asked, and was asked often enough."""

    def __init__(self, fault: Fault) -> None:
        """Keep what is wrong."""
        super().__init__(f"{fault.words}; {fault.remedy}")
        self.fault = fault


def hide_secrets(text: str) -> str:
    """Take users, passwords and queries out of the URLs of a text, and make it one line."""
    return " ".join(_SECRETS.sub("", text).split())


def shown(url: str) -> str:
    """Return a URL as messages may name it."""
    return hide_secrets(url) if holds_secrets(url) else url


def holds_secrets(url: str) -> bool:
    """Say whether a URL holds a user or password, or is signed."""
    rest = url.partition("://")[2]
    return "@" in rest.split("/", 1)[0] or bool(_SIGNED.search(rest))


def fault_of(error: BaseException) -> Fault:
    """Say what a store's error means."""
    return error.fault if isinstance(error, StoreFaultError) else _fault_of(error)


def _fault_of(error: BaseException) -> Fault:
    said = hide_secrets(str(error))
    code, status = _code_of(error)
    kinds = {kind.__name__ for one in _chain(error) for kind in type(one).__mro__}
    for known, found in ((_WRONG_CODES, {code}), (_WRONG_KINDS, kinds)):
        for name in found & known.keys():
            words, remedy = known[name]
            return Fault(WRONG, f"{words} ({said})" if said else words, remedy)
    kind = _kind_of(error, code, status, kinds)
    if kind == ABSENT:
        return Fault(ABSENT, "it is not there", "correct the name")
    if kind == REFUSED:
        return Fault(REFUSED, f"the store refuses it ({said})", REFUSED_REMEDY)
    if kind == DOWN and ("TimeoutError" in kinds or "Timeout" in type(error).__name__):
        return Fault(DOWN, f"no answer from the store ({said or 'too slow'})", BUSY_REMEDY)
    if kind == DOWN:
        return Fault(DOWN, said or type(error).__name__, BUSY_REMEDY)
    return Fault(kind, said or type(error).__name__, "see --debug")


def _kind_of(error: BaseException, code: str, status: int, kinds: set[str]) -> str:
    if code in _DOWN_CODES or "SlowDown" in str(error):
        return DOWN
    # aiohttp gives a cut body a status of its own, and fsspec's HTTP says "not found" of a server
    # that is away.
    if kinds & _DOWN_KINDS and not code:
        return DOWN
    if status:
        return _STATUSES.get(status, OTHER)
    return next((kind for builtin, kind in _BUILTIN if isinstance(error, builtin)), OTHER)


def _code_of(error: BaseException) -> tuple[str, int]:
    """Return the store's code and HTTP's status of an error, as far as it tells."""
    for one in _chain(error):
        response: Any = getattr(one, "response", None)
        if isinstance(response, dict) and isinstance(response.get("Error"), dict):
            about = response.get("ResponseMetadata") or {}
            code = str(response["Error"].get("Code", ""))
            status = about.get("HTTPStatusCode") or (int(code) if code.isdigit() else 0)
            return code, int(status)
        for name in ("status", "code"):
            value = getattr(one, name, None)
            if isinstance(value, int | str) and str(value).isdigit():
                return "", int(value)
    return "", 0


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it was made of."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__
