#!/usr/bin/python3
"""Fills jinja-cases.json in: renders each of its templates with Jinja 2, set up as the reference library sets it up.

Needs Debian's python3-jinja2 (3.1). Run it here after adding a template: /usr/bin/python3 jinja-cases.py
"""
import json

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox


class Generation(jinja2.ext.Extension):
    """The block {% generation %}, which writes what is in it."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_write"), [], [], body).set_lineno(line)

    def _write(self, caller):
        return caller()


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def raise_exception(message):
    raise jinja2.TemplateError(message)


def main():
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    with open("jinja-cases.json", encoding="utf-8") as file:
        data = json.load(file)
    for case in data["cases"]:
        case.pop("output", None)
        case.pop("error", None)
        try:
            case["output"] = environment.from_string(case["template"]).render(**data["context"])
        except Exception as error:  # pylint: disable=broad-except
            case["error"] = f"{type(error).__name__}: {error}"
    with open("jinja-cases.json", "w", encoding="utf-8") as file:
        cases = ",\n".join(json.dumps(case, ensure_ascii=True) for case in data["cases"])
        file.write('{"context": ' + json.dumps(data["context"], ensure_ascii=True) + ',\n"cases": [\n' + cases + "\n]}\n")


if __name__ == "__main__":
    main()
