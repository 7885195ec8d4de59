"""The rows: which measurement gives them, which number counts, and the budget."""

import math


def median(samples):
    """The middle one."""
    ordered = sorted(samples)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def percentile(samples, part):
    """The value that this part of the samples does not exceed."""
    ordered = sorted(samples)
    return ordered[max(math.ceil(len(ordered) * part) - 1, 0)]


def p99(samples):
    """All but the worst hundredth are no worse."""
    return percentile(samples, 0.99)


class Row:
    """A line of the table.

    Budgets: `ratio`, ours is at most this part of theirs, with `slack` for what the clocks can
    tell; `limit`, ours is at most this; `least`, ours is at least this. `alone`: it means little
    while somebody else runs the same programs.
    """

    def __init__(self, name, what, source, unit, ratio=None, limit=None, least=None, of=median,
                 slack=0.0, alone=False):
        self.name, self.what, self.unit = name, what, unit
        self.key, _, self.metric = source.partition("/")
        self.ratio, self.limit, self.least = ratio, limit, least
        self.of, self.slack, self.alone = of, slack, alone

    def values(self, results):
        """(theirs, ours); None where there is no number."""
        found = []
        for name in ("keepalived", "ours"):
            samples = results.get(self.key, {}).get(name, {}).get(self.metric, [])
            found.append(self.of(samples) if samples else None)
        return tuple(found)

    def budget(self):
        """The budget in words."""
        if self.limit is not None:
            return f"at most {self.limit:g}"
        if self.least is not None:
            return f"at least {self.least:g}"
        if self.ratio is None:
            return "-"
        return "no worse" if self.ratio == 1 else f"x {self.ratio:g}"

    def holds(self, theirs, ours):
        """Whether the budget holds; None when that cannot be said."""
        if ours is None:
            return None
        if self.limit is not None:
            return ours <= self.limit
        if self.least is not None:
            return ours >= self.least
        if self.ratio is None or theirs is None:
            return None
        return ours <= theirs * self.ratio + self.slack


def show(number):
    """Three digits that mean something."""
    if number is None:
        return "-"
    if number == 0 or abs(number) >= 1000:
        return f"{number:.0f}"
    return f"{number:.{max(0, 2 - math.floor(math.log10(abs(number))))}f}"


HEAD = ("row", "keepalived", "ours", "unit", "ratio", "budget", "holds")


def render(rows, results, shared):
    """The table as text, and the rows that do not hold. `shared`: others run these programs."""
    lines, failed, heading = [HEAD], [], ""
    for row in rows:
        theirs, ours = row.values(results)
        heading = row.what if not row.what.startswith(" ") else heading
        if theirs is None and ours is None:
            continue
        holds = None if row.alone and shared else row.holds(theirs, ours)
        ratio = f"{ours / theirs:.2f}" if theirs and ours is not None and theirs > 0 else "-"
        lines.append((row.what, show(theirs), show(ours), row.unit, ratio, row.budget(),
                      {True: "yes", False: "NO", None: "-"}[holds]))
        if holds is False:
            failed.append(heading if heading is row.what else f"{heading},{row.what[1:]}")
    widths = [max(len(line[n]) for line in lines) for n in range(len(HEAD))]
    text = ""
    for line in lines:
        words = [line[0].ljust(widths[0])]
        words += [word.rjust(width) for word, width in zip(line[1:3], widths[1:3])]
        words += [line[3].ljust(widths[3]), line[4].rjust(widths[4]), line[5].ljust(widths[5]),
                  line[6]]
        text += "  ".join(words).rstrip() + "\n"
    return text, failed
