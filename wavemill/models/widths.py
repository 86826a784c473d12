"""What widths of transformers may be."""

MAX_WIDTH = 100_000


def check_width(name: str, width: int, heads: int) -> None:
    """Check that heads can halve a width, as rotary positions do.

    Raises:
        ValueError: they cannot, or it is too large.

    """
    if not 1 <= width <= MAX_WIDTH or width % (2 * heads):
        raise ValueError(
            f"{name}={width} must be 2 to {MAX_WIDTH} and a multiple of twice heads={heads}"
        )
