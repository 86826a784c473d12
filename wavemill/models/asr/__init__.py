"""Speech recognition: a conformer with CTC, a decoder, their training and their search."""
