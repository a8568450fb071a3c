"""Topics, segments and processors: what is done with events beside the detectors, as versioned data."""
