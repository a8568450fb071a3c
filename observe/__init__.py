"""Every call of a language model, observed: traces, scores, cost, alerts, and the SDK that sends them."""
