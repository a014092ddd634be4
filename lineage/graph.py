"""A small graph laid out in layers from left to right: what comes from something stands to the right of it.

Pure and deterministic: the same nodes and edges in the same order give the same drawing. Boxes never overlap; an edge
over several layers has a lane of its own in each, so that it passes beside boxes and not behind them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

WIDTH, HEIGHT = 216, 56
LANE = 12  # height of what a passing edge takes up in a layer
ACROSS, DOWN = 64, 16  # space between layers, and between what stands in one
MARGIN = 8
SWEEPS = 4
LETTERS = 26  # of a line that fit into a box


@dataclass(frozen=True)
class Node:
    """`kind` is what it is, in a word; `text` one more line; `url` where it leads ("": nowhere); `state` colours it."""

    id: str
    kind: str
    title: str
    text: str = ""
    url: str = ""
    state: str = "neutral"


@dataclass(frozen=True)
class Box:
    """A node with its place, in pixels. `layer` counts from 0; `leads` are the titles of what comes from it."""

    node: Node
    x: float
    y: float
    layer: int
    leads: tuple[Node, ...] = ()

    @property
    def lines(self) -> tuple[str, str]:
        return shortened(self.node.title), shortened(self.node.text)

    @property
    def told(self) -> str:
        """Everything that it says, for who reads or hovers."""
        return ": ".join(part for part in (self.node.kind, self.node.title, self.node.text) if part)


@dataclass(frozen=True)
class Line:
    """An edge as an SVG path; `weak`: it says that something depends, not that data came that way."""

    path: str
    weak: bool


@dataclass(frozen=True)
class Drawing:
    width: float
    height: float
    boxes: Sequence[Box]
    lines: Sequence[Line]


@dataclass
class Graph:
    """Nodes and edges as they are added; a node is added once, an edge to or from what is not there is left out."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: dict[tuple[str, str], bool] = field(default_factory=dict)

    def add(self, node: Node) -> str:
        self.nodes.setdefault(node.id, node)
        return node.id

    def lead(self, start: str | None, end: str | None, *, weak: bool = False) -> None:
        """An edge; none where one of both is None, or they are the same."""
        if start is not None and end is not None and start != end:
            self.edges.setdefault((start, end), weak)

    def draw(self) -> Drawing:
        edges = {pair: weak for pair, weak in self.edges.items() if set(pair) <= self.nodes.keys()}
        pairs = _without_circles(self.nodes, edges)
        layers = _layers(list(self.nodes), pairs)
        chains = {pair: _chain(pair, layers) for pair in pairs}
        columns = _ordered(_columns(self.nodes, layers, chains.values()), chains.values())
        tops = _tops(columns, chains.values())
        leads = {name: tuple(self.nodes[end] for start, end in pairs if start == name) for name in self.nodes}
        boxes = [
            Box(self.nodes[name], _left(layer), tops[name], layer, leads[name])
            for layer, column in enumerate(columns)
            for name in column
            if name in self.nodes
        ]
        lines = [Line(_path(chain, layers, tops), edges[pair]) for pair, chain in chains.items()]
        return Drawing(
            _left(len(columns)) - ACROSS + MARGIN,
            max((box.y + HEIGHT for box in boxes), default=0) + MARGIN,
            boxes,
            lines,
        )


def shortened(text: str) -> str:
    """A text that fits into a box, shortened in the middle."""
    if len(text) <= LETTERS:
        return text
    half = (LETTERS - 1) // 2
    return f"{text[: LETTERS - 1 - half]}…{text[-half:]}"


Pair = tuple[str, str]
Chain = list[str]  # an edge as what it passes: its start, a lane in each layer between, its end


def _without_circles(nodes: Iterable[str], edges: Iterable[Pair]) -> list[Pair]:
    """The edges, in their order, but for those that would close a circle."""
    kept: list[Pair] = []
    for start, end in edges:
        sorter: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(nodes, ()))
        for one, other in [*kept, (start, end)]:
            sorter.add(other, one)
        try:
            sorter.prepare()
        except CycleError:
            continue
        kept.append((start, end))
    return kept


def _layers(names: list[str], pairs: Sequence[Pair]) -> dict[str, int]:
    """Each node one layer behind the last of those that it comes from; a node without any just before the first that
    comes from it."""
    before: dict[str, list[str]] = {name: [] for name in names}
    after: dict[str, list[str]] = {name: [] for name in names}
    for start, end in pairs:
        before[end].append(start)
        after[start].append(end)
    found: dict[str, int] = {}
    for name in TopologicalSorter(before).static_order():
        found[name] = max((found[one] + 1 for one in before[name]), default=0)
    for name in names:
        if not before[name] and after[name]:
            found[name] = min(found[one] for one in after[name]) - 1
    return found


def _chain(pair: Pair, layers: dict[str, int]) -> Chain:
    start, end = pair
    lanes = [f"{start}\0{end}\0{layer}" for layer in range(layers[start] + 1, layers[end])]
    return [start, *lanes, end]


def _columns(nodes: Iterable[str], layers: dict[str, int], chains: Iterable[Chain]) -> list[list[str]]:
    columns: list[list[str]] = [[] for _ in range(max(layers.values(), default=-1) + 1)]
    for name in nodes:
        columns[layers[name]].append(name)
    for chain in chains:
        for step, lane in enumerate(chain[1:-1], start=1):
            columns[layers[chain[0]] + step].append(lane)
    return columns


def _ordered(columns: list[list[str]], chains: Iterable[Chain]) -> list[list[str]]:
    """Each layer by where its neighbours stand, from left to right and back: fewer edges cross."""
    before, after = _neighbours(chains)
    for sweep in range(SWEEPS):
        forth = sweep % 2 == 0
        order = range(1, len(columns)) if forth else range(len(columns) - 2, -1, -1)
        for layer in order:
            beside = columns[layer - 1] if forth else columns[layer + 1]
            places = {name: place for place, name in enumerate(beside)}
            near = before if forth else after
            columns[layer] = _by_neighbours(columns[layer], near, places)
    return columns


def _by_neighbours(column: list[str], near: dict[str, list[str]], places: dict[str, int]) -> list[str]:
    """Stable: who has no neighbour stays where it is."""

    def centre(item: tuple[int, str]) -> float:
        place, name = item
        found = [places[other] for other in near.get(name, []) if other in places]
        return sum(found) / len(found) if found else float(place)

    return [name for _place, name in sorted(enumerate(column), key=centre)]


def _neighbours(chains: Iterable[Chain]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for chain in chains:
        for start, end in pairwise(chain):
            before.setdefault(end, []).append(start)
            after.setdefault(start, []).append(end)
    return before, after


def _tops(columns: list[list[str]], chains: Iterable[Chain]) -> dict[str, float]:
    """Upper edges: as near to the height of what each comes from as what stands above leaves room for."""
    before, _after = _neighbours(chains)
    tops: dict[str, float] = {}
    for column in columns:
        free = float(MARGIN)
        for name in column:
            high = _height(name)
            near = [tops[other] + _height(other) / 2 for other in before.get(name, []) if other in tops]
            wanted = sum(near) / len(near) - high / 2 if near else free
            tops[name] = max(free, wanted)
            free = tops[name] + high + DOWN
    return tops


def _height(name: str) -> int:
    return LANE if "\0" in name else HEIGHT


def _left(layer: int) -> float:
    return MARGIN + layer * (WIDTH + ACROSS)


def _path(chain: Chain, layers: dict[str, int], tops: dict[str, float]) -> str:
    """Curves between the layers, level within one."""
    said, first = "", layers[chain[0]]
    for step, (start, end) in enumerate(pairwise(chain)):
        x1, y1 = _left(first + step) + WIDTH, tops[start] + _height(start) / 2
        x2, y2 = _left(first + step + 1), tops[end] + _height(end) / 2
        middle = (x1 + x2) / 2
        said += f"{'L' if said else 'M'}{x1:.0f} {y1:.0f}C{middle:.0f} {y1:.0f} {middle:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    return said
