"""What dataset hubs read at the head of a card; what it tells of licences and languages."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
          (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (10**9, "100M<n<1B"),
          (10**10, "1B<n<10B"), (10**11, "10B<n<100B"), (10**12, "100B<n<1T"))  # fmt: skip
_HUB_LICENCES = """
    afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear
    bsl-1.0 c-uda cc cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0
    cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0
    cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0 cdla-permissive-2.0 cdla-sharing-1.0
    ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 gfdl gpl gpl-2.0 gpl-3.0 isc lgpl lgpl-2.1
    lgpl-3.0 lppl-1.3c mit mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 openrail osl-3.0 pddl postgresql
    unknown unlicense wtfpl zlib
"""
HUB_LICENCES = frozenset(_HUB_LICENCES.split())
"""Names that the Hugging Face hub knows (https://huggingface.co/docs/hub/repositories-licenses)."""
_CREATIVE_COMMONS = re.compile(
    r"creativecommons\.org/(?:licenses/([a-z-]+)|publicdomain/(zero))/(\d\.\d)"
)
_LANGUAGE = re.compile(r"[a-z]{2,3}", re.ASCII)


def front_matter(front: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a card's front matter; what is empty is left out."""
    stated = {name: value for name, value in front.items() if value}
    yield from ("---", *yaml.safe_dump(stated, sort_keys=True).splitlines(), "---", "")


def size_category(rows: int) -> str:
    """Say how large a dataset is, in the hubs' words."""
    return next((name for limit, name in _SIZES if rows < limit), "n>1T")


def language_fields(languages: Iterable[str]) -> dict[str, list[str]]:
    """Return front matter about languages.

    `language` has those that begin with an ISO 639 code, as the hub wants it; `language_details`
    has tags such as en-GB as they are.
    """
    codes, details = set(), set()
    for language in languages:
        tag = language.replace("_", "-")
        code = tag.split("-")[0].lower()
        if _LANGUAGE.fullmatch(code):
            codes.add(code)
            if tag.lower() != code:
                details.add(tag)
    return {"language": sorted(codes), "language_details": sorted(details)}


def licence_fields(licences: Iterable[str]) -> dict[str, Any]:
    """Return front matter about licences: names of the hub's, else `other` and what it is called.

    Args:
        licences: names, or URLs of Creative Commons, as manifests state them.

    """
    stated = sorted(set(licences))
    names = sorted(set(map(hub_licence, stated)))
    if set(names) <= HUB_LICENCES:
        return {"license": names[0] if len(names) == 1 else names}
    called = _slug(stated[0]) if len(stated) == 1 else "several"
    link = {"license_link": stated[0]} if len(stated) == 1 and "://" in stated[0] else {}
    return {"license": "other", "license_name": called, **link}


def hub_licence(licence: str) -> str:
    """Return the hub's name of a licence; of one that it does not know, the name in its style."""
    if found := _CREATIVE_COMMONS.search(licence.lower()):
        kind, zero, version = found.groups()
        return f"cc0-{version}" if zero else f"cc-{kind}-{version}"
    name = _slug(licence)
    return "cc0-1.0" if name == "cc0" else name


def code(text: str) -> str:
    """Write a text as code in Markdown, whatever is in it: on one line, in a table, too."""
    text = " ".join(text.split()) or " "
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|")


def _slug(licence: str) -> str:
    return re.sub(r"[^a-z0-9.+]+", "-", licence.lower()).strip("-") or "other"
