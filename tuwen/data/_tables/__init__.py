"""Tables of any kind of file as rows that are read when they are asked for."""
