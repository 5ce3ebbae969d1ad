# SPDX-License-Identifier: Apache-2.0
"""As much of Kconfig, the language of a kernel's options, as tells why one was not given: where it stands, and what it asks for.

The kernel's own program drops in silence what it cannot give. Here the files are read once more, without choosing anything.
"""
import dataclasses
import re

NOT_SET = "n"
PROMPTS = ("prompt", "bool", "tristate", "int", "hex", "string")
PROMPT = re.compile(r'"[^"]*"(?: +if +(.+))?')
OPENS = {"if": "if", "menu": "menu", "choice": "choice"}
CLOSES = {"endif": "if", "endmenu": "menu", "endchoice": "choice"}


@dataclasses.dataclass
class Definition:
    """One place that defines an option; `asks` are the conditions of itself and of all around it."""
    place: str
    asks: list
    prompt: bool = False
    choice: bool = False


class Reader:
    """All definitions of a source tree, by name without CONFIG_. Follows `source` as the kernel's own program does."""

    def __init__(self, tree, architecture="x86"):
        self.tree, self.architecture = tree, architecture
        self.definitions = {}
        self.read("Kconfig", [])

    def read(self, name, around):
        """`around`: what the file that names this one has open there, as (kind, conditions)."""
        path = self.tree / name
        if not path.is_file():
            return
        stack, current = list(around), None
        for number, line in without_help(logical_lines(path)):
            word, _, rest = line.partition(" ")
            current = self.statement(word, rest.strip(), stack, current, f"{name}:{number}")

    def statement(self, word, rest, stack, current, place):
        """One line; returns the definition that the next ones belong to."""
        if word in OPENS:
            stack.append((word, [rest] if word == "if" else []))
            return None
        if word in CLOSES:
            if stack and stack[-1][0] == CLOSES[word]:
                stack.pop()
            return None
        if word == "source":
            self.read(rest.strip('"').replace("$(SRCARCH)", self.architecture), stack)
            return None
        if word in ("config", "menuconfig"):
            asks = [condition for _, conditions in stack for condition in conditions]
            new = Definition(place, asks, choice=any(kind == "choice" for kind, _ in stack))
            self.definitions.setdefault(rest, []).append(new)
            return new
        if word == "depends":
            condition = rest.removeprefix("on").strip()
            (current.asks if current else stack[-1][1] if stack else []).append(condition)
        elif current and word in PROMPTS and (text := PROMPT.match(rest)):
            current.prompt = True
            current.asks += [text[1]] if text[1] else []
        return current


def logical_lines(path):
    """(number, line): those that end in a backslash joined, tabs as blanks."""
    text = path.read_text(errors="replace").replace("\\\n", " ").expandtabs()
    yield from enumerate(text.splitlines(), 1)


def without_help(lines):
    """Without comments and the texts of help, which end with the first line that is less indented than theirs began."""
    inside, indented = False, None
    for number, line in lines:
        indent = len(line) - len(line.lstrip())
        if inside and line.strip():
            indented = indent if indented is None else indented
            inside = indent >= indented
        if inside or not line.strip() or line.lstrip().startswith("#"):
            continue
        if line.strip() in ("help", "---help---"):
            inside, indented = True, None
        else:
            yield number, line.strip()


def values_of(config):
    """{name without CONFIG_: value} of a .config; what is not in there is n."""
    return dict(re.findall(r"^CONFIG_(\w+)=(.*)$", config, re.MULTILINE))


class Condition:
    """`A && (B || !C) && D = "x"` with the values of a .config. A macro, as $(success,...), counts as met: only the kernel's own program
    can work it out."""

    def __init__(self, text, values):
        self.tokens = re.findall(r'\$\(.*\)|[()]|&&|\|\||!=|=|!|"[^"]*"|[\w.-]+', text)
        self.values, self.names = values, []

    def next_is(self, token):
        if self.tokens[:1] != [token]:
            return False
        del self.tokens[0]
        return True

    def is_met(self):
        met = self.all_of()
        while self.next_is("||"):
            met = self.all_of() or met
        return met

    def all_of(self):
        met = self.one()
        while self.next_is("&&"):
            met = self.one() and met
        return met

    def one(self):
        if self.next_is("!"):
            return not self.one()
        if self.next_is("("):
            met = self.is_met()
            self.next_is(")")
            return met
        value = self.value()
        if self.next_is("="):
            return value == self.value()
        if self.next_is("!="):
            return value != self.value()
        return value != "n"

    def value(self):
        token = self.tokens.pop(0) if self.tokens else "n"
        if token in ("y", "m", "n") or token[0] in '"$':
            return token
        self.names.append(token)
        return self.values.get(token, NOT_SET)


def lacks(condition, values):
    """The condition with the values of its names, where it is not met; else None."""
    reading = Condition(condition, values)
    if reading.is_met():
        return None
    return f"{condition} ({', '.join(f'{n}={values.get(n, NOT_SET)}' for n in dict.fromkeys(reading.names))})"


def why_not(option, reader, config):
    """In words, why an option (fragments.Option) is not in a finished .config as it was asked for."""
    name, values = option.name.removeprefix("CONFIG_"), values_of(config)
    definitions = reader.definitions.get(name)
    if not definitions:
        return "this source knows no such option"
    if not any(d.prompt for d in definitions):
        return f"it cannot be asked for, others select it ({definitions[0].place})"
    lacking = [lack for d in definitions for condition in d.asks if (lack := lacks(condition, values))]
    if lacking:
        return f"it depends on {' and on '.join(lacking)}"
    if any(d.choice for d in definitions):
        return "another one of its choice was taken"
    return f"it is {values.get(name, NOT_SET)}; something selects it or sets it so"
