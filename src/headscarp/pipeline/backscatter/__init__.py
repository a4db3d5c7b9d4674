"""``headscarp backscatter``: products planned, cut, terrain-corrected block by block, and written."""
