"""How good a map is: the metrics, their intervals and the protocol; knows no network and imports no torch."""
