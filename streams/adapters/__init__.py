"""All of streams' influxdb-client."""
