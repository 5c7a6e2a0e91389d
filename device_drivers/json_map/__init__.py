"""Any device that publishes JSON or plain text over MQTT, by a mapping in the site file."""
