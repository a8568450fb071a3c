"""Jobs by cron or interval, one run across all workers."""
