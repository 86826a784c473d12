"""matplotlib's figures as SVG that lies in a page: in its colours and font, and small.

Figures are drawn in colours that stand for the page's variables, so one drawing does for light and
dark. The same figure gives the same text.
"""

import base64
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from wavemill.digest import sha256

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEXT, FAINT, LINE, FIRST, SECOND = "#010101", "#020202", "#030303", "#040404", "#050505"
"""Stand for the page's colours."""
_COLOURS = {
    TEXT: "var(--text)", FAINT: "var(--faint)", LINE: "var(--line)", FIRST: "var(--first)",
    SECOND: "var(--second)",
}  # fmt: skip
_STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.labelcolor": FAINT,
    "axes.labelsize": 11.0,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11.0,
    "figure.facecolor": "none",
    "font.size": 11.0,
    "grid.color": LINE,
    "image.composite_image": False,
    "legend.fontsize": 10.0,
    "legend.frameon": False,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "text.color": TEXT,
    "text.parse_math": False,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
}
_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_HREF = f"{{{_XLINK}}}href"
_PNG = "data:image/png;base64,"
_DECIMALS = re.compile(r"-?\d+\.\d{2,}")
_COLOUR = re.compile("|".join(_COLOURS))
WEBP_OVER = 4096
"""Images of more bytes are turned into WebP: a spectrogram is; colours of tokens stay exact."""
WEBP_QUALITY = 60


@contextmanager
def drawing(width: int, height: int) -> Iterator["Figure"]:
    """Give an empty figure of so many CSS pixels, in the page's style."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # Of signs that matplotlib's own font lacks: the browser has others.
        warnings.filterwarnings("ignore", message=r".*[Gg]lyph", category=UserWarning)
        yield Figure(figsize=(width / 72, height / 72), dpi=72)


def to_svg(figure: "Figure", title: str) -> str:
    """Write a figure as SVG for the middle of a page.

    Args:
        figure: as `drawing` gave it, while its block lasts.
        title: what it shows, for those who do not see it; no two figures of a page have the same.

    """
    import matplotlib as mpl

    buffer = io.StringIO()
    # Ids are digests: with its title in them they are the figure's own, as a page needs them.
    with mpl.rc_context({"svg.hashsalt": sha256(title.encode("utf-8", "backslashreplace"))}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    for prefix, url in (("", _SVG), ("xlink", _XLINK)):
        ET.register_namespace(prefix, url)
    root = ET.fromstring(buffer.getvalue())  # noqa: S314 - matplotlib wrote it just now
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("role", "img")
    root.set("aria-label", printable(title))
    _strip(root)
    for element in root.iter():
        _shorten(element)
    return ET.tostring(root, encoding="unicode")


def printable(text: str) -> str:
    """Return a text without what SVG cannot hold, or what turns the direction of writing."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def _strip(root: Any) -> None:
    """Take out what only files need: metadata, and styles of all that there is."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)


def _shorten(element: Any) -> None:
    if element.tag in (f"{{{_SVG}}}g", f"{{{_SVG}}}image"):
        element.attrib.pop("id", None)  # nothing refers to these, and pages have many figures
    element.tail = None
    if element.tag != f"{{{_SVG}}}text":
        element.text = None
    for name in ("d", "x", "y", "width", "height", "transform"):
        if name in element.attrib:
            element.attrib[name] = _DECIMALS.sub(_rounded, element.attrib[name]).replace("\n", "")
    if "style" in element.attrib:
        element.attrib["style"] = _COLOUR.sub(
            lambda found: _COLOURS[found[0]], element.attrib["style"]
        )
    image = element.attrib.get(_HREF, "")
    if image.startswith(_PNG) and len(image) > WEBP_OVER:
        element.attrib[_HREF] = _webp(base64.b64decode(image.removeprefix(_PNG)))


def _rounded(found: re.Match[str]) -> str:
    return f"{float(found[0]):.2f}".rstrip("0").rstrip(".")


def _webp(png: bytes) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").save(buffer, "WEBP", quality=WEBP_QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
