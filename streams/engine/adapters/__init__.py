"""The engine's ports on real Kafka, by aiokafka, and the readers and writers that views use."""
