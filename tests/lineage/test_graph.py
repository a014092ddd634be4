"""The layout: no boxes overlap, nothing runs backwards, the same graph gives the same drawing."""

from itertools import combinations
from random import Random

import pytest

from lineage.graph import HEIGHT, LETTERS, WIDTH, Graph, Node, shortened


def graph(edges: list[tuple[int, int]], nodes: int) -> Graph:
    made = Graph()
    for number in range(nodes):
        made.add(Node(str(number), "node", f"Node {number}"))
    for start, end in edges:
        made.lead(str(start), str(end))
    return made


@pytest.mark.parametrize("seed", range(20))
def test_boxes_never_overlap_and_edges_lead_to_the_right(seed: int):
    chance = Random(seed)
    nodes = chance.randint(1, 30)
    edges = [(chance.randrange(nodes), chance.randrange(nodes)) for _ in range(chance.randint(0, 60))]
    drawing = graph(edges, nodes).draw()
    assert len(drawing.boxes) == nodes
    for one, other in combinations(drawing.boxes, 2):
        assert abs(one.x - other.x) >= WIDTH or abs(one.y - other.y) >= HEIGHT
    places = {box.node.id: box for box in drawing.boxes}
    for box in drawing.boxes:
        assert box.x >= 0 and box.x + WIDTH <= drawing.width and box.y >= 0 and box.y + HEIGHT <= drawing.height
        assert all(places[node.id].layer > box.layer for node in box.leads)
    assert graph(edges, nodes).draw() == drawing


def test_a_chain_is_level_and_a_long_edge_goes_round_what_stands_between():
    drawing = graph([(0, 1), (1, 2), (0, 2)], 3).draw()
    places = {box.node.id: box for box in drawing.boxes}
    assert [places[name].layer for name in "012"] == [0, 1, 2]
    straight, long = drawing.lines[0], drawing.lines[2]
    assert straight.path.count("C") == 1 and long.path.count("C") == 2
    lane = float(long.path.split("L")[1].split("C")[0].split()[1])
    assert not places["1"].y <= lane <= places["1"].y + HEIGHT


def test_what_closes_a_circle_or_leads_nowhere_is_left_out():
    made = graph([(0, 1), (1, 0)], 2)
    made.lead("0", "nobody")
    made.lead("0", None)
    assert len(made.draw().lines) == 1
    assert Graph().draw().boxes == []


def test_a_long_text_is_shortened_in_the_middle():
    assert shortened("x" * LETTERS) == "x" * LETTERS
    assert shortened("begin" + "x" * 40 + "end") == "beginxxxxxxxx…xxxxxxxxxend" and len(shortened("y" * 99)) == LETTERS
