"""Evaluation of maps: protocol, metrics, intervals and report; imports no torch."""
