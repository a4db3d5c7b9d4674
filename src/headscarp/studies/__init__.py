"""Studies: whole papers as one command, each composed of the rooms below; none owns a method."""
