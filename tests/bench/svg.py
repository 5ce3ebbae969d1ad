# SPDX-License-Identifier: Apache-2.0
"""Plots as SVG, by little more than their scales: the same numbers give the same bytes. Axes begin at zero."""
import math
from xml.sax.saxutils import escape

COLOURS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377"]
GREY, INK = "#dddddd", "#222222"
SIZE = 12  # of text
RIGHT, TOP = 40, 50


def text_width(text):
    """More than it is in any usual font without serifs."""
    return len(text) * SIZE * .58


def steps(largest, wanted=8, whole=False):
    """Round numbers from zero to the first one that is not below the largest, and how many decimals they need. whole: none between."""
    rough = max(largest / wanted, 1 if whole else 1e-9)
    power = math.floor(math.log10(rough))
    unit = next(m for m in (1, 2, 5, 10) if m * 10 ** power >= rough * .999)
    step = unit * 10 ** power
    count = math.ceil(largest / step - 1e-9) or 1
    decimals = max(0, -power - (unit == 10))
    return [i * step for i in range(count + 1)], decimals


class Plot:
    """A field with a horizontal scale to x, and a vertical one of whole numbers or not to y; or, without y, names above each other."""

    def __init__(self, title, x, x_label, y=None, y_label="", whole=False, names=(), row=30, height=300, legend=()):
        self.out = []
        self.left = 70 if y is not None else 24 + max(map(text_width, names))
        keys = [text_width(name) + 44 for name in legend]
        self.width = int(max(640, self.left + 520, self.left + sum(keys)))
        self.row = row
        self.bottom = TOP + (len(names) * row if y is None else height)
        self.height = self.bottom + 48 + (24 if legend else 0)
        self.ticks_x, decimals = steps(x)
        self.text(self.left, 22, title, weight="bold", size=SIZE + 2)
        for value in self.ticks_x:
            self.line(self.x(value), TOP, self.x(value), self.bottom, GREY)
            self.text(self.x(value), self.bottom + 18, f"{value:.{decimals}f}", "middle")
        self.text((self.left + self.width - RIGHT) / 2, self.bottom + 38, x_label, "middle")
        if y is not None:
            self.ticks_y, decimals = steps(y, 6, whole)
            for value in self.ticks_y:
                self.line(self.left, self.y(value), self.width - RIGHT, self.y(value), GREY)
                self.text(self.left - 8, self.y(value) + 4, f"{value:.{decimals}f}", "end")
            self.out.append(f'<g transform="translate(18,{(TOP + self.bottom) / 2:.1f}) rotate(-90)">')
            self.text(0, 0, y_label, "middle")
            self.out.append("</g>")
        for i, name in enumerate(names):
            self.text(self.left - 10, self.middle(i) + 4, name, "end")
        self.line(self.left, TOP, self.left, self.bottom, INK)
        self.line(self.left, self.bottom, self.width - RIGHT, self.bottom, INK)
        for i, name in enumerate(legend):
            place = self.left + sum(keys[:i])
            self.rect(place, self.height - 18, 12, 12, COLOURS[i])
            self.text(place + 18, self.height - 8, name)

    def x(self, value):
        return self.left + value / self.ticks_x[-1] * (self.width - RIGHT - self.left)

    def y(self, value):
        return self.bottom - value / self.ticks_y[-1] * (self.bottom - TOP)

    def middle(self, i):
        return TOP + (i + .5) * self.row

    def text(self, x, y, text, anchor="start", size=SIZE, weight="normal"):
        self.out.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}">{escape(text)}</text>')

    def line(self, x1, y1, x2, y2, colour, width=1, dash=""):
        dash = f' stroke-dasharray="{dash}"' if dash else ""
        self.out.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"{dash}/>')

    def upright(self, value, colour):
        """Across the whole field."""
        self.line(self.x(value), TOP, self.x(value), self.bottom, colour, 1.5, "5 3")

    def rect(self, x, y, width, height, colour, opacity=1):
        self.out.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}" fill-opacity="{opacity}"/>')

    def dot(self, x, y, colour, size=2.5):
        self.out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill="{colour}" fill-opacity="0.6"/>')

    def path(self, points, colour):
        self.out.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" fill="none" stroke="{colour}" stroke-width="1.5"/>')

    def svg(self):
        head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{self.height}" viewBox="0 0 {self.width} {self.height}"'
                f' font-family="sans-serif" fill="{INK}">\n<rect width="100%" height="100%" fill="white"/>\n')
        return head + "\n".join(self.out) + "\n</svg>\n"
