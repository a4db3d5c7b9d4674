"""From files to stacks: one reader a module, behind one protocol; the only room that opens scenes."""
