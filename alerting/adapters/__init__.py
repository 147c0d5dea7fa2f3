"""Kafka, apprise and MQTT behind the ports of alerting."""
