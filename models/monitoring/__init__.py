"""What is watched over weeks: how data, scores and alerts of a night differ from nights before, and how past scores turned out.

Counts and shares of groups only; nothing here is about an individual.
"""
