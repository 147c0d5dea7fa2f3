"""Live stock, breaches and transfers: the stock and planning folds and the InfluxDB sink."""
