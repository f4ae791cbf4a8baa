"""Where a network can be cut in two: behind the layers whose one output is all that the rest of the network needs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras


@dataclass(frozen=True)
class Cut:
    """A layer behind which a frozen part can end.

    Attributes:
        layer: The name of the layer.
        shape: The shape of its output per image.
        behind: Number of weights behind it.
    """

    layer: str
    shape: tuple[int | None, ...]
    behind: int


def crossing_layers(model: keras.Model) -> tuple[str, ...]:
    """Return the layers that everything passes through.

    Without the output of such a layer, no path leads from the input of the model to its output. Skip connections and
    concatenations are allowed anywhere. A layer with a path around it is none of these layers, nor is one with two
    calls.

    Args:
        model: A flat graph of layers.

    Returns:
        The names of the layers, from the input to the output; empty if the model is no graph with one output.
    """
    return tuple(layer.name for layer, _ in _crossings(model))


def cuts(model: keras.Model, frozen: Container[str]) -> tuple[Cut, ...]:
    """Return the cuts of a network that differ in what they leave behind.

    Of consecutive crossing layers without weights between them, the last one represents all: to train what is behind
    one of them is to train what is behind the others. There are weights before each cut, and behind it.

    Args:
        model: A flat graph of layers.
        frozen: The names of the layers that a frozen part may contain.

    Returns:
        The cuts, from the input to the output.
    """
    distinct: dict[int, Cut] = {}
    crossings = _crossings(model)
    total = model.count_params() if crossings else 0
    for layer, before in crossings:
        if 0 < before < total and layer.name in frozen:
            distinct[before] = Cut(layer.name, tuple(layer.output.shape[1:]), total - before)
    return tuple(distinct.values())


def _crossings(model: keras.Model) -> list[tuple[keras.layers.Layer, int]]:
    """Return each crossing layer with the number of weights up to and including it.

    The operations run in an order in which each follows those that it needs. A tensor is open from its computation
    until nothing that follows needs it. If only one is open, everything passes through it. The order does not matter:
    what neither precedes nor follows an operation bypasses it.
    """
    outputs: Sequence[Any] = getattr(model, "outputs", None) or ()
    if len(outputs) != 1:
        return []
    nodes = list(_nodes(outputs[0], {id(tensor) for tensor in model.inputs}))
    calls = Counter(id(operation) for operation, _ in nodes)
    uses = Counter(id(tensor) for _, node in nodes for tensor in node.input_tensors) + Counter([id(outputs[0])])
    waiting = {id(tensor): uses[id(tensor)] for tensor in model.inputs if uses[id(tensor)]}
    crossings: list[tuple[keras.layers.Layer, int]] = []
    sizes = {id(operation): _size(operation) for operation, _ in nodes}
    weights = 0
    for operation, node in nodes:
        weights += sizes.pop(id(operation), 0)
        for tensor in node.input_tensors:
            waiting[id(tensor)] -= 1
            if not waiting[id(tensor)]:
                del waiting[id(tensor)]
        waiting |= {id(tensor): uses[id(tensor)] for tensor in node.output_tensors if uses[id(tensor)]}
        (result, *more) = node.output_tensors
        once = isinstance(operation, keras.layers.Layer) and calls[id(operation)] == 1 and operation.output is result
        if once and not more and list(waiting) == [id(result)]:
            crossings.append((operation, weights))
    return crossings


def _nodes(output: Any, ends: set[int]) -> Iterator[tuple[Any, Any]]:
    """Yield every operation and its call on the way to `output`, each behind those whose tensors it gets."""
    done: set[tuple[int, int]] = set()
    stack = [(output, False)]
    while stack:
        tensor, ready = stack.pop()
        if id(tensor) in ends:
            continue
        operation, index, _ = tensor._keras_history
        if (id(operation), index) in done:
            continue
        node = operation._inbound_nodes[index]
        if ready:
            done.add((id(operation), index))
            yield operation, node
        else:
            stack.append((tensor, True))
            stack.extend((each, False) for each in node.input_tensors)


def _size(operation: Any) -> int:
    return sum(math.prod(weight.shape) for weight in getattr(operation, "weights", ()))
