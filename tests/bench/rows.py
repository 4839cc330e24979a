"""What is told of a run: ratios per round, what metering costs, and the bars."""

from collections.abc import Callable
from dataclasses import dataclass

from answers import EVENTS

Round = dict[str, float]

# Whose answers are read for what they took, as the gateway is shipped; "plain", "native" and Envoy
# know nothing of tokens. "unmetered" is the gateway without the rules that read answers.
METERED = ("warm", "warm_at_2", "reading", "cold", "warm_stream", "warm_paced")


@dataclass(frozen=True)
class Bar:
    """The most that a figure of the summary may be, and what is wanted in the end."""

    name: str
    at_most: float
    wanted: float | None = None


BARS = (
    Bar("unmetered_over_plain", 1.7, 1.6),
    Bar("unmetered_over_plain_at_2", 1.55, 1.45),
    Bar("unmetered_added_over_native_added", 0.55, 0.45),
    Bar("warm_over_plain", 2.1, 1.95),
    Bar("warm_over_plain_at_2", 1.95, 1.8),
    Bar("warm_stream_over_plain", 2.3),
    Bar("warm_paced_over_plain", 1.75, 1.6),
    Bar("metering_us_per_callback", 7.5, 5.0),
    Bar("metering_us_per_event", 15.0, 11.0),
    # Envoy does not meter either.
    Bar("unmetered_over_envoy_jwt_cached", 0.52, 0.48),
    Bar("first_byte_added_ms", 1.0),
)

_RATIOS: dict[str, Callable[[Round], float]] = {
    "warm_over_plain": lambda r: r["warm"] / r["plain"],
    "unmetered_over_plain": lambda r: r["unmetered"] / r["plain"],
    "warm_over_plain_at_2": lambda r: r["warm_at_2"] / r["plain_at_2"],
    "unmetered_over_plain_at_2": lambda r: r["unmetered_at_2"] / r["plain_at_2"],
    "native_over_plain": lambda r: r["native"] / r["plain"],
    "reading_over_plain": lambda r: r["reading"] / r["plain"],
    "cold_over_plain": lambda r: r["cold"] / r["plain"],
    "added_over_native_added": lambda r: (r["warm"] - r["plain"]) / (r["native"] - r["plain"]),
    "unmetered_added_over_native_added": lambda r: (
        (r["unmetered"] - r["plain"]) / (r["native"] - r["plain"])
    ),
    "warm_stream_over_plain": lambda r: r["warm_stream"] / r["plain_stream"],
    "warm_paced_over_plain": lambda r: r["warm_paced"] / r["plain_paced"],
    "unmetered_stream_over_plain": lambda r: r["unmetered_stream"] / r["plain_stream"],
    "unmetered_paced_over_plain": lambda r: r["unmetered_paced"] / r["plain_paced"],
}

_ENVOY_RATIOS: dict[str, Callable[[Round], float]] = {
    "envoy_jwt_cached_over_envoy_plain": lambda r: r["envoy_jwt_cached"] / r["envoy_plain"],
    "warm_over_envoy_jwt_cached": lambda r: r["warm"] / r["envoy_jwt_cached"],
    "unmetered_over_envoy_jwt_cached": lambda r: r["unmetered"] / r["envoy_jwt_cached"],
}


def ratios(rounds: list[Round]) -> dict[str, list[float]]:
    named = dict(_RATIOS)
    if has_envoy(rounds):
        named |= _ENVOY_RATIOS
    return {name: [of(r) for r in rounds] for name, of in named.items()}


def has_envoy(rounds: list[Round]) -> bool:
    return "envoy_plain" in rounds[0]


def metering(medians: Round, callbacks: dict[str, float]) -> dict[str, float]:
    """What reading answers adds to the gateway that does not, from the medians over the rounds. The
    bars are for events that come one by one."""
    at_once = medians["warm_stream"] - medians["unmetered_stream"]
    paced = medians["warm_paced"] - medians["unmetered_paced"]
    return {
        "metering_us_per_answer": medians["warm"] - medians["unmetered"],
        "metering_us_per_callback": paced / callbacks["paced"],
        "metering_us_per_event": paced / EVENTS,
        "metering_at_once_us_per_callback": at_once / callbacks["stream"],
        "metering_at_once_us_per_event": at_once / EVENTS,
        "callbacks_per_event": callbacks["paced"] / EVENTS,
        "callbacks_at_once_per_event": callbacks["stream"] / EVENTS,
    }


def added_over_envoy(medians: Round) -> dict[str, float]:
    """What the gateway adds to plain HAProxy, over what Envoy's verification adds to plain Envoy.
    Its differences are small beside their noise, so there is no bar."""
    added = medians["envoy_jwt_cached"] - medians["envoy_plain"]
    if added <= 0:
        return {}
    return {
        f"{name}_added_over_envoy_added": (medians[name] - medians["plain"]) / added
        for name in ("warm", "unmetered")
    }
