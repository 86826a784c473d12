"""What all HTML pages that commands write share: head, policy, styles, and how they are rendered.

A page is one file that loads nothing. What it shows was written by others, so templates escape all
that they are given, and the page's policy lets nothing run but the script that the page came with.
"""

import base64
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from wavemill.packages import require

SHELL = ("shell.html", "shell.css")


def render(
    package: str, values: Mapping[str, Any], *, extra: str, script: str = "", media: bool = False
) -> str:
    """Render the `page.html` and `page.css` of a package inside the common shell.

    Args:
        package: the name of the package whose files they are.
        values: what the template is given.
        extra: the extra of wavemill that brings jinja2.
        script: the page's own script; none other may run.
        media: whether it has images and audio in `data:` URIs.

    Raises:
        UsageError: jinja2 is not installed.

    """
    jinja = require("jinja2", extra, "an HTML page")
    texts = {name: _read(__package__, name) for name in SHELL}
    texts |= {name: _read(package, name) for name in ("page.html", "page.css")}
    environment = jinja.Environment(
        loader=jinja.DictLoader(texts),
        autoescape=True,
        undefined=jinja.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html")
    page: str = template.render(**values, policy=_policy(script, media=media), script=script)
    return page


def _policy(script: str, *, media: bool) -> str:
    """Return the page's Content-Security-Policy: no connection, and no script but its own."""
    parts = ["default-src 'none'", "style-src 'unsafe-inline'"]
    if script:
        digest = hashlib.sha256(script.encode()).digest()
        parts.append(f"script-src 'sha256-{base64.b64encode(digest).decode()}'")
    if media:
        parts += ["img-src data:", "media-src data:"]
    return "; ".join(parts)


def _read(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text("utf-8")
