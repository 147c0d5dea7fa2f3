"""Adapters of the simulators: MQTT and files."""
