"""Front matter that hubs read, whatever the names are."""

import re

import pytest
import yaml
from huggingface_hub import DatasetCard
from hypothesis import given
from hypothesis import strategies as st

from wavemill.cards import (
    HUB_LICENCES,
    code,
    front_matter,
    hub_licence,
    language_fields,
    licence_fields,
    size_category,
)

ODD = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
"""Quotes, colons, newlines, control characters, any script."""


@given(name=ODD, tags=st.lists(ODD, min_size=1), licence=ODD)
def test_front_matter_gives_back_what_was_put_in(name: str, tags: list[str], licence: str) -> None:
    front = {"pretty_name": name, "tags": tags, "license_name": licence, "configs": []}
    begin, *lines, end, empty = front_matter(front)
    assert (begin, end, empty) == ("---", "---", "")
    assert "---" not in lines
    found = yaml.safe_load("\n".join(lines))
    assert found == {"pretty_name": name, "tags": tags, "license_name": licence}


@given(tags=st.lists(ODD, min_size=1), languages=st.lists(ODD), licences=st.lists(ODD, min_size=1))
def test_the_hub_s_own_package_reads_the_card(
    tags: list[str], languages: list[str], licences: list[str]
) -> None:
    front = {"tags": tags, **language_fields(languages), **licence_fields(licences)}
    card = DatasetCard("\n".join([*front_matter(front), "# Title"]))
    assert card.text.strip() == "# Title"
    licence = card.data.get("license")
    assert licence
    assert set(licence if isinstance(licence, list) else [licence]) <= HUB_LICENCES | {"other"}
    for language in card.data.get("language") or []:
        assert re.fullmatch("[a-z]{2,3}", language)


@pytest.mark.parametrize(
    ("stated", "fields"),
    [
        (["CC-BY-SA-3.0"], {"license": "cc-by-sa-3.0"}),
        (["CC BY 4.0", "cc-by-4.0"], {"license": "cc-by-4.0"}),
        (["https://creativecommons.org/licenses/by-nc/4.0/"], {"license": "cc-by-nc-4.0"}),
        (["http://creativecommons.org/publicdomain/zero/1.0/", "MIT"],
         {"license": ["cc0-1.0", "mit"]}),
        (["CC0"], {"license": "cc0-1.0"}),
        (["LDC User Agreement"], {"license": "other", "license_name": "ldc-user-agreement"}),
        (["https://example.org/terms"], {"license": "other", "license_link":
         "https://example.org/terms", "license_name": "https-example.org-terms"}),
        (["mit", "house rules"], {"license": "other", "license_name": "several"}),
    ],
)  # fmt: skip
def test_licences_get_the_hub_s_names(stated: list[str], fields: dict[str, object]) -> None:
    assert licence_fields(stated) == fields


def test_languages_get_iso_codes_and_keep_their_tags() -> None:
    fields = language_fields(["en", "en_GB", "no", "pt-BR", "Klingon language", "", "yue"])
    assert fields == {
        "language": ["en", "no", "pt", "yue"],
        "language_details": ["en-GB", "pt-BR"],
    }
    (line,) = [line for line in front_matter({"language": ["no"]}) if "no" in line]
    assert line == "- 'no'"  # else YAML takes it for false


@given(licence=ODD)
def test_a_hub_licence_is_a_name_that_needs_no_quotes(licence: str) -> None:
    assert re.fullmatch(r"[a-z0-9.+-]+", hub_licence(licence))


@given(text=ODD)
def test_code_stays_on_its_line_and_in_its_fence(text: str) -> None:
    written = code(text)
    assert len(written.splitlines()) == 1
    fence = re.match("`+", written)
    assert fence
    inside = written[len(fence[0]) : -len(fence[0])]
    assert all(len(run) != len(fence[0]) for run in re.findall("`+", inside))
    assert not re.search(r"(?<!\\)\|", written)


def test_sizes_are_those_that_the_hub_lists() -> None:
    assert [size_category(rows) for rows in (0, 999, 1000, 5 * 10**8, 10**13)] == [
        "n<1K", "n<1K", "1K<n<10K", "100M<n<1B", "n>1T",
    ]  # fmt: skip
