"""Documents that try to exhaust, execute, confuse or crash whoever reads them."""

from collections.abc import Iterator

from graph_documents import SMALL, small

TAGS = (
    "!!python/object:os.system",
    "!!python/object/apply:os.system",
    "!!python/object/new:os.system",
    "!!python/name:os.system",
    "!!python/module:os",
    "!!python/tuple",
    "!!binary",
    "!!set",
    "!!omap",
    "!!timestamp",
    "!!null",
    "!own",
    "!",
    "!<tag:yaml.org,2002:str>",
    "!<!>",
)
CONTROLS = (
    "\x00\x01\x07\x08\x0b\x0c\x1b\x7f\x85\x9b\u2028\u202e\u2066\ud800\udfff\ufeff\ufffe\uffff"
)
ESCAPES = (r"\0", r"\a", r"\e[31m", r"\x7f", r"\u202e", r"\N", r"\ud800", r"\uFFFF", r"\U00110000")


def hostile_documents() -> Iterator[tuple[str, str | bytes]]:
    """About a hundred names and documents."""
    yield from _bombs()
    yield from _nests()
    yield from _giants()
    yield from _crowds()
    yield from _keys()
    yield from _broken()
    yield from _bytes()
    for tag in TAGS:
        yield f"tag {tag}", small("version: 2", f"version: {tag} 2")
        yield f"tag {tag} on a list", SMALL + f"migrate: {tag} []\n"
    for sign in CONTROLS:
        yield f"character U+{ord(sign):04X}", small("small", f"small # {sign}")
    for escape in ESCAPES:
        yield f"escape {escape}", small("version: 2", f'version: 2\ntitle: "a{escape}b"')


def _bombs() -> Iterator[tuple[str, str]]:
    laughs = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 9))
    yield "billion laughs", "l0: &l0 ha\n" + laughs
    flow = "".join(f", &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 9))
    yield "billion laughs in flow style", f"graph: [&l0 ha{flow}]"
    yield "list that holds itself", "graph: &me [*me]"
    yield "mapping that holds itself", "&me\ngraph: *me\n"
    yield "key that is an alias", "a: &k b\n*k : c\n"
    yield "alias to nothing", "graph: *nobody"
    yield "anchors without aliases", "".join(f"k{n}: &a{n} x\n" for n in range(3_000))
    yield "merge of itself", "a: &a\n  <<: *a\n"
    yield (
        "merge bomb",
        "a: &a {x: 1}\n" + "".join(f"b{n}: {{<<: [*a, *a]}}\n" for n in range(2_000)),
    )
    yield "merge of a written mapping", small("b: {rest: true}", "b: {<<: {rest: true}}")
    yield "quoted merge key", small("b: {rest: true}", "b: {'<<': {rest: true}}")


def _nests() -> Iterator[tuple[str, str]]:
    for depth in (33, 2_000, 120_000):
        yield f"{depth} open brackets", "[" * depth
        yield f"{depth} nested lists", "[" * depth + "]" * depth
        yield f"{depth} open braces", "{a: " * depth
    yield "nested one-key mappings", "{? " * 2_000 + "}" * 2_000
    yield "nested dashes", "- " * 100_000
    yield "nested question marks", "? " * 100_000
    yield "a staircase of keys", "".join(f"{' ' * n}k:\n" for n in range(700))
    yield "a staircase of brackets", "\n".join(" " * n + "[" for n in range(700))
    yield "deep below a good document", SMALL + "migrate: " + "[" * 40 + "]" * 40


def _giants() -> Iterator[tuple[str, str]]:
    yield "a plain giant", "graph: " + "x" * 250_000
    yield "a quoted giant", 'graph: "' + "x" * 250_000 + '"'
    yield "a folded giant", "graph: >\n" + "  xx\n" * 50_000
    yield "a giant of many plain lines", "graph: x\n" + "  xx\n" * 50_000
    yield "a giant of blank lines in quotes", 'graph: "' + "\n" * 250_000 + '"'
    yield "a giant key", "x" * 250_000 + ": 1"
    yield "a giant explicit key", "? " + "x" * 250_000 + "\n: 1"
    yield "a giant number", small("version: 2", f"version: {'9' * 900}")
    yield "a huge duration", small("1h", "999999999d")
    yield "a huge float", small("version: 2", "version: 1e999999999")
    yield "a giant comment", SMALL + "# " + "x" * 300_000
    yield "a giant of astral signs", "graph: " + "\U0001f600" * 100_000
    yield "a giant anchor", "graph: &" + "x" * 250_000 + " 1"
    yield "a giant tag", "graph: !" + "x" * 250_000 + " 1"
    yield "a giant unknown key", small("version: 2", f"version: 2\n{'v' * 1_000}: 2")


def _crowds() -> Iterator[tuple[str, str]]:
    yield "many nodes", "[" + "a, " * 80_000 + "]"
    yield "many empty lists", "- []\n" * 50_000
    yield "many unknown keys", SMALL + "".join(f"grap{n}: 1\n" for n in range(4_000))
    yield "many unknown states", small("to: b", "to: b, when: [" + "is_x, " * 4_000 + "]")
    yield (
        "many different unknown guards",
        small("to: b", "to: b, when: [" + ", ".join(f"is_roun{n}" for n in range(4_000)) + "]"),
    )
    yield (
        "many states",
        small("events:", "".join(f"  s{n}: {{}}\n" for n in range(4_000)) + "events:"),
    )
    yield (
        "many events",
        small("effects:", "".join(f"  E{n}: {{kind: fact}}\n" for n in range(2_000)) + "effects:"),
    )
    yield (
        "many timers",
        small(
            "transitions:",
            "timers:\n"
            + "".join(f"  T{n}: {{after: 1h, states: any}}\n" for n in range(1_500))
            + "transitions:",
        ),
    )
    yield (
        "many rules of any state",
        small("events:", "".join(f"  s{n}: {{}}\n" for n in range(190)) + "events:")
        + "".join(f"  - {{id: r{n}, from: any, on: [Go, Tick]}}\n" for n in range(600)),
    )
    yield (
        "many rules for one event",
        SMALL
        + "".join(f"  - {{id: r{n}, from: a, on: Tick, when: is_round}}\n" for n in range(900)),
    )
    yield "many duplicate keys", "a: 1\n" * 4_000
    yield "many keys that are lists", "".join("? [a]\n: b\n" for _ in range(2_000))


def _keys() -> Iterator[tuple[str, str]]:
    for key in ("1", "1.5", "null", "~", "true", "0x1f", "[a]", "{a: b}", ".inf"):
        yield f"key {key}", small("b: {rest: true}", f"b: {{? {key} : true}}")
    yield "duplicate section", SMALL + "states: {}\n"
    yield "duplicate key in other quotes", small("b: {rest: true}", "b: {rest: true, 'rest': true}")


def _broken() -> Iterator[tuple[str, str]]:
    yield "nothing", ""
    yield "only white space", " \n\n"
    yield "only a comment", "# graph\n"
    yield "only a null", "~"
    yield "only a text", "graph"
    yield "only a list", "- graph\n"
    yield "only document marks", "---\n...\n"
    yield "two documents", SMALL + "---\n" + SMALL
    yield "many documents", "---\n" * 50_000
    yield "a future version", "%YAML 3.0\n---\n" + SMALL
    yield "a tag directive", "%TAG ! tag:evil,2000:\n---\n!x " + SMALL
    yield "an unknown directive twice", "%YAML 1.1\n%YAML 1.1\n---\n" + SMALL
    yield "an open quote", small("graph: small", 'graph: "small')
    yield "a stray brace", SMALL + "}"
    yield "a tab as indentation", small("  b: {rest: true}", "\tb: {rest: true}")
    yield "a broken escape", small("graph: small", r'graph: "\q"')
    yield "a dotted import", small("do: call", "do: os.system")
    yield "an import as a guard", small("to: b", "to: b, when: [subprocess.call]")
    yield "code as a guard", small("to: b", "to: b, when: ['__import__(\"os\")']")
    yield "dunder name", small("do: call", "do: __class__")


def _bytes() -> Iterator[tuple[str, bytes]]:
    yield "junk", bytes(range(256)) * 16
    yield "zeros", bytes(10_000)
    yield "a PNG", b"\x89PNG\r\n\x1a\n" + bytes(64)
    yield "a gzip", b"\x1f\x8b\x08" + bytes(64)
    yield "UTF-16", SMALL.encode("utf-16")
    yield "UTF-16 without mark", SMALL.encode("utf-16-le")
    yield "UTF-32", SMALL.encode("utf-32")
    yield "Latin-1", SMALL.replace("small", "größe").encode("latin-1")
    yield "overlong UTF-8", b"graph: \xc0\xaf\n"
    yield "surrogates in UTF-8", b"graph: \xed\xa0\x80\n"
    yield "a cut character", "graph: ä".encode()[:-1]
    yield "more than the limit", b"#" * 10_000_000
