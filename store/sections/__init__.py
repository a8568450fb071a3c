"""The sections of the settings, a file for each part of the product; store/settings.py reads them as one object."""
