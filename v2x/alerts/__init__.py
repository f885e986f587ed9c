"""Alerts: rules judge a picture, the engine gives findings a life, the store makes them durable.

``rules/`` holds one file per kind of alert, ``sinks/`` one per kind of destination; between them
stand `engine` (time), `record` and `texts` (what an alert says), `store` and `delivery`.
"""
