"""A small world that is its own ground truth: seedable, no clock, pure numpy; the same seed gives the same bytes.

`world` holds accounts and terminals on a map, `spending` their ordinary days, `lookalikes` what is odd but honest, `fraud` the
three injected scenarios, `shop` the services and `outages` what befalls them, `series` the real measured series, `faults` the
records that must be refused, `labels` what was injected where, `bundle` the files.
"""
