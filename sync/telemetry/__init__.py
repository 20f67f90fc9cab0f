"""What the worker tells of itself: logs, errors, counters and how long things take."""
