"""Sinks: where a published, verified delivery is brought beside its folder, so that consumers find it where they look.

What a sink holds is asked of the sink itself, never remembered here, so that nothing can diverge. A sink that is down
delays only itself. Nothing here computes a score or changes a delivery.
"""
