# SPDX-License-Identifier: Apache-2.0
"""The fragments that our own kernel is configured by: a line is `CONFIG_NAME=value`, and, after #, the reason."""
import dataclasses
import re

from failure import Failure

LINE = re.compile(r'(CONFIG_[A-Za-z0-9_]+)=(y|n|-?\d+|0x[0-9a-fA-F]+|"[^"#]*")(?: +# (\S.*))?')


@dataclasses.dataclass(frozen=True)
class Option:
    """`value` as .config has it; `place` is FILE:LINE."""
    name: str
    value: str
    reason: str
    place: str

    def line(self):
        return f"# {self.name} is not set" if self.value == "n" else f"{self.name}={self.value}"


def parse(text, file):
    """(options of one fragment, what is wrong with it)."""
    options, wrong = [], []
    for number, line in enumerate(text.splitlines(), 1):
        place = f"{file}:{number}"
        if not line.strip() or line.startswith("#"):
            continue
        match = LINE.fullmatch(line.rstrip())
        if not match:
            wrong.append(f'{place}: "{line}" is not CONFIG_NAME=value  # reason')
        elif not match[3]:
            wrong.append(f"{place}: {match[1]} has no reason")
        else:
            options.append(Option(match[1], match[2], match[3], place))
    return options, wrong


def twice(options):
    first = {}
    return [f"{option.place}: {option.name} is in {first[option.name].place}, too" for option in options
            if first.setdefault(option.name, option) is not option]


def read(directory):
    """The options of all fragments in `directory`, in the order of the files' names."""
    options, wrong = [], []
    for path in sorted(directory.glob("*.config")):
        more, complaints = parse(path.read_text(), path.name)
        options += more
        wrong += complaints
    wrong += twice(options)
    if not options and not wrong:
        wrong.append(f"{directory} holds no *.config")
    if wrong:
        raise Failure("\n".join(wrong))
    return options


def as_kconfig(options):
    """Without the reasons: the kernel's own programs know no comment behind a value."""
    return "".join(option.line() + "\n" for option in options)


def not_in(options, config):
    """The options that the finished .config, as text, has not as they were asked for."""
    have = set(config.splitlines())
    names = {line.partition("=")[0] for line in have if line.startswith("CONFIG_")}
    return [option for option in options
            if option.line() not in have and not (option.value == "n" and option.name not in names)]
