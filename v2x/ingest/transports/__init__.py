"""Wires of a site without Kafka: MQTT, TCP, UDP in; a Kafka topic or a drive out.

`framing` cuts, `naming` tells whose frame it is, `intake` bounds what waits, `forwarder` brings it
out and remembers what is confirmed. One file per transport beside them.
"""
