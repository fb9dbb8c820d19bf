"""The command line; it parses, calls one room and prints, and holds no work of its own."""
