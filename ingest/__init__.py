"""MQTT to Kafka: validate, identify, enrich, frame, acknowledge. Owns the wire language."""
