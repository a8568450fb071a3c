"""Conclave over HTTP: REST, GraphQL and streams, for people's scripts and other systems."""
