"""Scores of normal sound → tails, thresholds and how often they raise an alarm, at export and on site."""
