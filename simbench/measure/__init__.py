"""Clocks, histograms, counters, stamps and what is published of them while a run goes on."""
