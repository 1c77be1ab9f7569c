"""Node trees of materials and worlds."""

from __future__ import annotations

from typing import Any


def empty_node_tree(owner: Any) -> Any:
    """The node tree of a new material or world, without the nodes that Blender puts there."""
    if not owner.node_tree:  # Blender 5 makes one at once
        owner.use_nodes = True
    owner.node_tree.nodes.clear()
    return owner.node_tree
