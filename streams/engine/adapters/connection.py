"""How every aiokafka client of the project logs in."""

import ssl
from typing import Any

from ingest.contracts.settings import KafkaSettings


def client_options(kafka: KafkaSettings) -> dict[str, Any]:
    """Return the keyword arguments that any aiokafka client takes to reach the broker."""
    options: dict[str, Any] = {
        "bootstrap_servers": kafka.bootstrap,
        "security_protocol": kafka.security_protocol,
    }
    if kafka.security_protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.username,
            "sasl_plain_password": kafka.password.get_secret_value(),
        }
    if kafka.security_protocol.endswith("SSL"):
        ca_file = str(kafka.ca_file) if kafka.ca_file else None
        options["ssl_context"] = ssl.create_default_context(cafile=ca_file)
    return options
