"""Sensors, gateways, demand, faults, the oracle of true stock, and the in-memory whole."""
