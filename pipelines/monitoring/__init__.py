"""Watches the nights: keeps each as counts, compares it with those before, looks at how past scores turned out, and says so."""
