"""Volatility: where a market burst, how it is made to burst harder, and how much of it a receiver bears."""
