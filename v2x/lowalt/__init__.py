"""Low altitude: heights, zones as volumes, identity, registry and flight plans."""
