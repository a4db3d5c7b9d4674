"""Data sets fetched from where they are published: sizes first, resumed, verified, unpacked."""
