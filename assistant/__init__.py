"""Inference, chat and documents: answers with citations over runbook, cases, rulings and metrics."""
