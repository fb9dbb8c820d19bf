"""How good a map is: the measures, their intervals and the protocol; knows no network and imports no torch."""
