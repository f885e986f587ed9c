"""Frames in: sources, wire formats, and event-time slices behind a watermark."""
