"""What crosses the edge: wire events, commands, reference data, topics, connection settings."""
