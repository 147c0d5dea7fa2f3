"""All of ingest's paho and kafka-python."""
