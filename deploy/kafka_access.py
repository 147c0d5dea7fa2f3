"""How deploy logs in to Kafka: aiokafka's arguments out of the settings."""

import logging
import ssl
from typing import Any

from ingest.contracts.settings import KafkaSettings


def client_arguments(settings: KafkaSettings) -> dict[str, Any]:
    """Return the keyword arguments that every aiokafka client takes for this broker."""
    arguments: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap,
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol.startswith("SASL"):
        arguments |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.username,
            "sasl_plain_password": settings.password.get_secret_value(),
        }
    if settings.security_protocol.endswith("SSL"):
        ca_file = str(settings.ca_file) if settings.ca_file else None
        arguments["ssl_context"] = ssl.create_default_context(cafile=ca_file)
    return arguments


def quiet_clients() -> None:
    """Keep aiokafka's own log off the terminal; what matters reaches us as an error."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
