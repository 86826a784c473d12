"""s3fs as we use it: it knows how S3 is asked, and `retrying.py` how often."""

from typing import Any

import fsspec
import s3fs

from wavemill.storage.faults import WRONG, StoreFaultError, fault_of
from wavemill.storage.retrying import CONNECT_SECONDS, SILENCE_SECONDS, insist
from wavemill.storage.store import REQUESTS


class Client(s3fs.S3FileSystem):  # type: ignore[misc]  # s3fs has no types
    """s3fs, whose every request goes through our one loop in place of its own."""

    retries = 1

    async def call_once(self, method: str, **arguments: Any) -> Any:
        """Make one request."""
        try:
            return await super()._call_s3(method, **arguments)
        except Exception as error:
            fault = fault_of(error)
            if fault.kind != WRONG:
                raise
            wrong = StoreFaultError(fault)  # s3fs would take a missing bucket for a missing file
        raise wrong

    async def _call_s3(self, method: str, *more: Any, **arguments: Any) -> Any:
        for given in more:
            arguments = {**given, **arguments}
        body = arguments.get("Body") or b""
        return await insist(lambda: self.call_once(method, **arguments), len(body))


def make_client(protocol: str = "s3") -> Client:
    """Make a client that is configured as S3 clients are, and leaves trying again to us."""
    config = fsspec.config.conf.get(protocol, {}).get("config_kwargs", {})
    return Client(
        use_listings_cache=False,
        skip_instance_cache=True,
        config_kwargs={
            "max_pool_connections": REQUESTS,
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": SILENCE_SECONDS,
            **config,
            "retries": {"total_max_attempts": 1, "mode": "standard"},
        },
    )
