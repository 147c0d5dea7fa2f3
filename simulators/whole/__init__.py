"""The whole system in memory: doubles of Kafka, MQTT and time, driven by one seed."""
