"""The logistic regression that rules are made of."""

import numpy as np
import pytest
from scipy.special import expit
from threadpoolctl import threadpool_info, threadpool_limits

from models.linear import fit_linear, linear_margin
from models.one_thread import one_thread


@pytest.mark.parametrize("names", [(), ("mood",)], ids=["the same risk for all", "one feature"])
def test_the_mean_risk_of_few_people_is_the_rate_that_came(names: tuple[str, ...]):
    """Sixty rows with six events: a risk of a tenth on average; drawn towards a half it would alarm everybody."""
    interval, y = np.zeros(60, dtype=np.int64), np.tile([1.0, *[0.0] * 9], 6)
    x = np.random.default_rng(1).normal(size=(60, len(names)))
    risks = expit(linear_margin(fit_linear(x, interval, y, names, 1), x, interval))
    assert risks.mean() == pytest.approx(0.1, abs=1e-3)


def test_hazards_of_unequal_intervals_stay_apart():
    """A week with a hazard of 0.02 and a fortnight with 0.06: each near its own, both together exactly."""
    interval = np.repeat([0, 1], 5000)
    y = (np.arange(10_000) % 100 < np.where(interval == 0, 2, 6)).astype(float)
    x = np.empty((10_000, 0))
    risks = expit(linear_margin(fit_linear(x, interval, y, (), 2), x, interval))
    assert risks.mean() == pytest.approx(0.04, abs=1e-4)
    assert [risks[interval == k].mean() for k in (0, 1)] == pytest.approx([0.02, 0.06], abs=2e-3)


def test_threads_of_the_linear_algebra_are_given_back_when_the_last_fit_is_done():
    """Two fits side by side: while either runs there is one thread, afterwards as many as before."""

    def threads() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    with threadpool_limits(2, user_api="blas"):
        first, second = one_thread(), one_thread()
        with first:
            second.__enter__()
        assert threads() == {1}
        second.__exit__(None, None, None)
        assert threads() == {2}
