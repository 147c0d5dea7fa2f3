"""Benchmarks that anybody can repeat: what the parts do, measured beside their peers."""
