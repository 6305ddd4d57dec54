"""What a template may be, and the check that it is nothing else.

Templates are Jinja2 in a sandbox, cut down to what a reply needs: `{{ variable }}`, a few filters, `if`/`else`. No
loops, no calls, no assignments, and no variables but those in `VARIABLES`, each a text or true/false.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.sandbox import SandboxedEnvironment

from policies.words import shown, suggestion

MAX_SOURCE = 4_000
MAX_OUTPUT = 20_000
FILTERS = ("capitalize", "default", "lower", "title", "trim", "upper")

# What a template may say, with an example of each for checks and previews.
VARIABLES: Mapping[str, str | bool] = {
    "author.name": "Ana García",
    "author.first_name": "Ana",
    "author.handle": "ana",
    "customer.known": True,
    "customer.name": "Ana García",
    "customer.first_name": "Ana",
    "case.exists": False,
    "case.reference": "ES-26-000123-7",
    "brand.name": "Acme",
    "brand.signature": "",
    "network": "mastodon",
    "team": "care",
    "language": "es",
    "urgency": "normal",
}

_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Getattr,
    nodes.Filter,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Const,
)
_STATEMENTS = {
    nodes.For: "a loop (`for`)",
    nodes.Call: "a call (`…()`)",
    nodes.Assign: "an assignment (`set`)",
    nodes.Macro: "a macro",
    nodes.Include: "an `include`",
    nodes.Import: "an `import`",
    nodes.Extends: "an `extends`",
    nodes.Getitem: "a subscript (`[…]`)",
    nodes.Test: "a test (`is …`)",
}


class _Environment(SandboxedEnvironment):
    def getattr(self, obj: Any, attribute: str) -> Any:
        """A key of a variable, never an attribute of an object."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return self.undefined(obj=obj, name=attribute)


def _environment() -> _Environment:
    # Replies are plain text, which networks escape themselves; HTML escaping would show as `&amp;`.
    environment = _Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    environment.filters = {name: environment.filters[name] for name in FILTERS}
    environment.globals = {}
    environment.tests = {}
    return environment


_ENVIRONMENT = _environment()


@lru_cache(maxsize=2048)
def template_problem(source: str) -> str:
    """What is wrong with a template, in one sentence with the next step; empty when nothing is."""
    if len(source) > MAX_SOURCE:
        return f"this template is longer than {MAX_SOURCE} characters; shorten it"
    try:
        return _problem(source)
    except jinja2.TemplateSyntaxError as error:
        reason = shown(error.message or "syntax error", 120)
        return f"this template cannot be read ({reason}); check its braces and its `if`"
    except jinja2.TemplateError as error:
        return f"this template does not work ({shown(str(error), 120)}); write it simpler"
    except (RecursionError, MemoryError, SyntaxError):
        return "this template is nested too deep; write it flatter"


def _problem(source: str) -> str:
    tree = parsed(source)
    for node in _walk(tree):
        problem = _node_problem(node)
        if problem:
            return problem
    if said_unasked(tree, ("customer.name", "customer.first_name"), ("customer.known",)):
        return "not every author is a known customer; put the name inside `{% if customer.known %}…{% endif %}`"
    if not render(compiled(source), nested(VARIABLES)):
        return "this template gives an empty reply; write what it should say"
    return ""


def _walk(tree: nodes.Node) -> Iterator[nodes.Node]:
    """Every node once; a `Getattr` is judged whole, so what is under it is left out."""
    waiting: list[nodes.Node] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, nodes.Getattr):
            waiting.extend(node.iter_child_nodes())


def _node_problem(node: nodes.Node) -> str:
    if not isinstance(node, _ALLOWED):
        what = next((text for kind, text in _STATEMENTS.items() if isinstance(node, kind)), type(node).__name__.lower())
        return f"{what} is not allowed in a template; use variables, filters and `if`/`else` only"
    if isinstance(node, nodes.Name | nodes.Getattr):
        path = _path(node)
        return "" if path in VARIABLES and node.ctx == "load" else _unknown(path)
    if isinstance(node, nodes.Filter):
        return _filter_problem(node)
    if isinstance(node, nodes.Operand) and node.op not in ("eq", "ne"):
        return "only `==` and `!=` compare in a template; conditions belong into the rule's `when`"
    return ""


def _filter_problem(node: nodes.Filter) -> str:
    if node.name not in FILTERS:
        return f"the filter `{shown(node.name)}` is not known{suggestion(node.name, FILTERS)}"
    if node.kwargs or node.dyn_args or node.dyn_kwargs or len(node.args) > (node.name == "default"):
        return f"the filter `{node.name}` is given too much; only `default('…')` takes something"
    if not all(isinstance(argument, nodes.Const) for argument in node.args):
        return "the filter `default` takes a text in quotes; write it like `default('…')`"
    return ""


def _unknown(path: str) -> str:
    if path.startswith("…"):
        return "a template reads variables only, not what is inside of a text; write it like `{{ author.name }}`"
    return f"the variable `{shown(path)}` is not known{suggestion(path, VARIABLES)}"


def _path(node: nodes.Expr) -> str:
    parts: list[str] = []
    while isinstance(node, nodes.Getattr):
        parts.append(node.attr)
        node = node.node
    parts.append(node.name if isinstance(node, nodes.Name) else "…")
    return ".".join(reversed(parts))


def nested(values: Mapping[str, str | bool]) -> dict[str, Any]:
    """Dotted names as the dictionaries that a template reads."""
    context: dict[str, Any] = {}
    for path, value in values.items():
        head, _, tail = path.partition(".")
        if tail:
            context.setdefault(head, {})[tail] = value
        else:
            context[head] = value
    return context


def render(template: jinja2.Template, context: dict[str, Any]) -> str:
    """The reply, its lines trimmed, cut at `MAX_OUTPUT` characters."""
    pieces: list[str] = []
    size = 0
    for piece in template.root_render_func(template.new_context(context, shared=True)):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_OUTPUT:
            break
    lines = [line.strip() for line in "".join(pieces)[:MAX_OUTPUT].strip().split("\n")]
    return "\n".join(line for number, line in enumerate(lines) if line or lines[number - 1])


@lru_cache(maxsize=2048)
def quotes_case(source: str) -> bool:
    """Whether a checked template quotes `case.reference` without asking first whether there is a case."""
    return said_unasked(parsed(source), ("case.reference",), ("case.reference", "case.exists"))


@lru_cache(maxsize=2048)
def parsed(source: str) -> nodes.Template:
    """The template as Jinja's tree."""
    return _ENVIRONMENT.parse(source)


@lru_cache(maxsize=2048)
def compiled(source: str) -> jinja2.Template:
    """A checked template, ready to render."""
    return _ENVIRONMENT.from_string(source)


def variables_in(tree: nodes.Node) -> set[str]:
    """The dotted variables that a template reads."""
    return {_path(node) for node in _walk(tree) if isinstance(node, nodes.Getattr)}


def said_unasked(node: nodes.Node, wanted: Sequence[str], asking: Sequence[str]) -> bool:
    """Whether a variable in `wanted` is said outside an `if` on one in `asking`."""
    if isinstance(node, nodes.Getattr):
        return _path(node) in wanted
    if isinstance(node, nodes.If | nodes.CondExpr):
        if variables_in(node.test) & set(asking):
            return False
        children: list[nodes.Node] = [child for child in node.iter_child_nodes() if child is not node.test]
    else:
        children = list(node.iter_child_nodes())
    return any(said_unasked(child, wanted, asking) for child in children)
