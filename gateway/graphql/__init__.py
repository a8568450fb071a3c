"""GraphQL over the same reads and services as REST, with limits on what one query may ask for."""
