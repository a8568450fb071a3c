"""Who is told what and how: channels, routes, alert topics, deliveries."""
