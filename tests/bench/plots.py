# SPDX-License-Identifier: Apache-2.0
"""The plots: which values of which part are drawn how. What a part has no values of is left out, in a plot and of plots."""
from results import median, percentile
from rows import BY_KEY, ROWS, STAGES, stages_of, values
from svg import COLOURS, INK, Plot

def plain(text):
    return text.replace("`", "")


def number(value):
    """Three digits, the last ones zeros or not."""
    return f"{value:#.3g}".rstrip(".")


def rows_of(keys, measured):
    """[(row, its values)] of those that have some."""
    return [(BY_KEY[key], found) for key in keys if (found := values(BY_KEY[key], measured))]


def strips(title, label, keys):
    """Each run a dot, the quartiles a box, the median a line with its number."""
    def draw(measured):
        rows = rows_of(keys, measured)
        if not rows:
            return None
        plot = Plot(title, max(max(found) for _, found in rows) * 1.12, label, names=[plain(row.what) for row, _ in rows])
        for i, (_, found) in enumerate(rows):
            y = plot.middle(i)
            left, right = plot.x(percentile(found, 25)), plot.x(percentile(found, 75))
            plot.rect(left, y - 8, max(right - left, 1), 16, COLOURS[0], .3)
            for j, value in enumerate(found):
                plot.dot(plot.x(value), y + (j % 5 - 2) * 2.4, COLOURS[0])
            plot.line(plot.x(median(found)), y - 10, plot.x(median(found)), y + 10, COLOURS[1], 2)
            plot.text(plot.x(max(found)) + 8, y + 4, number(median(found)))
        return plot.svg()
    return draw


def stages(title, part):
    """How long each took, one beside the other."""
    def draw(measured):
        rows = stages_of(part, measured)
        if not rows:
            return None
        plot = Plot(title, max(sum(took) for _, took in rows) * 1.1, "seconds, by medians", names=[plain(row.what) for row, _ in rows],
                    legend=STAGES.values())
        for i, (_, took) in enumerate(rows):
            for j, stage in enumerate(took):
                begin, end = plot.x(sum(took[:j])), plot.x(sum(took[:j]) + max(stage, 0))
                plot.rect(begin, plot.middle(i) - 9, end - begin, 18, COLOURS[j])
            plot.text(plot.x(sum(took)) + 6, plot.middle(i) + 4, number(sum(took)))
        return plot.svg()
    return draw


def arrivals(title, label, key, round_key, bound):
    """How many were ready at which time, a line for each round, and another upright where a row says."""
    def draw(measured):
        times, across = measured.get(key), rows_of([bound], measured)
        if not times:
            return None
        rounds = len(measured[round_key])
        size = len(times) // rounds
        plot = Plot(title, max(times + [value for _, found in across for value in found]) * 1.05, label, y=size, y_label="ready pods", whole=True,
                    legend=[f"round {i + 1}" for i in range(rounds)] if rounds <= len(COLOURS) else ())
        for i in range(rounds):
            points, ordered = [(plot.x(0), plot.y(0))], times[i * size:(i + 1) * size]
            for n, time in enumerate(ordered):
                points += [(plot.x(time), plot.y(n)), (plot.x(time), plot.y(n + 1))]
            plot.path(points, COLOURS[i % len(COLOURS)])
        for row, found in across:
            plot.upright(found[0], INK)
            plot.text(plot.x(0), 40, f"dashed: {plain(row.what)}")
        return plot.svg()
    return draw


def histogram(title, label, key, bins=50):
    def draw(measured):
        found = measured.get(key)
        if not found:
            return None
        width = max(found) * 1.02 / bins
        counts = [0] * bins
        for value in found:
            counts[min(int(value / width), bins - 1)] += 1
        plot = Plot(title, max(found) * 1.02, label, y=max(counts) * 1.1, y_label="starts", whole=True)
        for i, count in enumerate(counts):
            if count:
                plot.rect(plot.x(i * width), plot.y(count), plot.x((i + 1) * width) - plot.x(i * width) - .5, plot.bottom - plot.y(count), COLOURS[0])
        for p, colour in ((50, COLOURS[1]), (99, COLOURS[5])):
            plot.upright(percentile(found, p), colour)
        plot.text(plot.x(0), 40, f"{len(found)} starts; left of the dashed lines: half of them, 99 % of them")
        return plot.svg()
    return draw


def course(title, label, key):
    """Each start's time, in their order."""
    def draw(measured):
        found = measured.get(key)
        if not found:
            return None
        plot = Plot(title, len(found), "number of the start", y=max(found) * 1.05, y_label=label)
        for i, value in enumerate(found):
            plot.dot(plot.x(i + 1), plot.y(value), COLOURS[0], 1.5)
        return plot.svg()
    return draw


def growths(title, label, at, lines):
    """lines: {key: name}"""
    def draw(measured):
        found = {name: measured[key] for key, name in lines.items() if key in measured}
        if not found:
            return None
        plot = Plot(title, max(measured[at]), "starts done", y=max(map(max, found.values())) * 1.1, y_label=label, legend=found)
        for (name, ys), colour in zip(found.items(), COLOURS):
            plot.path([(plot.x(x), plot.y(y)) for x, y in zip(measured[at], ys)], colour)
        return plot.svg()
    return draw


def keys_of(part, *units):
    return [row.key for row in ROWS if row.part == part and row.unit in units]


WATCHED = {"podvisord": "podvisord", "templates": "podvisor-templates"}

# part, file, title, what draws it from the part's values. `podvisor analyze plot` draws the two pictures of single starts.
PLOTS = [(part, name, title, draw(title, *more)) for part, name, title, draw, *more in (
    ("start", "start.svg", "To the container's first line", strips, "seconds", keys_of("start", "s")),
    ("start", "stages.svg", "Where the time goes", stages, "start"),
    ("cpu", "cpu.svg", "Processor time of a start from a template", strips, "milliseconds", keys_of("cpu", "ms")),
    ("rate", "rate.svg", "Starts from a template in a second", strips, "starts per second", keys_of("rate", "1/s")),
    ("many", "many.svg", "Pods that are written at once", arrivals, "seconds since the first was written", "many.ready", "many.last", "many.work"),
    ("memory", "memory.svg", "Memory of each of many", strips, "MiB, proportional or private",
     [key for key in keys_of("memory", "MiB") if key not in ("memory.podvisord", "memory.template")]),
    ("soak", "soak.svg", "Starts in a row: how long", histogram, "seconds to the container's first line", "soak.start"),
    ("soak", "soak-course.svg", "Starts in a row: one after the other", course, "seconds", "soak.start"),
    ("soak", "soak-memory.svg", "Starts in a row: memory", growths, "MiB, proportional", "soak.at",
     {f"soak.{key}-pss": name for key, name in WATCHED.items()}),
    ("soak", "soak-descriptors.svg", "Starts in a row: descriptors", growths, "descriptors", "soak.at",
     {f"soak.{key}-fds": name for key, name in WATCHED.items()}),
    ("soak", "soak-host.svg", "Starts in a row: shared memory of the host", growths, "MiB", "soak.at",
     {"soak.shared": "memory files and tmpfs", "soak.shm": "/dev/shm"}),
    ("soak", "soak-files.svg", "Starts in a row: files", growths, "files and directories", "soak.at", {"soak.files": "below run and state"}),
    ("libvirt", "libvirt.svg", "To the container's first line, by libvirt", strips, "seconds", ["libvirt.create", "libvirt.floor", "libvirt.podvisor"]),
)]
STARTS = [("start-cold.svg", "A cold start, by podvisor analyze plot", "start.boot"),
          ("start-template.svg", "A start from a template, by podvisor analyze plot", "start.template")]


def names(part, measured):
    """(file, title) of each plot that there is of these values."""
    drawn = [(name, title) for of, name, title, draw in PLOTS if of == part and draw(measured)]
    return drawn + [(name, title) for name, title, key in STARTS if part == "start" and measured.get(key)]


def draw(directory, part, measured):
    for of, name, _, make in PLOTS:
        if of == part and (picture := make(measured)):
            (directory / name).write_text(picture)
