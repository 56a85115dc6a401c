"""From a stored matrix to a fitted model: labels, evaluation, controls, and what is tried on a training."""
