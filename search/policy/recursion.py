"""Dynamic programs over a trellis, in JAX: log-probability of being feasible, draws given that, the most probable way.

With log p_i(k) the log-softmax of decision i's logits, the value of a state is the log-probability of staying feasible
from there on,

    v_i(s) = logsumexp_k [log p_i(k) + v_{i+1}(table_i[s, k])],    v_n = 0,

and log P(V) that of the one state of the first layer. Draws go the other way: decision i takes k with probability
p_i(k) exp(v_{i+1}(table_i[s, k]) - v_i(s)), which is exact, as no beginning that leads nowhere is entered (the forward
filtering and backward sampling of hidden Markov models, Frühwirth-Schnatter, 1994, with time reversed). A maximum in
place of the sum gives the most probable way (Viterbi, 1967).
"""

from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from isozyme.search.policy.trellis import Trellis

Logits = Sequence[ArrayLike]
"""Of each decision, [choices], floats; -inf rules a choice out."""


@partial(jax.jit, static_argnums=0)
def log_probability(trellis: Trellis, logits: Logits) -> jax.Array:
    """Returns log P(V) under a softmax for each decision; -inf, with a gradient of zero, where nothing is feasible."""
    log_p = _log_probabilities(trellis, logits)
    if not trellis.feasible:
        return jnp.full((), -jnp.inf, log_p[0].dtype)
    return _values(trellis, log_p, _log_sum)[0][0]


@partial(jax.jit, static_argnums=0)
def sample(trellis: Trellis, key: jax.Array, logits: Logits) -> jax.Array:
    """Draws from p(choices | feasible): int32 [decisions].

    Raises:
      ValueError: nothing is feasible.
    """
    log_p = _log_probabilities(trellis, logits)
    noise = jax.random.gumbel(key, (len(log_p), max(trellis.sizes)), log_p[0].dtype)  # One call: compiles faster.
    return _walk(trellis, log_p, _log_sum, lambda i, scores: jnp.argmax(scores + noise[i, : len(scores)]))


@partial(jax.jit, static_argnums=0)
def most_probable(trellis: Trellis, logits: Logits) -> jax.Array:
    """Returns the most probable feasible choices: int32 [decisions]; of equal ones the first.

    Raises:
      ValueError: nothing is feasible.
    """
    log_p = _log_probabilities(trellis, logits)
    return _walk(trellis, log_p, partial(jnp.max, axis=1), lambda _, scores: scores.argmax())


def _log_probabilities(trellis: Trellis, logits: Logits) -> list[jax.Array]:
    shapes = [jnp.shape(row) for row in logits]
    if shapes != [(size,) for size in trellis.sizes]:
        raise ValueError(f"logits have shapes {shapes}, but there are {list(trellis.sizes)} choices")
    return [jax.nn.log_softmax(jnp.asarray(row)) for row in logits]


def _values(trellis: Trellis, log_p: list[jax.Array], combine: Callable[[jax.Array], jax.Array]) -> list[jax.Array]:
    """Returns by layer the values of its states and then -inf; 0 at the end."""
    values = [jnp.array([0.0, -jnp.inf], log_p[0].dtype)]
    for table, row in zip(reversed(trellis.tables), reversed(log_p), strict=True):
        values.append(jnp.append(combine(row + values[-1][table]), -jnp.inf))
    return values[::-1]


def _log_sum(scores: jax.Array) -> jax.Array:
    """Takes logsumexp over choices; where all are -inf, `jax.nn.logsumexp` has a gradient that is not a number."""
    largest = lax.stop_gradient(scores.max(axis=1))
    largest = jnp.where(largest == -jnp.inf, 0.0, largest)
    total = jnp.exp(scores - largest[:, None]).sum(axis=1)
    none = total == 0
    return jnp.where(none, -jnp.inf, jnp.log(jnp.where(none, 1.0, total)) + largest)


def _walk(
    trellis: Trellis,
    log_p: list[jax.Array],
    combine: Callable[[jax.Array], jax.Array],
    choose: Callable[[int, jax.Array], jax.Array],
) -> jax.Array:
    """Goes from the first layer to the end and chooses by the scores of choices."""
    if not trellis.feasible:
        raise ValueError("nothing is feasible: even the cheapest choices cost more than the limit")
    values = _values(trellis, log_p, combine)[1:]
    state, taken = jnp.zeros((), jnp.int32), []
    for number, (table, row, value) in enumerate(zip(trellis.tables, log_p, values, strict=True)):
        following = jnp.asarray(table)[state]
        # Feasible choices of probability zero stay possible, so that what is infeasible never is, at any logits.
        scores = jnp.maximum(row + value[following], jnp.finfo(row.dtype).min)
        scores = jnp.where(following < len(value) - 1, scores, -jnp.inf)
        choice = choose(number, scores)
        state = following[choice]
        taken.append(choice)
    return jnp.stack(taken).astype(jnp.int32)
