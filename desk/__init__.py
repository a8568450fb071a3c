"""Cases as people work on them: life, timeline, grouping, commands, feedback."""
