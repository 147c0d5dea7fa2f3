"""Catalogue files in YAML: read as a tree of text with the line of every part. Pure."""

from typing import Any, Final

import yaml

from ingest.catalog_faults import Mark, Place
from ingest.catalog_tree import SECTIONS, Draft

NODES_MAX: Final = 5_000_000
"""Parts of one file, aliases followed: a file may not unfold without end."""
DEPTH_MAX: Final = 12
_NULL_TAG: Final = "tag:yaml.org,2002:null"
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(draft: Draft, name: str, text: str) -> None:
    """Add the sections of one YAML file to a draft; faults are noted in it.

    Args:
        draft: The catalogue so far.
        name: The file's name, for the marks.
        text: Its content.
    """
    top = (name,)
    draft.marks[top] = Mark(name, 1)
    try:
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        draft.marks[(name, line)] = Mark(name, line)
        draft.fault((name, line), f"this is no YAML: {error.problem}")
        return
    except yaml.YAMLError as error:
        draft.fault(top, f"this is no YAML: {error}")
        return
    if node is None:
        return
    if not isinstance(node, yaml.MappingNode):
        draft.fault(top, f"the file holds no sections ({', '.join(SECTIONS)})")
        return
    _File(draft, name).sections(node)


class _File:
    def __init__(self, draft: Draft, name: str) -> None:
        self._draft = draft
        self._name = name
        self._nodes = 0

    def sections(self, root: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key, node in root.value:
            section = str(key.value)
            place = (self._name, section)
            self._draft.marks[place] = self._mark(key)
            if section not in SECTIONS or section in seen:
                wrong = "is there twice" if section in seen else "is no section"
                self._draft.fault(
                    place, f"{section!r} {wrong}; the sections are {', '.join(SECTIONS)}"
                )
                continue
            seen.add(section)
            self._section(section, node)

    def _section(self, section: str, node: yaml.Node) -> None:
        draft = self._draft
        if _empty(node):
            return
        if section == "network":
            if section in draft.tree:
                draft.fault((self._name, section), "network is given in another file, too")
                return
            draft.marks[section,] = self._mark(node)
            draft.tree[section] = self._value(node, (section,))
            return
        if not isinstance(node, yaml.SequenceNode):
            draft.fault((self._name, section), f"{section} needs a list")
            return
        for item in node.value:
            place = draft.add(section, {}, self._mark(item))
            draft.tree[section][-1] = self._value(item, place)

    def _value(self, node: yaml.Node, place: Place) -> Any:
        self._nodes += 1
        if len(place) > DEPTH_MAX or self._nodes > NODES_MAX:
            self._draft.fault(place, "this goes too deep or unfolds too far")
            return ""
        self._draft.marks.setdefault(place, self._mark(node))
        if isinstance(node, yaml.ScalarNode):
            return node.value
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*place, i)) for i, item in enumerate(node.value)]
        found: dict[str, Any] = {}
        for key, inner in node.value:
            name = str(key.value)
            at = (*place, name)
            if name in found:
                self._draft.fault(at, "the field is there twice")
            if not _empty(inner):
                self._draft.marks[at] = self._mark(key)
                found[name] = self._value(inner, at)
        return found

    def _mark(self, node: yaml.Node) -> Mark:
        return Mark(self._name, node.start_mark.line + 1)


def _empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _NULL_TAG
