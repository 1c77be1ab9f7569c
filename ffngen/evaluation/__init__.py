"""Evaluating estimators on datasets: errors per pair, tables, and pictures of the worst."""
