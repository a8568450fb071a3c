"""Who may do what, and what is known of whom: roles and keys, the audit log, personal data and its keys."""
