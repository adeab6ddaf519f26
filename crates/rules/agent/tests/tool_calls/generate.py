#!/usr/bin/env python3
"""Makes generated.jsonl: well-formed calls in every form, damaged as models damage them.

Knows nothing of the reader it tests: what a damaged text still says is decided here, by what was damaged.
Same seed, same file:  python3 generate.py > generated.jsonl
"""

import json
import random

RANDOM = random.Random(20261121)

CODE = 'def greet(name):\n    if name == "":\n        return "nobody"\n    return f"hello, {name}"\n'
CALLS = [
    ("read_file", {"path": "src/main.rs"}),
    ("read_file", {"path": "docs/a b.md", "limit": 40, "offset": 3}),
    ("read_file", {"path": "tests/it's.py", "limit": 1}),
    ("search", {"query": "fn main", "glob": None, "case_sensitive": True}),
    ("search", {"query": 'say "hi"', "glob": "*.py", "max_results": 20}),
    ("search", {"query": "naïve café ☕", "case_sensitive": False}),
    ("run_command", {"command": "pytest -q tests", "timeout_s": 1.5, "level": "low"}),
    ("run_command", {"command": "grep -rn 'a b' . | head -3", "level": "high"}),
    ("write_file", {"path": "greet.py", "content": CODE}),
    ("write_file", {"path": "a.json", "content": '{\n  "a": [1, 2],\n  "b": {"c": null}\n}\n'}),
    ("write_file", {"path": "empty.txt", "content": ""}),
    ("edit_file", {"path": "a.py", "edits": [{"old": "x = 1", "new": "x = 2", "count": 1}], "dry_run": False}),
    ("edit_file", {"path": "b.py", "edits": [{"old": "a", "new": "b"}, {"old": "c(1)", "new": "c(2)"}]}),
    ("list_files", {}),
    ("search", {"query": "\\d+\\s\\w", "max_results": 5}),
]
INTEGERS = {"limit", "offset", "max_results", "count"}
BEFORE = ["I will look at the file first.\n\n", "Sure! Here is the call:\n", "Let me do that for you. ", "1. Read the file.\n2. Change it.\n\n"]
AFTER = ["\n\nThis will show the file.", "\nI am waiting for the result.", "\n\nDone!"]
ENDS = ["<|im_end|>", "<|eot_id|>", "</s>", "<|endoftext|>"]


class Dump:
    """JSON with chosen faults."""

    def __init__(self, *faults, indent=None):
        self.faults = set(faults)
        self.indent = indent

    def has(self, fault):
        return fault in self.faults

    def string(self, text):
        if self.has("triple_quotes") and "\n" in text:
            return '"""' + text.replace("\\", "\\\\") + '"""'
        body = json.dumps(text, ensure_ascii=False)[1:-1]
        if self.has("raw_lines"):
            body = body.replace("\\n", "\n")
        if self.has("inner_quotes"):
            body = body.replace('\\"', '"')
        if self.has("wrong_escapes"):
            body = body.replace("'", "\\'").replace("\\\\", "\\")
        if self.has("smart_quotes"):
            return "“" + body + "”"
        if self.has("single_quotes"):
            return "'" + body.replace('\\"', '"').replace("'", "\\'") + "'"
        if self.has("single_quotes_unescaped"):
            return "'" + body.replace('\\"', '"') + "'"
        return '"' + body + '"'

    def key(self, text):
        if self.has("bare_keys"):
            return text
        return self.string(text)

    def scalar(self, value):
        if isinstance(value, str):
            return self.string(value)
        text = json.dumps(value)
        if self.has("python_literals"):
            text = {"true": "True", "false": "False", "null": "None"}.get(text, text)
        return text

    def value(self, value, depth=0):
        if isinstance(value, dict):
            colon = " = " if self.has("equals") else ": "
            items = [self.key(k) + colon + self.value(v, depth + 1) for k, v in value.items()]
            return self.bracket("{", items, "}", depth)
        if isinstance(value, list):
            return self.bracket("[", [self.value(v, depth + 1) for v in value], "]", depth)
        return self.scalar(value)

    def bracket(self, opener, items, closer, depth):
        if not items:
            return opener + closer
        comma = ", "
        if self.has("missing_commas"):
            comma = "\n" if self.indent else " "
        if self.has("extra_commas"):
            comma = ",, "
        if self.indent is not None:
            pad = "\n" + " " * self.indent * (depth + 1)
            comma = comma.strip() + pad
            if self.has("comments"):
                comma = (", // next" if depth else ", # next") + pad
            tail = ("," if self.has("trailing_commas") else "") + "\n" + " " * self.indent * depth
            return opener + pad + comma.join(items) + tail + closer
        tail = "," if self.has("trailing_commas") else ""
        if self.has("comments"):
            comma = ", /* next */ "
        return opener + comma.join(items) + tail + closer


def envelope(call, name_key="name", args_key="arguments"):
    return {name_key: call[0], args_key: call[1]}


def render(form, calls, dump):
    """The calls in one form, as well as `dump` writes JSON."""
    objects = [dump.value(envelope(call)) for call in calls]
    if form == "openai":
        return objects[0] if len(objects) == 1 else dump.value([envelope(c) for c in calls])
    if form == "openai_function":
        inner = [{"type": "function", "function": {"name": n, "arguments": json.dumps(a)}} for n, a in calls]
        return dump.value(inner[0] if len(inner) == 1 else {"tool_calls": inner})
    if form == "tool_parameters":
        return "\n".join(dump.value(envelope(c, "tool", "parameters")) for c in calls)
    if form == "hermes":
        return "\n".join("<tool_call>\n%s\n</tool_call>" % o for o in objects)
    if form == "fence_json":
        return "\n".join("```json\n%s\n```" % o for o in objects)
    if form == "fence_tool":
        return "\n".join("```tool_call\n%s\n```" % o for o in objects)
    if form == "mistral":
        return "[TOOL_CALLS]" + dump.value([envelope(c) for c in calls])
    if form == "mistral_args":
        return "".join("[TOOL_CALLS]%s[ARGS]%s" % (n, dump.value(a)) for n, a in calls)
    if form == "llama":
        return "<|python_tag|>" + "; ".join(dump.value(envelope(c, "name", "parameters")) for c in calls)
    if form == "named":
        return "\n".join("%s%s" % (n, dump.value(a)) for n, a in calls)
    if form == "react":
        return "\n".join("Action: %s\nAction Input: %s" % (n, dump.value(a)) for n, a in calls)
    raise ValueError(form)


JSON_FORMS = ["openai", "openai_function", "tool_parameters", "hermes", "fence_json", "fence_tool", "mistral",
              "mistral_args", "llama", "named", "react"]


def python_value(value):
    return repr(value)


def pythonic(calls):
    return "[" + ", ".join("%s(%s)" % (n, ", ".join("%s=%s" % (k, python_value(v)) for k, v in a.items())) for n, a in calls) + "]"


def xml(calls, wrap=True, close_parameters=True, close_function=True):
    texts = []
    for name, arguments in calls:
        lines = ["<function=%s>" % name]
        for key, value in arguments.items():
            text = value if isinstance(value, str) else json.dumps(value)
            lines.append("<parameter=%s>\n%s%s" % (key, text, "\n</parameter>" if close_parameters else ""))
        if close_function:
            lines.append("</function>")
        text = "\n".join(lines)
        texts.append("<tool_call>\n%s\n</tool_call>" % text if wrap else text)
    return "\n".join(texts)


def glm(calls):
    texts = []
    for name, arguments in calls:
        pairs = "".join("<arg_key>%s</arg_key>\n<arg_value>%s</arg_value>\n" % (k, v if isinstance(v, str) else json.dumps(v))
                        for k, v in arguments.items())
        texts.append("<tool_call>%s\n%s</tool_call>" % (name, pairs))
    return "\n".join(texts)


def plain(calls):
    texts = []
    for name, arguments in calls:
        lines = ["TOOL " + name]
        for key, value in arguments.items():
            text = value if isinstance(value, str) else json.dumps(value)
            lines.append("%s: <<<\n%s\n>>>" % (key, text) if "\n" in text else "%s: %s" % (key, text))
        texts.append("\n".join(lines + ["END"]))
    return "\n".join(texts)


OTHER_FORMS = {"pythonic": pythonic, "xml": xml, "xml_bare": lambda c: xml(c, wrap=False), "glm": glm, "plain": plain}

CASES = []


def case(form, faults, text, calls=None, malformed=None):
    expect = {"malformed": malformed} if malformed else {"calls": [{"name": n, "arguments": a} for n, a in calls]}
    CASES.append({"id": "%04d-%s-%s" % (len(CASES), form, "+".join(faults) or "whole"), "text": text, "expect": expect})


def without_nulls(call):
    return (call[0], {k: v for k, v in call[1].items() if v is not None})


def pick(count, keep=lambda call: True):
    pool = [call for call in CALLS if keep(call)]
    return RANDOM.sample(pool, min(count, len(pool)))


def whole():
    for form in JSON_FORMS:
        for call in pick(4):
            case(form, [], render(form, [call], Dump()), [call])
        two = pick(2)
        case(form, ["several"], render(form, two, Dump()), two)
        call = pick(1)[0]
        case(form, ["pretty"], render(form, [call], Dump(indent=2)), [call])
    for form, write in OTHER_FORMS.items():
        for call in pick(5, lambda c: None not in c[1].values() or form == "pythonic"):
            case(form, [], write([call]), [call])
        two = pick(2, lambda c: None not in c[1].values())
        case(form, ["several"], write(two), two)


def json_faults():
    """Faults within the JSON, in every JSON form."""
    text_in = lambda *needles: lambda call: any(n in json.dumps(call[1]) for n in needles)
    faults = [
        (["single_quotes"], lambda c: True),
        (["single_quotes", "python_literals"], lambda c: True),
        (["single_quotes_unescaped"], text_in("it's", "main.rs", "a.py")),
        (["trailing_commas"], lambda c: c[1]),
        (["bare_keys"], lambda c: True),
        (["bare_keys", "trailing_commas"], lambda c: c[1]),
        (["python_literals"], text_in("true", "false", "null")),
        (["smart_quotes"], lambda c: '"' not in "".join(str(v) for v in c[1].values())),
        (["comments"], lambda c: len(c[1]) > 1),
        (["missing_commas"], lambda c: len(c[1]) > 1 and c[0] != "write_file"),
        (["extra_commas"], lambda c: len(c[1]) > 1),
        (["raw_lines"], text_in("\\n")),
        (["raw_lines", "inner_quotes"], lambda c: c[1].get("path") == "greet.py"),
        (["inner_quotes"], lambda c: c[1].get("path") == "greet.py" or "say" in c[1].get("query", "")),
        (["wrong_escapes"], lambda c: c[1].get("path", "").endswith("it's.py") or "\\" in c[1].get("query", "")),
        (["equals"], lambda c: True),
        (["triple_quotes"], lambda c: c[1].get("path") == "greet.py"),
        (["trailing_commas", "single_quotes", "python_literals"], lambda c: c[1]),
    ]
    for names, keep in faults:
        for form in JSON_FORMS:
            # the string within `openai_function` is made well-formed; damaging its quotes is another fault
            if form == "openai_function" and {"inner_quotes", "single_quotes_unescaped", "wrong_escapes"} & set(names):
                continue
            indent = 2 if {"comments", "missing_commas"} & set(names) and RANDOM.random() < 0.5 else None
            for call in pick(1, keep):
                case(form, names, render(form, [call], Dump(*names, indent=indent)), [call])


def end_faults():
    """Brackets, quotes and marks lost or doubled at the end, and cuts."""
    for form in ["openai", "tool_parameters", "hermes", "mistral", "mistral_args", "llama", "named", "react", "fence_json"]:
        for call in pick(3, lambda c: c[1]):
            text = render(form, [call], Dump())
            body = text.rsplit("\n</tool_call>", 1)[0].rsplit("\n```", 1)[0]
            tail = text[len(body):]
            for fault, count in [("lost_closer", 1), ("lost_closers", 2)]:
                if body[-count] not in "}]":
                    continue
                # a number right at the end may have gone on
                cut = body[-count - 1].isdigit() and not tail
                case(form, [fault], body[:-count] + tail, [call], malformed="truncated" if cut else None)
            case(form, ["extra_closer"], body + "}" + tail, [call])
        call = ("read_file", {"limit": 7, "path": "src/main.rs"})
        text = render(form, [call], Dump())
        cut = text.index("main.rs") + 4
        case(form, ["cut_in_string"], text[:cut], malformed="truncated")
        cut = text.index('"path"') + 7
        case(form, ["cut_before_value"], text[:cut], malformed="truncated")
        cut = text.index('"path"') - 2
        case(form, ["cut_before_required"], text[:cut], malformed="truncated")
    for call in pick(6, lambda c: c[1]):
        case("hermes", ["no_close_tag"], "<tool_call>\n" + json.dumps(envelope(call)), [call])
        case("hermes", ["no_open_tag"], json.dumps(envelope(call)) + "\n</tool_call>", [call])
        case("hermes", ["no_close_tag", "prose"], "<tool_call>\n" + json.dumps(envelope(call)) + RANDOM.choice(AFTER), [call])
        case("hermes", ["tag_without_bracket"], "<tool_call\n" + json.dumps(envelope(call)) + "\n</tool_call>", [call])
        case("hermes", ["fence_in_tag"], "<tool_call>\n```json\n%s\n```\n</tool_call>" % json.dumps(envelope(call)), [call])
        case("hermes", ["open_tag_as_close"], "<tool_call>\n%s\n<tool_call>" % json.dumps(envelope(call)), [call])
        case("hermes", ["tools_tag"], "<tools>\n%s\n</tools>" % json.dumps(envelope(call)), [call])
        case("hermes", ["upper_case_tag"], "<TOOL_CALL>%s</TOOL_CALL>" % json.dumps(envelope(call)), [call])
        case("hermes", ["doubled_braces"], "<tool_call>\n{%s}\n</tool_call>" % json.dumps(envelope(call)), [call])
        case("fence_json", ["no_close_fence"], "```json\n" + json.dumps(envelope(call)), [call])
        case("fence_tool", ["no_close_fence"], "```tool_call\n" + json.dumps(envelope(call)), [call])
        case("fence_plain", ["no_info"], "```\n%s\n```" % json.dumps(envelope(call)), [call])
        case("fence_python", ["wrong_info"], "```python\n%s\n```" % json.dumps(envelope(call)), [call])
    two = pick(2)
    case("hermes", ["no_close_tag", "several"], "\n".join("<tool_call>\n" + json.dumps(envelope(c)) for c in two), two)
    for call in [("read_file", {"path": "src/main.rs"}), ("search", {"query": "fn main"})]:
        text = json.dumps(envelope(call))
        case("hermes", ["lost_quote"], "<tool_call>\n%s}}\n</tool_call>" % text[:-3], [call])
        case("openai", ["lost_quote_open_end"], text[:-3] + "}}", malformed="truncated")
    for mark in ["<tool_call>", "<tool_call>\n</tool_call>", "[TOOL_CALLS]", "<|python_tag|>", "[TOOL_CALLS][]", "<tool_call>{}</tool_call>", "</tool_call>", "<tool_call>I will read it.</tool_call>"]:
        case("mark", ["empty"], mark, malformed="any")


def name_faults():
    for call in pick(8):
        name, arguments = call
        for fault, written in [
            ("camel", "".join(part.title() for part in name.split("_"))),
            ("upper", name.upper()),
            ("dash", name.replace("_", "-")),
            ("namespace", "functions." + name),
            ("server", "mcp/" + name),
        ]:
            form = RANDOM.choice(["hermes", "openai", "mistral", "llama", "fence_json"])
            case(form, ["name_" + fault], render(form, [(written, arguments)], Dump()), [call])
        if len(name) >= 6:
            at = RANDOM.randrange(1, len(name) - 2)
            slips = {"swap": name[:at] + name[at + 1] + name[at] + name[at + 2:], "drop": name[:at] + name[at + 1:], "double": name[:at] + name[at] + name[at:]}
            for fault, written in slips.items():
                case("hermes", ["name_" + fault], render("hermes", [(written, arguments)], Dump()), [call])
    for written in ["delete_everything", "fetch_url", "python", "x"]:
        for form in ["hermes", "openai", "mistral", "mistral_args", "llama", "fence_tool"]:
            case(form, ["unknown_tool"], render(form, [(written, {"path": "a"})], Dump()), malformed="unknown_tool")
    for key, args in [("tool_name", "args"), ("function", "params"), ("action", "action_input"), ("name", "input"), ("function_name", "kwargs"), ("Name", "Arguments")]:
        for call in pick(2, lambda c: c[1]):
            case("openai", ["keys_" + key], json.dumps(envelope(call, key, args)), [call])
    for call in pick(4, lambda c: c[1]):
        case("openai", ["flat"], json.dumps({"tool": call[0], **call[1]}), [call])
        case("hermes", ["flat"], "<tool_call>\n%s\n</tool_call>" % json.dumps({"name": call[0], **call[1]}), [call])
        case("openai", ["name_as_key"], json.dumps({call[0]: call[1]}), [call])
        case("hermes", ["name_attribute"], '<tool_call name="%s">%s</tool_call>' % (call[0], json.dumps(call[1])), [call])
        case("hermes", ["name_tags"], "<tool_call><name>%s</name><arguments>%s</arguments></tool_call>" % (call[0], json.dumps(call[1])), [call])


def value_faults():
    as_text = lambda v: json.dumps(v) if not isinstance(v, str) else v
    for form in ["hermes", "openai", "mistral", "llama", "mistral_args", "fence_json"]:
        for call in pick(2, lambda c: INTEGERS & set(c[1]) or "case_sensitive" in c[1] or "timeout_s" in c[1]):
            name, arguments = call
            case(form, ["scalars_as_strings"], render(form, [(name, {k: as_text(v) for k, v in arguments.items() if v is not None})], Dump()), [without_nulls(call)])
    for form in ["hermes", "openai", "mistral"]:
        for call in pick(2, lambda c: INTEGERS & set(c[1])):
            arguments = {k: float(v) if k in INTEGERS else v for k, v in call[1].items()}
            case(form, ["whole_floats"], render(form, [(call[0], arguments)], Dump()), [call])
        for call in pick(2, lambda c: c[1]):
            case(form, ["arguments_in_string"], render(form, [(call[0], json.dumps(call[1]))], Dump()), [call])
            case(form, ["arguments_twice_in_string"], render(form, [(call[0], json.dumps(json.dumps(call[1])))], Dump()), [call])
            case(form, ["arguments_in_list"], render(form, [(call[0], [call[1]])], Dump()), [call])
            case(form, ["parameter_case"], render(form, [(call[0], {k.title(): v for k, v in call[1].items()})], Dump()), [call])
        call = ("edit_file", {"path": "a.py", "edits": [{"old": "x", "new": "y"}]})
        case(form, ["list_in_string"], render(form, [(call[0], {"path": "a.py", "edits": json.dumps(call[1]["edits"])})], Dump()), [call])
        case(form, ["list_of_one_bare"], render(form, [(call[0], {"path": "a.py", "edits": call[1]["edits"][0]})], Dump()), [call])
        call = ("run_command", {"command": "ls", "level": "high"})
        case(form, ["choice_case"], render(form, [("run_command", {"command": "ls", "level": "HIGH"})], Dump()), [call])
        case(form, ["wrong_choice"], render(form, [("run_command", {"command": "ls", "level": "enormous"})], Dump()), malformed="no_choice")
        case(form, ["wrong_type"], render(form, [("read_file", {"path": "a", "limit": "many"})], Dump()), malformed="wrong_type")
        case(form, ["wrong_type_object"], render(form, [("read_file", {"path": {"a": 1}})], Dump()), malformed="wrong_type")
        case(form, ["missing_required"], render(form, [("write_file", {"path": "a"})], Dump()), malformed="missing_parameter")
        case(form, ["unknown_parameter"], render(form, [("write_file", {"path": "a", "content": "b", "colour": 1})], Dump()), malformed="unknown_parameter")
        case(form, ["no_object"], render(form, [("write_file", "a.py")], Dump()), malformed="no_parameters")
        case(form, ["null_optional"], render(form, [("read_file", {"path": "a", "limit": None})], Dump()), [("read_file", {"path": "a"})])
    for call in pick(4, lambda c: c[1]):
        text = json.dumps(envelope(call)).replace("\\", "\\\\").replace('"', '\\"')
        case("hermes", ["escaped_object"], "<tool_call>\n%s\n</tool_call>" % text, [call])


def surroundings():
    for form in JSON_FORMS:
        call, other = pick(2)
        text = render(form, [call], Dump())
        case(form, ["prose_before"], RANDOM.choice(BEFORE) + text, [call])
        case(form, ["prose_around"], RANDOM.choice(BEFORE) + text + RANDOM.choice(AFTER), [call])
        case(form, ["end_token"], text + RANDOM.choice(ENDS), [call])
        case(form, ["thinking"], "<think>\nI should use a tool. Something like {\"x\": 1}?\n</think>\n\n" + text, [call])
        case(form, ["thinking_without_begin"], "I should use a tool.\n</think>\n\n" + text, [call])
        case(form, ["crlf"], text.replace("\n", "\r\n"), [call])
        case(form, ["byte_order_mark"], "\ufeff" + text, [call])
        case(form, ["blank_lines"], "\n\n   \n" + text + "\n \n\n", [call])
        if form not in ("named", "react"):
            damaged = render(form, [call], Dump("single_quotes", "trailing_commas"))
            case(form, ["prose_around", "single_quotes", "trailing_commas"], RANDOM.choice(BEFORE) + damaged + RANDOM.choice(AFTER), [call])
    for form, write in OTHER_FORMS.items():
        call = pick(1, lambda c: None not in c[1].values() and c[0] != "write_file")[0]
        case(form, ["prose_before"], "Let me check.\n" + write([call]), [call])
        case(form, ["end_token"], write([call]) + "<|im_end|>", [call])
        case(form, ["thinking"], "<think>hm</think>\n" + write([call]), [call])
    call = pick(1)[0]
    case("hermes", ["only_in_thinking"], "<think>\n%s\n</think>\nI have called the tool." % render("hermes", [call], Dump()), malformed="in_thinking")


def other_forms():
    for call in pick(5, lambda c: c[1] and None not in c[1].values()):
        case("xml", ["no_parameter_ends"], xml([call], close_parameters=False), [call])
        case("xml", ["no_function_end"], xml([call], close_function=False), [call])
        case("xml_bare", ["no_function_end"], xml([call], wrap=False, close_function=False), [call])
        quoted = "<function_calls>\n<invoke name=\"%s\">\n%s</invoke>\n</function_calls>" % (
            call[0], "".join('<parameter name="%s">%s</parameter>\n' % (k, v if isinstance(v, str) else json.dumps(v)) for k, v in call[1].items()))
        if not str(list(call[1].values())[-1]).endswith("\n") and "\n" not in json.dumps(list(call[1].values())).replace("\\n", "\n"):
            case("invoke", [], quoted, [call])
        case("xml", ["json_body"], "<function=%s>%s</function>" % (call[0], json.dumps(call[1])), [call])
        case("pythonic", ["lost_closer"], pythonic([call])[:-1], [call])
        case("pythonic", ["dict_argument"], "[%s(%r)]" % call, [call])
        case("pythonic", ["no_brackets"], pythonic([call])[1:-1], [call])
        case("pythonic", ["json_literals"], "[%s(%s)]" % (call[0], ", ".join("%s=%s" % (k, json.dumps(v)) for k, v in call[1].items())), [call])
        case("python_tag", ["code"], "<|python_tag|>%s.call(%s)" % (call[0], ", ".join("%s=%r" % i for i in call[1].items())), [call])
        case("tool_code", [], "```tool_code\n%s\n```" % pythonic([call])[1:-1], [call])
    case("xml", ["cut"], "<tool_call>\n<function=read_file>\n<parameter=path>\nsrc/ma", malformed="truncated")
    case("xml", ["missing_required"], "<function=write_file>\n<parameter=path>\na\n</parameter>\n</function>", malformed="missing_parameter")
    case("pythonic", ["cut"], '[read_file(path="src/ma', malformed="truncated")
    case("pythonic", ["positional"], '[write_file("a", "b")]', malformed="no_parameters")
    case("plain", ["no_end"], "TOOL read_file\npath: src/ma", malformed="truncated")
    case("plain", ["no_end_but_block"], "TOOL write_file\npath: a\ncontent: <<<\nx\n>>>\n", [("write_file", {"path": "a", "content": "x"})])
    case("plain", ["fenced_value"], "TOOL write_file\npath: a\ncontent:\n```\nx = 1\n```\nEND", [("write_file", {"path": "a", "content": "x = 1"})])
    case("plain", ["lines_without_block"], "TOOL write_file\npath: a\ncontent:\nx = 1\ny: int = 2\nEND", [("write_file", {"path": "a", "content": "x = 1\ny: int = 2"})])
    case("plain", ["unknown_tool"], "TOOL fly\nto: moon\nEND", malformed="unknown_tool")
    case("plain", ["name_case"], "TOOL ReadFile\nPath: a.py\nEND", [("read_file", {"path": "a.py"})])
    call = ("read_file", {"path": "a.py"})
    case("deepseek", [], "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>read_file\n```json\n{\"path\": \"a.py\"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>", [call])
    case("hermes", ["extra_closer_within"], '<tool_call>\n{"name": "read_file"}, "arguments": {"path": "a.py"}}\n</tool_call>', [call])
    case("hermes", ["extra_closer_in_arguments"], '<tool_call>\n{"name": "read_file", "arguments": {"path": "a.py"}, "limit": 5}}\n</tool_call>', [("read_file", {"path": "a.py", "limit": 5})])
    case("openai", ["contradiction"], '{"name": "read_file", "arguments": {"path": "a.py", "path": "b.py",}}', malformed="any")


whole()
json_faults()
end_faults()
name_faults()
value_faults()
surroundings()
other_forms()
for one in CASES:
    print(json.dumps(one, ensure_ascii=False))
