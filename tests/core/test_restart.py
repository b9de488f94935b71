"""When a process that died is started again."""

from jina.core.restart import RestartOptions, RestartPolicy


def test_a_process_that_served_is_started_again_at_once() -> None:
    """However often a ready process dies, its next start does not wait."""
    policy = RestartPolicy()
    for now in range(100):
        policy.became_ready()
        assert policy.died(float(now)) == now


def test_pauses_grow_while_a_process_cannot_start() -> None:
    """The first failed start is repeated at once, later ones after pauses that double up to the longest."""
    policy = RestartPolicy(RestartOptions(first_pause_s=1.0, max_pause_s=3.0, max_deaths_before_ready=6))
    assert [policy.died(10.0) for _ in range(6)] == [10.0, 11.0, 12.0, 13.0, 13.0, None]


def test_serving_once_forgets_earlier_failures() -> None:
    """A process that became ready in the end has its patience back."""
    policy = RestartPolicy(RestartOptions(max_deaths_before_ready=2))
    policy.died(0.0)
    policy.became_ready()
    policy.died(0.0)
    assert policy.died(5.0) == 5.0
    assert policy.died(5.0) is None
