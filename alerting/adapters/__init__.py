"""All of alerting's apprise, Kafka and MQTT."""
