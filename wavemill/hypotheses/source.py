"""Where hypotheses are read from: a folder, or a file of another's."""

from wavemill import storage
from wavemill.errors import UsageError
from wavemill.hypotheses.exports.hyporadise import HyporadiseFile
from wavemill.hypotheses.folder import HypothesesFolder


def open_source(url: str) -> HypothesesFolder | HyporadiseFile:
    """Open what `wavemill hypotheses` wrote, or a HyPoradise JSON file.

    Raises:
        DatasetError: it is neither.
        UsageError: there is nothing.

    """
    url = storage.folder_url(url)
    if url.endswith(".json"):
        return HyporadiseFile(url)
    if not storage.exists(url):
        raise UsageError(f"there is no {url}; give a folder of `wavemill hypotheses`, or FILE.json")
    return HypothesesFolder.open(url)
