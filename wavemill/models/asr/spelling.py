"""Vocabularies by the settings that recipes have of them."""

from wavemill import storage
from wavemill.errors import UsageError
from wavemill.models.asr.pieces import Pieces
from wavemill.models.asr.text import Bytes, Characters, Vocabulary


def content_of(vocabulary: str | None) -> str | None:
    """Return the content of a vocabulary of word pieces, where its file may be named.

    Raises:
        UsageError: there is no such file.

    """
    if vocabulary is None or vocabulary.lstrip().startswith("{"):
        return vocabulary
    try:
        return storage.read_bytes(vocabulary).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"vocabulary={vocabulary}: it cannot be read ({error})") from error


def make_vocabulary(vocabulary: str | None, alphabet: str | None = None) -> Vocabulary:
    """Make a vocabulary: of word pieces, of an alphabet's characters, or of bytes.

    Raises:
        UsageError: the pieces or the alphabet cannot be used.

    """
    if vocabulary is not None:
        return Pieces(vocabulary)
    return Bytes() if alphabet is None else Characters(alphabet)
